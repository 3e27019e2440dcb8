// guard, ban, unban, bans.
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>

#include "core/ban.h"
#include "core/yaml.h"
#include "fwctl/cli/load.h"
#include "fwctl/cli/verbs.h"
#include "fwctl/compile/compile.h"
#include "fwctl/control/control.h"
#include "fwctl/control/tracking.h"
#include "fwctl/control/writer.h"
#include "fwctl/guard/guard.h"

namespace gatehouse::fwctl::cli {

using core::Args;
using core::Errc;
using core::fail;
using core::Result;

namespace {

constexpr std::size_t kMostAnswer = 16U << 20U;

// Says `text` to the guard and reads until `last` ends what came.
Result<std::string> ask(const std::string& path, const std::string& text, std::string_view last) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Errc::invalid_input, "the path " + path + " is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const core::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{20, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return core::fail_errno(errno, "ask the guard at " + path);
  GH_CHECK(core::write_all(fd.get(), text, path));
  std::string out;
  while (!out.ends_with(last) && out.size() < kMostAnswer) {
    char buffer[4096];
    const ssize_t got = recv(fd.get(), buffer, sizeof buffer, 0);
    if (got <= 0) return fail(Errc::io, "the guard did not answer (it answers root and its group)");
    out.append(buffer, static_cast<std::size_t>(got));
    if (last == "\n" || out.starts_with("no: ")) break;
  }
  return out;
}

// What the guard says of one ban, for people: whoever asked for it chose the words.
std::string ban_text(const core::YamlNode& ban) {
  const auto word = [&](const char* key) { return ban.find(key) == nullptr ? "" : ban.find(key)->text; };
  std::string out =
      fmt::format("{} {} {} {}", word("address"), word("seconds-left"), word("by"), word("reason"));
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return out + '\n';
}

std::string ban_socket(const site::Site* site) {
  if (const char* given = std::getenv("GATEHOUSE_RUN"); given != nullptr && *given != 0)
    return std::string(given) + "/guard.sock";
  return site != nullptr && site->detection.response ? site->detection.response->socket
                                                     : site::DetectionResponse{}.socket;
}
std::string control_socket() {
  return run_directory() + "/" + kControlSocket;
}

}  // namespace

Result<int> run_guard(const Args& args) {
  GH_TRY(const Policy policy, load_policy(args));
  GuardOptions options;
  options.site = &policy.site;
  options.table = compile(policy.ruleset);
  options.state_directory = state_directory();
  options.run_directory = run_directory();
  options.ban_socket = ban_socket(&policy.site);
  options.metrics_file = args.value("--metrics");
  options.own = !args.has("--no-owner");
  options.sandbox = policy.site.hardening.sandbox_daemons;
  warn_missing(missing_interfaces(policy.ruleset));
  GH_CHECK(stop_picking_up(options.table));
  GH_CHECK(fwctl::run_guard(options));
  return core::kExitDone;
}

Result<int> run_ban(const Args& args) {
  const auto address = core::IpAddress::parse(args.positional()[0]);
  if (!address) return fail(Errc::invalid_input, "`" + args.positional()[0] + "` is not an address");
  GH_TRY(const std::uint64_t time_us,
         args.duration_us("--for", 600'000'000, 1'000'000, core::kMostBanSeconds * std::uint64_t{1'000'000}));
  core::BanRequest request;
  request.address = *address;
  request.seconds = static_cast<std::uint32_t>(time_us / 1'000'000);
  request.reason = args.value("--reason", "by hand");
  GH_TRY(const std::string line, ask(ban_socket(nullptr), core::to_line(request), "\n"));
  GH_TRY(const core::BanReply reply, core::parse_ban_reply(line));
  if (!reply.ok) return fail(Errc::invalid_input, reply.error);
  const std::string name = address->to_string();
  GH_CHECK(core::print_result(args.json() ? core::to_line(request)
                                          : fmt::format("{} is banned for {} s\n", name, request.seconds)));
  return core::kExitDone;
}

Result<int> run_unban(const Args& args) {
  const auto address = core::IpAddress::parse(args.positional()[0]);
  if (!address) return fail(Errc::invalid_input, "`" + args.positional()[0] + "` is not an address");
  GH_TRY(const std::string answer, ask(control_socket(), "unban " + address->to_string() + "\n", "\n"));
  if (answer != "done\n")
    return fail(Errc::not_found, answer.substr(answer.find(' ') + 1, answer.find('\n') - 4));
  const std::string name = address->to_string();
  GH_CHECK(
      core::print_result(args.json() ? "{\"address\":\"" + name + "\"}\n" : name + " is no longer banned\n"));
  return core::kExitDone;
}

Result<int> run_bans(const Args& args) {
  GH_TRY(std::string answer, ask(control_socket(), "bans\n", "end\n"));
  answer.resize(answer.size() - 4);
  if (args.json()) {
    GH_CHECK(core::print_result(answer));
    return core::kExitDone;
  }
  std::string out;
  for (std::size_t at = 0; at < answer.size();) {
    const std::size_t end = std::min(answer.find('\n', at), answer.size());
    core::Diagnostics mistakes;
    const auto ban = core::parse_yaml(core::SourceText("the guard", answer.substr(at, end - at)), mistakes);
    if (!ban) return tl::make_unexpected(mistakes.first_error());
    out += ban_text(*ban);
    at = end + 1;
  }
  GH_CHECK(core::print_result(out));
  return core::kExitDone;
}

}  // namespace gatehouse::fwctl::cli
