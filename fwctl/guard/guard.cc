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
#include "fwctl/guard/bans.h"
#include "fwctl/guard/clients.h"
#include "fwctl/guard/keeper.h"
#include "fwctl/guard/report.h"
#include "hardening/api.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;

constexpr int kTick_ms = 100;
constexpr std::int64_t kMetricsEvery_us = 10'000'000;
constexpr std::int64_t kSparedEvery_us = 30'000'000;
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
        watch_(std::move(watch)),
        bans_(policy_.most_bans) {}

  core::Status start() {
    GH_CHECK(open_sockets());
    spare();
    GH_CHECK(bring_into_force());
    GH_CHECK(fence());
    report_ = Reporter::open(o_.state_directory, o_.site->soc.spool);
    (void)watch_.drain();  // our own
    write_metrics();
    core::log_info("guarding {}: {}", keeper_.desired_name(),
                   keeper_.desired() ? "in force" : "nothing is in force yet");
    return {};
  }

  core::Status run() {
    for (;;) {
      std::vector<pollfd> fds = {{signals_.get(), POLLIN, 0}, {watch_.descriptor(), POLLIN, 0}};
      fds.push_back({ban_listener_.get(), POLLIN, 0});
      fds.push_back({control_listener_.get(), POLLIN, 0});
      for (const Client& c : clients_) fds.push_back(waited_for(c));
      if (poll(fds.data(), fds.size(), kTick_ms) < 0 && errno != EINTR)
        return core::fail_errno(errno, "poll");
      if (fds[0].revents != 0) break;
      if (fds[1].revents != 0) take_commits();
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
    GH_TRY(const TableKeeper::Drift before, keeper_.look(std::nullopt));
    keeper_.accept_tables(before.live.other_tables);
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

  // --- who changes the ruleset ---
  void take_commits() {
    const std::int64_t seen_us = core::monotonic_us();
    std::optional<std::set<std::string>> touched = std::set<std::string>();
    std::vector<std::string> culprits;
    for (const Commit& c : watch_.drain()) {
      if (c.lost) ++counters_.lost_events;
      if (c.lost) touched.reset();
      if (touched) touched->insert(c.changed_sets.begin(), c.changed_sets.end());
      if (c.port == keeper_.writer().port() && !c.lost && !is_lent()) continue;
      ++counters_.commits_of_others;
      const std::string command = command_of(c.pid);
      report_.commit(c, command);
      culprits.push_back(c.who() + (command.empty() ? "" : ": " + command));
    }
    if (!culprits.empty()) check(touched, fmt::format("{}", fmt::join(culprits, "; ")), seen_us);
  }

  void check(const std::optional<std::set<std::string>>& touched, const std::string& culprit,
             std::int64_t seen_us) {
    if (is_lent()) {
      look_again_ = true;
      return;
    }
    const core::UniqueFd lock = try_lock();
    if (!lock.valid()) {
      look_again_ = true;  // a change is being made: look when it is done
      return;
    }
    if (const auto done = keeper_.reload(); !done) core::log_error("{}", done.error().to_string());
    auto drift = keeper_.look(touched);
    if (!drift) return core::log_error("{}", drift.error().to_string());
    counters_.generation = drift->live.generation;
    counters_.in_force = !drift->plan.changes_effect();
    for (const std::string& t : drift->new_tables) foreign_table(t, culprit);
    if (!drift->plan.changes_effect()) return;
    ++counters_.drifts;
    report_.event("drift",
                  fmt::format("the ruleset is not what {} brought; changed by {}\n{}", keeper_.desired_name(),
                              culprit, print_plan(drift->plan)),
                  {{"by", culprit}, {"changes", std::to_string(drift->plan.changes.size())}});
    if (policy_.repair) repair(*drift, seen_us);
  }

  void repair(const TableKeeper::Drift& drift, std::int64_t seen_us) {
    core::Status done = keeper_.writer().commit(drift.plan.transaction, drift.live.generation);
    // Whatever has come between, and whatever the reading has spared: all of it is compared once.
    if (done || done.error().code == Errc::conflict) done = keeper_.repair();
    if (!done) {
      ++counters_.failed_repairs;
      report_.event("repair-failed", "the ruleset cannot be repaired: " + done.error().to_string(), {});
      look_again_ = true;
      return;
    }
    counters_.last_repair_us = static_cast<std::uint64_t>(core::monotonic_us() - seen_us);
    counters_.in_force = true;
    ++counters_.repairs;
    report_.event("repaired",
                  fmt::format("the ruleset is {} again, after {:.1f} ms", keeper_.desired_name(),
                              static_cast<double>(counters_.last_repair_us) / 1e3),
                  {});
  }

  void foreign_table(const std::string& name, const std::string& culprit) {
    ++counters_.new_tables;
    report_.event("foreign-table", fmt::format("the table {} has appeared; by {}", name, culprit),
                  {{"table", name}});
    const core::Status done = policy_.remove_tables ? keeper_.delete_table(name) : core::Status();
    if (!done) report_.event("repair-failed", "it cannot be removed: " + done.error().to_string(), {});
    if (!policy_.remove_tables || !done) keeper_.accept_tables({name});  // told once
  }

  core::UniqueFd try_lock() const { return keeper_.journal().try_lock(); }

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
    take_commits();
    look_again_ = true;
  }

  bool take_command(Client& c, const std::string& line) {
    if (line == "lend") {
      c.waits = is_lent();
      return c.waits || lend(c);
    }
    if (line == "bans") {
      std::string out;
      for (const Ban& b : bans_.all(core::monotonic_us())) {
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
      if (!bans_.has(*address, core::monotonic_us())) return answer(c, "no: it is not banned\n");
      const core::Status done = lift(*address);
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

  // --- bans ---
  void spare() {
    std::vector<Spared> all = spared_by(*o_.site);
    for (Spared& s : spared_here()) all.push_back(std::move(s));
    bans_.spare(std::move(all));
    spared_us_ = core::monotonic_us();
  }
  const KernelSet* ban_set(const core::IpAddress& a) const {
    return keeper_.desired() ? keeper_.desired()->find_set(a.is_v4() ? kBanned4 : kBanned6) : nullptr;
  }
  Transaction transaction() const {
    Transaction out;
    out.table = std::string(kTableName);
    return out;
  }
  static KernelSet of_one(const KernelSet& set, const core::IpAddress& a) {
    KernelSet out = set;
    KernelElement e;
    e.first.assign(a.view().begin(), a.view().end());
    e.last = e.first;
    out.elements = {e};
    return out;
  }
  core::Status lift(const core::IpAddress& a) {
    const KernelSet* set = ban_set(a);
    if (set == nullptr) return fail(Errc::not_found, "the ruleset has no set of bans");
    Transaction all = transaction();
    all.operations.emplace_back(DeleteElements{of_one(*set, a)});
    GH_CHECK(keeper_.writer().commit(all, std::nullopt));
    bans_.remove(a);
    return {};
  }
  core::Status ban(const core::BanRequest& request, const std::string& who) {
    const std::int64_t now = core::monotonic_us();
    GH_CHECK(bans_.allowed(request.address, now));
    const KernelSet* set = ban_set(request.address);
    if (set == nullptr) return fail(Errc::not_found, "the ruleset in force has no set of bans");
    const auto order = bans_.order(request, now);
    if (!order) return {};
    const core::ByteView bytes = request.address.view();
    const AddTimed add{*set, Bytes(bytes.begin(), bytes.end()), order->time_ms, who};
    Transaction all = transaction();
    if (order->is_there) all.operations.emplace_back(DeleteElements{of_one(*set, request.address)});
    all.operations.emplace_back(add);
    core::Status done = keeper_.writer().commit(all, std::nullopt);
    if (!done) {
      // The kernel's set and our memory differ: of a guard before us, or somebody has emptied it.
      all.operations.clear();
      if (!order->is_there) all.operations.emplace_back(DeleteElements{of_one(*set, request.address)});
      all.operations.emplace_back(add);
      done = keeper_.writer().commit(all, std::nullopt);
    }
    if (!done) return done;
    bans_.add({request.address, now + std::int64_t{request.seconds} * 1'000'000, request.reason, who});
    ++counters_.bans;
    report_.event("ban",
                  fmt::format("{} is banned for {} s, asked by {}: {}", request.address.to_string(),
                              request.seconds, who, request.reason),
                  {{"address", request.address.to_string()},
                   {"by", who},
                   {"reason", request.reason},
                   {"event", request.event}});
    return {};
  }
  bool take_ban(Client& c, const std::string& line) {
    core::BanReply reply;
    const auto request = core::parse_ban_request(line);
    const core::Status done = request ? ban(*request, c.who) : tl::make_unexpected(request.error());
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
    if (look_again_ && !is_lent() && now - looked_us_ > kTick_ms * 1000) {
      look_again_ = false;
      looked_us_ = now;
      check(std::nullopt, "somebody", now);
    }
    if (now - spared_us_ > kSparedEvery_us) spare();
    if (now - metrics_us_ > kMetricsEvery_us) write_metrics();
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
    look_again_ = true;
  }

  void write_metrics() {
    metrics_us_ = core::monotonic_us();
    if (o_.metrics_file.empty()) return;
    counters_.active_bans = bans_.all(core::monotonic_us()).size();
    const auto live = keeper_.counters();
    std::vector<RuleCount> rules;
    if (live && live->table) rules = counts_of(*live->table);
    if (live) counters_.generation = live->generation;
    if (live && keeper_.desired())
      counters_.in_force =
          !make_plan(live->table ? &*live->table : nullptr, *keeper_.desired()).changes_effect();
    const core::Status done = core::write_file_atomic(o_.metrics_file, metrics_text(counters_, rules), 0644);
    if (!done) core::log_warning("{}", done.error().to_string());
  }

  const GuardOptions& o_;
  const site::Guard& policy_;
  TableKeeper keeper_;
  RulesetWatch watch_;
  Bans bans_;
  Reporter report_;
  core::UniqueFd ban_listener_, control_listener_, signals_;
  std::optional<gid_t> ban_group_;
  std::vector<Client> clients_;
  GuardCounters counters_;
  std::optional<Entry> pending_;
  const std::string boot_ = boot_id();
  std::int64_t journal_changed_ = 0, metrics_us_ = 0, spared_us_ = 0, looked_us_ = 0;
  bool look_again_ = false;
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
