#include "ids/capture/live.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>

#include "core/os.h"

namespace gatehouse::ids {
namespace {

// Runs `body` in a child that has a network namespace of its own with the loopback device up; the
// namespace goes with the child. The child's exit status is the number of failed expectations.
void in_own_network(const std::function<void()>& body) {
  if (geteuid() != 0) GTEST_SKIP() << "a network namespace of its own needs root";
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (unshare(CLONE_NEWNET) != 0) _exit(100);
    const core::UniqueFd fd(socket(AF_INET, SOCK_DGRAM, 0));
    ifreq request{};
    std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) _exit(100);
    body();
    _exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 100)
    GTEST_SKIP() << "this machine forbids network namespaces";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "failed in the child, see above";
}

void send_datagrams(unsigned count, std::uint16_t port) {
  const core::UniqueFd fd(socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (unsigned i = 0; i < count; ++i) {
    EXPECT_EQ(sendto(fd.get(), "knock", 5, 0, reinterpret_cast<sockaddr*>(&to), sizeof to), 5);
  }
}

struct Counter : PacketSink {
  void on_packet(const RawPacket& packet) override {
    ++packets;
    EXPECT_GT(packet.time_us, 1'600'000'000'000'000);
    EXPECT_LE(packet.data.size(), packet.wire_length);
  }
  unsigned packets = 0;
};

LiveOptions quick() {
  LiveOptions options;
  options.immediate = true;
  options.poll_ms = 20;
  options.buffer_bytes = 4 << 20;
  return options;
}

unsigned drain(Source& source, Counter& sink, unsigned wanted) {
  for (int round = 0; round < 100 && sink.packets < wanted; ++round) {
    const auto state = source.dispatch(sink, 64);
    EXPECT_TRUE(state);
    if (!state) break;
  }
  return sink.packets;
}

TEST(Live, SeesTrafficThroughTheFilter) {
  in_own_network([] {
    LiveOptions options = quick();
    options.filter = "udp dst port 5001";
    auto source = open_live("lo", options);
    ASSERT_TRUE(source) << source.error().to_string();
    Counter sink;
    const auto idle = (*source)->dispatch(sink, 1);
    ASSERT_TRUE(idle);
    EXPECT_EQ(*idle, SourceState::idle);
    send_datagrams(5, 5002);
    send_datagrams(5, 5001);
    // The loopback device shows each packet once as sent and once as received; libpcap drops one.
    EXPECT_EQ(drain(**source, sink, 5), 5U);
    EXPECT_EQ((*source)->counters().received, 5U);
    EXPECT_EQ((*source)->counters().kernel_drops, 0U);
  });
}

TEST(Live, FanoutGivesEachFrameToOneMember) {
  in_own_network([] {
    LiveOptions options = quick();
    options.filter = "udp";
    options.fanout = FanoutMode::hash;
    options.fanout_group = 77;
    auto first = open_live("lo", options);
    ASSERT_TRUE(first) << first.error().to_string();
    auto second = open_live("lo", options);
    ASSERT_TRUE(second) << second.error().to_string();
    for (std::uint16_t port = 5000; port < 5040; ++port) send_datagrams(1, port);
    Counter one, two;
    for (int round = 0; round < 20; ++round) {
      drain(**first, one, one.packets + 1);
      drain(**second, two, two.packets + 1);
      if (one.packets + two.packets >= 40) break;
    }
    EXPECT_EQ(one.packets + two.packets, 40U);
    EXPECT_GT(one.packets, 0U);
    EXPECT_GT(two.packets, 0U);
  });
}

TEST(Live, RefusalsNameTheInterface) {
  in_own_network([] {
    const auto missing = open_live("gh-none0", quick());
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, core::Errc::not_found);
    EXPECT_NE(missing.error().text.find("gh-none0"), std::string::npos);

    LiveOptions options = quick();
    options.filter = "udp dst prt 1";
    const auto filter = open_live("lo", options);
    ASSERT_FALSE(filter);
    EXPECT_EQ(filter.error().code, core::Errc::invalid_input);
    EXPECT_NE(filter.error().text.find("udp dst prt 1"), std::string::npos);

    options = quick();
    options.snaplen = 0;
    EXPECT_FALSE(open_live("lo", options));
  });
}

}  // namespace
}  // namespace gatehouse::ids
