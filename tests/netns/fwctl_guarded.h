// A guard on a machine of its own.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>

#include "core/ban.h"
#include "tests/netns/fwctl_machine.h"

namespace gatehouse::test {

// A machine with a guard that the test starts and stops, and who asks it.
class OnGuardedMachine : public OnMachine {
 protected:
  void TearDown() override { stop(SIGTERM); }

  void start(const std::string& options, std::string site = {}) {
    if (site.empty()) site = m_->site();
    ASSERT_FALSE(site.empty());
    const std::size_t before = told().size();
    guard_ = m_->start("guard " + options + " " + site);
    const std::int64_t until = core::monotonic_us() + 10'000'000;
    while (told().find("guarding ", before) == std::string::npos && core::monotonic_us() < until) {
      if (waitpid(guard_, nullptr, WNOHANG) != 0) FAIL() << "the guard ended: " << told();
      usleep(10'000);
    }
    ASSERT_NE(told().find("guarding ", before), std::string::npos) << told();
  }
  void stop(int signal) {
    if (guard_ <= 0) return;
    kill(guard_, signal);
    int status = 0;
    waitpid(guard_, &status, 0);
    if (signal == SIGTERM) {
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << told();
    }
    guard_ = -1;
  }
  std::string told() const {
    const auto text = core::read_file(m_->directory() + "/log");
    return text ? *text : "";
  }
  Output nft(const std::string& command) { return m_->run("nft " + command); }

  // To a socket of the guard; what it says is waited for two seconds.
  core::UniqueFd connected(const std::string& name) const {
    core::UniqueFd out(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience{2, 0};
    setsockopt(out.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    const std::string path = m_->directory() + "/" + name;
    std::memcpy(at.sun_path, path.c_str(), path.size());
    EXPECT_EQ(connect(out.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0) << path;
    return out;
  }
  static void say(const core::UniqueFd& fd, const std::string& text) {
    (void)!send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  // What comes next; "closed" or "silence" when nothing does.
  static std::string heard(const core::UniqueFd& fd) {
    char buffer[4096];
    const ssize_t got = recv(fd.get(), buffer, sizeof buffer, 0);
    if (got > 0) return {buffer, static_cast<std::size_t>(got)};
    return got < 0 && errno == EAGAIN ? "silence" : "closed";
  }
  // As a detector asks: through the socket.
  core::BanReply ban(const core::UniqueFd& fd, const std::string& address, std::uint32_t seconds,
                     const std::string& reason = "scan.port, \"quoted\"") const {
    core::BanRequest request;
    request.address = *core::IpAddress::parse(address);
    request.seconds = seconds;
    request.reason = reason;
    say(fd, core::to_line(request));
    const auto reply = core::parse_ban_reply(heard(fd));
    EXPECT_TRUE(reply) << reply.error().to_string();
    return reply.value_or(core::BanReply{});
  }
  core::BanReply ban(const std::string& address, std::uint32_t seconds) const {
    return ban(connected("guard.sock"), address, seconds);
  }

  pid_t guard_ = -1;
};

}  // namespace gatehouse::test
