// ids anomaly top: attacks, suspects and victims, of a running ids or at the end of a capture.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "ids/capture/pcap_file.h"
#include "ids/cli/load.h"
#include "ids/cli/verbs.h"
#include "ids/engine/lists.h"
#include "ids/engine/top.h"
#include "ids/engine/worker.h"

namespace gatehouse::ids::cli {
namespace {

using core::Errc;
using core::fail;
using core::Result;
using nlohmann::json;

constexpr std::size_t kRows = 40;

std::string word(const json& row, const char* key) {
  const auto found = row.find(key);
  if (found == row.end()) return "-";
  if (found->is_string()) return found->get<std::string>();
  return found->is_number() ? found->dump() : "-";
}

// "2026-11-21T20:30:00.123456+0000" -> "20:30:00"
std::string clock_of(const std::string& time) {
  return time.size() > 19 ? time.substr(11, 8) : time;
}

std::string table(const std::string& line) {
  const json top = json::parse(line, nullptr, false);
  if (!top.is_object()) return "no table came\n";
  const auto rows = [&](const char* key) {
    const auto found = top.find(key);
    return found != top.end() && found->is_array() ? *found : json::array();
  };
  const json attacks = rows("attacks"), suspects = rows("suspects"), victims = rows("victims");
  std::string out = fmt::format("{}   {} attack(s), {} suspect(s), {} victim(s)\n", word(top, "time"),
                                attacks.size(), suspects.size(), victims.size());
  if (!attacks.empty())
    out += fmt::format("\n{:>5} {:<27} {:<8} {:<8} {:<24} {:>6} {:<24} {:>6} {}\n", "ID", "ATTACK", "SINCE",
                       "LAST", "SOURCE", "OF", "TARGET", "OF", "TOLD");
  for (const json& a : attacks) {
    std::string fate = word(a, "fate");
    if (a.contains("exception")) fate += ": " + word(a, "exception");
    out += fmt::format("{:>5} {:<27} {:<8} {:<8} {:<24} {:>6} {:<24} {:>6} {}\n", word(a, "id"),
                       word(a, "class"), clock_of(word(a, "first_seen")), clock_of(word(a, "last_seen")),
                       word(a, "source"), word(a, "sources"), word(a, "target"), word(a, "targets"), fate);
  }
  if (!suspects.empty())
    out += fmt::format("\n{:<40} {:>7} {:>7} {:>6} {:>6} {:>9} {:<8}\n", "SUSPECT", "FAILED", "GOOD", "PORTS",
                       "HOSTS", "EVIDENCE", "LAST");
  for (const json& s : suspects)
    out += fmt::format("{:<40} {:>7} {:>7} {:>6} {:>6} {:>7} % {:<8}\n", word(s, "source"), word(s, "failed"),
                       word(s, "succeeded"), word(s, "ports"), word(s, "hosts"), word(s, "evidence_percent"),
                       clock_of(word(s, "last_seen")));
  if (!victims.empty())
    out += fmt::format("\n{:<40} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}\n", "VICTIM, A SECOND", "SYN",
                       "DONE", "UDP", "ICMP", "STRAY", "FRAG", "FROM");
  for (const json& v : victims)
    out += fmt::format("{:<40} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}\n", word(v, "target"),
                       word(v, "syn"), word(v, "completed"), word(v, "udp"), word(v, "icmp"),
                       word(v, "stray"), word(v, "fragments"), word(v, "sources"));
  return out;
}

Result<std::string> top_of_capture(const core::Args& args) {
  GH_TRY(Loaded loaded, load_settings(args));
  loaded.settings.anomaly.state_kept = false;  // who looks changes nothing
  GH_TRY(const std::unique_ptr<Source> source, open_pcap_file(args.value("--pcap")));
  GH_TRY(const engine::RuleSet rules, load_rules({}, loaded.settings));
  // No sink: the events of this run are nobody's.
  engine::Output output(1, engine::WhenFull::wait);
  output.start();
  std::string line;
  core::Status status;
  {
    engine::Worker worker(loaded.settings, rules.engine, output.port(0), {});
    for (;;) {
      const Result<SourceState> state = source->dispatch(worker, 1024);
      if (!state) status = tl::make_unexpected(state.error());
      if (!state || *state == SourceState::end) break;
    }
    line = worker.top(kRows);
    worker.finish();
  }
  output.stop();
  GH_CHECK(status);
  return line;
}

core::Status show(const core::Args& args, const std::string& line, bool clear) {
  if (args.json()) return core::print_result(line);
  return core::print_result((clear ? "\x1b[H\x1b[2J" : "") + table(line));
}

}  // namespace

Result<int> verb_anomaly_top(const core::Args& args) {
  if (args.has("--pcap") == args.has("--socket"))
    return fail(Errc::invalid_input,
                "say whose: --socket PATH of a running ids (its --top-socket), or --pcap FILE for the end of "
                "a capture");
  if (args.has("--pcap")) {
    GH_TRY(const std::string line, top_of_capture(args));
    GH_CHECK(show(args, line, false));
    return core::kExitDone;
  }
  GH_TRY(const std::uint64_t seconds, args.uint("--interval", 2, 1, 3600));
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const bool again = args.has("--interval") || (terminal && !args.has("--once"));
  for (;;) {
    GH_TRY(const std::string line, engine::ask_top(args.value("--socket")));
    if (line.empty()) return fail(Errc::io, "ids is there and did not answer in time");
    GH_CHECK(show(args, line, again && terminal));
    if (!again || args.has("--once")) return core::kExitDone;
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
  }
}

}  // namespace gatehouse::ids::cli
