#include "fwctl/guard/guard.h"

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "core/json.h"
#include "core/log.h"
#include "fwctl/compile/describe.h"
#include "fwctl/control/change.h"
#include "fwctl/control/control.h"
#include "fwctl/control/writer.h"
#include "fwctl/guard/ban_desk.h"
#include "fwctl/guard/clients.h"
#include "fwctl/guard/drift.h"
#include "fwctl/guard/groups.h"
#include "fwctl/guard/keeper.h"
#include "fwctl/guard/report.h"
#include "fwctl/guard/setting.h"
#include "hardening/api.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;

constexpr int kTick_ms = 100;
constexpr std::int64_t kMetricsEvery_us = 10'000'000;
constexpr std::int64_t kSparedEvery_us = 30'000'000;
constexpr std::int64_t kGroupsEvery_us = 2'000'000;
constexpr std::int64_t kLongestLoan_us = 15'000'000;
constexpr std::int64_t kIdle_us = 60'000'000;  // of a client that says nothing
constexpr std::size_t kMostClients = 64;
constexpr std::size_t kMostControlLine = 256;

class Guard {
 public:
  Guard(const GuardOptions& options, TableKeeper keeper, RulesetWatch watch)
      : o_(options),
        policy_(options.site->firewall.guard),
        keeper_(std::move(keeper)),
        bans_(*options.site, keeper_, report_, counters_),
        drift_({policy_, keeper_, report_, counters_}, std::move(watch)),
        setting_(policy_, keeper_, report_, counters_),
        groups_(*options.site) {}

  core::Status start() {
    GH_CHECK(open_sockets());
    spare();
    GH_CHECK(bring_into_force());
    setting_.open();
    GH_CHECK(fence());
    report_ = Reporter::open(o_.state_directory, o_.site->soc.spool);
    drift_.take_commits(is_lent());
    write_metrics();
    core::log_info("guarding {}: {}", keeper_.desired_name(),
                   keeper_.desired() ? "in force" : "nothing is in force yet");
    return {};
  }

  core::Status run() {
    for (;;) {
      std::vector<pollfd> fds = {{signals_.get(), POLLIN, 0}, {drift_.descriptor(), POLLIN, 0}};
      fds.push_back({ban_listener_.get(), POLLIN, 0});
      fds.push_back({control_listener_.get(), POLLIN, 0});
      for (const Client& c : clients_) fds.push_back(waited_for(c));
      if (poll(fds.data(), fds.size(), kTick_ms) < 0 && errno != EINTR)
        return core::fail_errno(errno, "poll");
      if (fds[0].revents != 0) break;
      if (fds[1].revents != 0) drift_.take_commits(is_lent());
      if (fds[2].revents != 0) accept(ban_listener_.get(), true);
      if (fds[3].revents != 0) accept(control_listener_.get(), false);
      serve();
      tick();
    }
    core::log_info("ends; the table stays in force");
    return {};
  }

 private:
  // --- beginning ---
  core::Status open_sockets() {
    GH_CHECK(core::make_directories(o_.run_directory, 0755));
    if (!policy_.ban_group.empty()) {
      const group* g = getgrnam(policy_.ban_group.c_str());
      if (g == nullptr) return fail(Errc::not_found, "there is no group `" + policy_.ban_group + "`");
      ban_group_ = g->gr_gid;
    }
    GH_TRY(ban_listener_, listen_at(o_.ban_socket, ban_group_));
    GH_TRY(control_listener_, listen_at(o_.run_directory + "/" + kControlSocket, std::nullopt));
    sigset_t all;
    sigemptyset(&all);
    sigaddset(&all, SIGTERM);
    sigaddset(&all, SIGINT);
    sigprocmask(SIG_BLOCK, &all, nullptr);
    signals_.reset(signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_.valid()) return core::fail_errno(errno, "wait for signals");
    return {};
  }

  core::Status bring_into_force() {
    GH_TRY(core::UniqueFd lock, keeper_.journal().lock());
    GH_CHECK(keeper_.reload());
    if (!keeper_.desired()) keeper_.want(o_.table, "the policy " + o_.site->name);
    GH_TRY(const auto before, keeper_.look(TableKeeper::Reading::all));
    keeper_.accept_tables(before->live.other_tables);
    GH_CHECK(keeper_.claim());
    return keeper_.repair();
  }

