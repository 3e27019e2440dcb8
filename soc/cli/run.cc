// `socfwd run`: one thread per receiver; the main thread watches the spool, gives segments back and
// waits for signals.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <thread>

#include "core/log.h"
#include "core/os.h"
#include "hardening/api.h"
#include "soc/cli/verbs.h"
#include "soc/sinks/forwarder.h"
#include "soc/spool/segments.h"

namespace gatehouse::soc {

namespace {

constexpr int kHousekeepingMs = 500;
constexpr int kOncePollMs = 20;
constexpr unsigned kCapDacOverride = 1;

std::string parent_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

core::Status fence_in(const ForwardPlan& plan) {
  hardening::SandboxSpec spec;
  spec.name = "socfwd";
  // As root: the streams belong to whatever accounts their writers run under.
  spec.keep_capabilities = {kCapDacOverride};
  spec.read_write = {plan.spool, plan.state};
  std::set<std::string> read_only;
  std::vector<std::uint16_t> ports;
  for (const SinkSettings& sink : plan.sinks) {
    const site::Receiver& r = sink.receiver;
    if (r.kind == site::ReceiverKind::file) {
      spec.read_write.push_back(parent_of(r.path));
    } else {
      ports.push_back(r.port);
      // Directories, because a renewed certificate is a new file; read at each connect.
      for (const std::string* path : {&r.ca, &r.certificate, &r.key}) read_only.insert(parent_of(*path));
    }
  }
  spec.read_only.assign(read_only.begin(), read_only.end());
  spec.tcp_connect = ports;
  spec.tcp_bind.emplace();
  spec.seccomp = "socfwd";
  GH_TRY(const hardening::SandboxReport report, hardening::sandbox_self(spec));
  core::log_info("{}", report.to_string());
  return {};
}

// Two forwarders with the same cursors would undo each other's progress.
core::Result<core::UniqueFd> lock_state(const std::string& state) {
  const std::string path = state + "/lock";
  core::UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!lock.valid()) return core::fail_errno(errno, "cannot open " + path);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return core::fail(core::Errc::conflict, "another socfwd works with " + state);
  }
  return lock;
}

core::Status prepare_directories(const ForwardPlan& plan) {
  GH_CHECK(core::make_directories(plan.spool, 0750));
  GH_CHECK(core::make_directories(plan.state, 0750));
  for (const SinkSettings& sink : plan.sinks) {
    if (sink.receiver.kind == site::ReceiverKind::file)
      GH_CHECK(core::make_directories(parent_of(sink.receiver.path), 0750));
  }
  return {};
}

class Watch {
 public:
  static core::Result<Watch> open(const std::string& spool) {
    Watch watch;
    watch.fd_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!watch.fd_.valid()) return core::fail_errno(errno, "inotify");
    watch.spool_ = spool;
    return watch;
  }
  int fd() const { return fd_.get(); }
  // Adds streams that have appeared; without a watch the periodic look still finds their events.
  void refresh() {
    const auto streams = list_streams(spool_);
    if (!streams) return;
    for (const std::string& stream : *streams) {
      if (!watched_.insert(stream).second) continue;
      (void)::inotify_add_watch(fd_.get(), stream_directory(spool_, stream).c_str(), IN_MODIFY | IN_CREATE);
    }
  }
  void drain() const {
    std::array<char, 4096> ignored;
    while (::read(fd_.get(), ignored.data(), ignored.size()) > 0) {
    }
  }

 private:
  core::UniqueFd fd_;
  std::string spool_;
  std::set<std::string> watched_;
};

// A segment goes when every receiver's cursor on disk has left it.
void give_back(const std::string& spool, const std::vector<std::unique_ptr<Forwarder>>& forwarders) {
  const auto streams = list_streams(spool);
  if (!streams) return;
  std::vector<std::map<std::string, std::uint64_t>> saved;
  for (const auto& forwarder : forwarders) saved.push_back(forwarder->saved_segments());
  for (const std::string& stream : *streams) {
    std::uint64_t least = UINT64_MAX;
    for (const auto& one : saved) {
      const auto at = one.find(stream);
      least = std::min(least, at == one.end() ? 0 : at->second);
    }
    if (const auto removed = remove_segments_below(stream_directory(spool, stream), least); !removed) {
      core::log_warning("{}", removed.error().to_string());
    }
  }
}

core::Result<core::UniqueFd> block_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, number);
  if (::pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) return core::fail_errno(errno, "sigprocmask");
  ::signal(SIGPIPE, SIG_IGN);
  core::UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return core::fail_errno(errno, "signalfd");
  return fd;
}

}  // namespace

core::Result<int> run_verb(const core::Args& args) {
  GH_TRY(const ForwardPlan plan, load_plan(args));
  GH_TRY(const std::uint64_t heartbeat_s, args.uint("--heartbeat", 60, 0, 86'400));
  GH_TRY(const std::uint64_t give_up_s, args.uint("--give-up", 10, 1, 86'400));
  const bool once = args.has("--once");
  GH_CHECK(prepare_directories(plan));
  GH_TRY(const core::UniqueFd lock, lock_state(plan.state));
  std::vector<std::unique_ptr<Forwarder>> forwarders;
  for (const SinkSettings& settings : plan.sinks) {
    GH_TRY(auto sink, make_sink(settings));
    ForwardSettings forward;
    forward.spool = plan.spool;
    forward.state = plan.state;
    forward.heartbeat_us = static_cast<std::int64_t>(heartbeat_s) * 1'000'000;
    forward.give_up_us = static_cast<std::int64_t>(give_up_s) * 1'000'000;
    forward.once = once;
    forwarders.push_back(std::make_unique<Forwarder>(settings.receiver.name, std::move(sink), forward));
  }
  GH_TRY(const core::UniqueFd signals, block_signals());
  GH_TRY(Watch watch, Watch::open(plan.spool));
  if (plan.sandbox) GH_CHECK(fence_in(plan));

  std::vector<std::unique_ptr<Signal>> wake;
  std::vector<core::Status> outcome(forwarders.size());
  std::atomic<std::size_t> ended = 0;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < forwarders.size(); ++i) wake.push_back(std::make_unique<Signal>());
  for (std::size_t i = 0; i < forwarders.size(); ++i) {
    threads.emplace_back([&, i] {
      outcome[i] = forwarders[i]->run(*wake[i]);
      ++ended;
    });
  }
  core::log_info("forwarding {} to {} receiver{}", plan.spool, forwarders.size(),
                 forwarders.size() == 1 ? "" : "s");
  for (bool stop = false; !stop && ended < forwarders.size();) {
    std::array<pollfd, 2> fds = {pollfd{signals.get(), POLLIN, 0}, pollfd{watch.fd(), POLLIN, 0}};
    (void)::poll(fds.data(), fds.size(), once ? kOncePollMs : kHousekeepingMs);
    if ((fds[0].revents & POLLIN) != 0) {
      signalfd_siginfo info{};
      if (::read(signals.get(), &info, sizeof info) == sizeof info) stop = info.ssi_signo != SIGHUP;
    }
    watch.drain();
    watch.refresh();
    for (const auto& one : wake) one->notify();
    give_back(plan.spool, forwarders);
  }
  for (const auto& one : wake) one->stop();
  for (std::thread& thread : threads) thread.join();
  give_back(plan.spool, forwarders);
  for (std::size_t i = 0; i < outcome.size(); ++i) {
    if (!outcome[i]) {
      return core::fail(outcome[i].error().code,
                        "receiver " + plan.sinks[i].receiver.name + ": " + outcome[i].error().text);
    }
  }
  return core::kExitDone;
}

}  // namespace gatehouse::soc
