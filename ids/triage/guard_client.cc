#include "ids/triage/guard_client.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>

#include "core/log.h"

namespace gatehouse::ids::triage {
namespace {

using core::Errc;
using core::fail;
using core::Result;

constexpr timeval kReplyWithin{2, 0};
constexpr auto kRetryAfter = std::chrono::milliseconds(500);

}  // namespace

GuardClient::~GuardClient() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

bool GuardClient::ask(core::BanRequest request) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= kMostWaiting) {
    ++counters_.overflow;
    return false;
  }
  waiting_.push_back({std::move(request), core::monotonic_us()});
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_all();
  return true;
}

GuardCounters GuardClient::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void GuardClient::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const Waiting first = waiting_.front();
    lock.unlock();
    const Delivery delivery = deliver(first.request);
    lock.lock();
    const bool stale = core::monotonic_us() - first.since_us > patience_us_;
    if (delivery == Delivery::failed && !stale && !stopping_) {
      changed_.wait_for(lock, kRetryAfter, [this] { return stopping_; });
      continue;
    }
    if (delivery == Delivery::failed && stopping_) {
      counters_.undelivered += waiting_.size();
      return;
    }
    waiting_.pop_front();
    if (delivery == Delivery::accepted) ++counters_.accepted;
    if (delivery == Delivery::refused) ++counters_.refused;
    if (delivery == Delivery::failed) ++counters_.undelivered;
  }
}

GuardClient::Delivery GuardClient::deliver(const core::BanRequest& request) {
  const Result<core::BanReply> reply = exchange(request);
  if (!reply) {
    if (!complained_) core::log_warning("the firewall guard takes no bans: {}", reply.error().to_string());
    complained_ = true;
    return Delivery::failed;
  }
  if (complained_) core::log_info("the firewall guard at {} answers again", path_);
  complained_ = false;
  if (reply->ok) return Delivery::accepted;
  core::log_warning("the firewall guard refused to ban {}: {}", request.address.to_string(), reply->error);
  return Delivery::refused;
}

Result<core::BanReply> GuardClient::exchange(const core::BanRequest& request) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.empty() || path_.size() >= sizeof address.sun_path)
    return fail(Errc::invalid_input, "`" + path_ + "` is no path of a socket");
  std::memcpy(address.sun_path, path_.data(), path_.size());
  const core::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return core::fail_errno(errno, "socket");
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kReplyWithin, sizeof kReplyWithin);
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kReplyWithin, sizeof kReplyWithin);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return core::fail_errno(errno, "connect to " + path_);
  const std::string line = core::to_line(request);
  if (::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
    return core::fail_errno(errno, "write to " + path_);
  std::array<char, core::kMostBanLine> buffer{};
  std::size_t used = 0;
  constexpr std::int64_t kWholeReplyUs = 5'000'000;
  const std::int64_t until_us = core::monotonic_us() + kWholeReplyUs;
  while (used < buffer.size() && core::monotonic_us() < until_us) {
    const ssize_t n = ::recv(fd.get(), buffer.data() + used, buffer.size() - used, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return core::fail_errno(errno, "no reply at " + path_);
    used += static_cast<std::size_t>(n);
    if (n == 0 || buffer[used - 1] == '\n') break;
  }
  return core::parse_ban_reply({buffer.data(), used});
}

}  // namespace gatehouse::ids::triage