  core::Status fence() {
    if (!o_.sandbox) return {};
    hardening::SandboxSpec spec;
    spec.name = "fwctl-guard";
    spec.keep_capabilities = {CAP_NET_ADMIN};
    spec.read_only = {"/proc"};
    spec.read_write = {o_.state_directory, o_.run_directory};
    const auto directory_of = [](const std::string& file) {
      return std::filesystem::path(file).parent_path().string();
    };
    if (!o_.metrics_file.empty()) spec.read_write.push_back(directory_of(o_.metrics_file));
    if (access(o_.site->soc.spool.c_str(), W_OK) == 0) spec.read_write.push_back(o_.site->soc.spool);
    spec.tcp_connect.emplace();
    spec.tcp_bind.emplace();
    spec.seccomp = "fwctl-guard";
    GH_TRY(const hardening::SandboxReport report, hardening::sandbox_self(spec));
    core::log_info("{}", report.to_string());
    return {};
  }

  // --- those who ask ---
  // What is lent cannot be written by us: a ban waits.
  bool is_heard(const Client& c) const { return c.output.empty() && !(c.asks_for_bans && is_lent()); }
  pollfd waited_for(const Client& c) const {
    if (!c.output.empty()) return {c.fd.get(), POLLOUT, 0};
    return {is_heard(c) ? c.fd.get() : -1, POLLIN, 0};
  }
  bool is_lent() const {
    return std::any_of(clients_.begin(), clients_.end(), [](const Client& c) { return c.lent; });
  }
  void accept(int listener, bool bans) {
    auto client = accept_from(listener, bans ? ban_group_ : std::nullopt, core::monotonic_us());
    if (!client || clients_.size() >= kMostClients) return;
    client->asks_for_bans = bans;
    clients_.push_back(std::move(*client));
  }
  void serve() {
    const std::int64_t now = core::monotonic_us();
    for (std::size_t i = 0; i < clients_.size();) {
      Client& c = clients_[i];
      bool gone = !flush(c);
      while (!gone && is_heard(c)) {
        const auto line = next_line(c, c.asks_for_bans ? core::kMostBanLine : kMostControlLine, gone);
        if (!line) break;
        c.since_us = now;
        gone = !(c.asks_for_bans ? take_ban(c, *line) : take_command(c, *line));
      }
      if (now - c.since_us > (c.lent ? kLongestLoan_us : kIdle_us)) gone = true;
      if (!gone) {
        ++i;
        continue;
      }
      const bool lent = c.lent;
      clients_.erase(clients_.begin() + static_cast<std::ptrdiff_t>(i));
      if (lent) given_back();
    }
  }
  void given_back() {
    keeper_.writer().drain();
    drift_.take_commits(is_lent());
    drift_.look_again();
  }

  bool take_command(Client& c, const std::string& line) {
    if (line == "lend") {
      c.waits = is_lent();
      return c.waits || lend(c);
    }
    if (line == "bans") {
      std::string out;
      for (const Ban& b : bans_.all()) {
        core::JsonWriter json(out);
        json.begin_object().field("address", b.address.to_string());
        json.field("seconds-left", (b.until_us - core::monotonic_us()) / 1'000'000);
        json.field("by", b.by).field("reason", b.reason).end_object();
        out += '\n';
      }
      return answer(c, out + "end\n");
    }
    if (line.starts_with("unban ")) {
      const auto address = core::IpAddress::parse(line.substr(6));
      if (!address) return answer(c, "no: not an address\n");
      if (is_lent()) return answer(c, "no: a change is being made, ask again\n");
      if (!bans_.has(*address)) return answer(c, "no: it is not banned\n");
      const core::Status done = bans_.lift(*address);
      return answer(c, done ? "done\n" : "no: " + done.error().text + "\n");
    }
    return answer(c, "no: not a command\n") && false;
  }
  bool lend(Client& c) {
    ++counters_.loans;
    c.waits = false;
    c.lent = answer_with(c, "lent\n", keeper_.writer().descriptor());
    return c.lent;
  }
  void lend_to_the_next() {
    for (Client& c : clients_) {
      if (is_lent()) return;
      if (c.waits) (void)lend(c);
    }
  }

  void spare() {
    bans_.spare();
    spared_us_ = core::monotonic_us();
  }
  bool take_ban(Client& c, const std::string& line) {
    core::BanReply reply;
    const auto request = core::parse_ban_request(line);
    const core::Status done = request ? bans_.ban(*request, c.who) : tl::make_unexpected(request.error());
    reply.ok = done.has_value();
    if (!done) {
      reply.error = done.error().text;
      ++counters_.refused_bans;
    }
    return answer(c, core::to_line(reply));
  }

  // --- what time brings ---
  void tick() {
    const std::int64_t now = core::monotonic_us();
    lend_to_the_next();
    if (!is_lent()) take_back_in_time();
    drift_.tick(is_lent());
    setting_.tick();
    if (now - spared_us_ > kSparedEvery_us) spare();
    if (now - groups_us_ > kGroupsEvery_us) look_at_groups();
    if (now - metrics_us_ > kMetricsEvery_us) write_metrics();
  }

  void look_at_groups() {
    groups_us_ = core::monotonic_us();
    if (!keeper_.desired()) return;
    for (const std::string& what : groups_.look(*keeper_.desired())) report_.event("control-group", what, {});
    if (!groups_.all_fit()) counters_.in_force = false;
  }

  // The entries are read again only when something was renamed into the directory.
  void take_back_in_time() {
    struct stat s {};
    if (stat(o_.state_directory.c_str(), &s) != 0) return;
    const std::int64_t changed = std::int64_t{s.st_mtim.tv_sec} * 1'000'000'000 + s.st_mtim.tv_nsec;
    if (changed != journal_changed_) {
      const auto entries = keeper_.journal().entries();
      if (!entries) return;
      journal_changed_ = changed;
      pending_.reset();
      for (const Entry& e : *entries) {
        if (e.state == EntryState::pending) pending_ = e;
      }
    }
    if (!pending_ || !pending_->overdue(boottime_us(), boot_)) return;
    // Its keepers come first; when they are dead it is ours.
    const core::Result<bool> done =
        take_back_overdue([&] { return &keeper_.writer(); }, keeper_.journal(), "the guard");
    if (!done)
      core::log_error("change {} cannot be taken back: {}", pending_->id, done.error().to_string());
    else if (*done)
      report_.event("rollback",
                    fmt::format("change {} was not confirmed in time and is taken back", pending_->id), {});
    pending_.reset();
    journal_changed_ = 0;
    drift_.look_again();
  }

  void write_metrics() {
    metrics_us_ = core::monotonic_us();
    if (o_.metrics_file.empty()) return;
    counters_.active_bans = bans_.all().size();
    const auto live = keeper_.counters();
    std::vector<RuleCount> rules;
    if (live && live->table) rules = counts_of(*live->table);
    if (live) counters_.generation = live->generation;
    if (live && keeper_.desired())
      counters_.in_force =
          setting_.is_right() && groups_.all_fit() &&
          !make_plan(live->table ? &*live->table : nullptr, *keeper_.desired()).changes_effect();
    const core::Status done = core::write_file_atomic(o_.metrics_file, metrics_text(counters_, rules), 0644);
    if (!done) core::log_warning("{}", done.error().to_string());
  }

  const GuardOptions& o_;
  const site::Guard& policy_;
  TableKeeper keeper_;
  Reporter report_;
  GuardCounters counters_;
  BanDesk bans_;
  DriftWatch drift_;
  SettingWatch setting_;
  GroupWatch groups_;
  core::UniqueFd ban_listener_, control_listener_, signals_;
  std::optional<gid_t> ban_group_;
  std::vector<Client> clients_;
  std::optional<Entry> pending_;
  const std::string boot_ = boot_id();
  std::int64_t journal_changed_ = 0, metrics_us_ = 0, spared_us_ = 0, groups_us_ = 0;
};

}  // namespace

core::Status run_guard(const GuardOptions& options) {
  GH_TRY(RulesetWatch watch, RulesetWatch::open(std::string(kTableName)));
  GH_TRY(TableKeeper keeper, TableKeeper::open(options.state_directory, options.own));
  Guard guard(options, std::move(keeper), std::move(watch));
  GH_CHECK(guard.start());
  return guard.run();
}

}  // namespace gatehouse::fwctl
