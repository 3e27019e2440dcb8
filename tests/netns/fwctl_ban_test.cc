// What a ban does to packets: before, while it lasts, and afterwards.
#include <gmock/gmock.h>

#include <atomic>
#include <optional>
#include <thread>

#include "tests/netns/fwctl_guarded.h"
#include "tests/netns/fwctl_network.h"
#include "tests/netns/fwctl_packets.h"

namespace gatehouse::test {
namespace {

constexpr const char* kBannedSource = "198.51.100.66";
constexpr const char* kNeighbour = "198.51.100.67";

// The machine of the guard is the gatehouse of the test network.
class FwctlBan : public OnGuardedMachine {
 protected:
  void SetUp() override {
    std::string reason;
    if (!can_make_namespaces(reason)) GTEST_SKIP() << reason;
    auto built = Topology::build();
    ASSERT_TRUE(built) << built.error().to_string();
    topology_.emplace(std::move(*built));
    auto made = Machine::make(topology_->gatehouse.share());
    ASSERT_TRUE(made) << made.error().to_string();
    m_.emplace(std::move(*made));
  }
  std::optional<Topology> topology_;
};

// Two sources ask for the web server in turn, 100 times a second each, every time from another port.
class Askers {
 public:
  struct Packet {
    bool banned_source;
    std::uint16_t port;
    std::int64_t before_us, after_us;  // of its sending
  };

  explicit Askers(const Topology& t)
      : sender_(t.outside, "eth0"),
        gateway_(mac_of(t.gatehouse, "wan0")),
        watcher_(Watcher::on_wire(t.servers)),
        thread_([this] {
          for (std::uint16_t port = 2000; !stop_ && port < 40'000; ++port) {
            Packet p{port % 2 == 0, port, core::monotonic_us(), 0};
            sender_.send(gateway_, tcp_packet(p.banned_source ? kBannedSource : kNeighbour, "10.66.1.10",
                                              port, 80, kSyn));
            p.after_us = core::monotonic_us();
            sent_.push_back(p);
            usleep(5'000);
            watcher_.drain();  // its socket holds little more than a hundred packets
          }
        }) {}
  ~Askers() { finish(); }
  void finish() {
    if (stop_.exchange(true)) return;
    thread_.join();
    usleep(100'000);
    watcher_.drain();
  }
  // How many of the packets sent in this time have arrived, and how many there were.
  std::pair<int, int> passed(bool banned_source, std::int64_t from_us, std::int64_t until_us) const {
    std::pair<int, int> out;
    for (const Packet& p : sent_) {
      if (p.banned_source != banned_source || p.before_us < from_us || p.after_us > until_us) continue;
      ++out.second;
      out.first += watcher_.saw_port(p.port) ? 1 : 0;
    }
    return out;
  }

 private:
  FrameSender sender_;
  Mac gateway_;
  Watcher watcher_;
  std::atomic<bool> stop_ = false;
  std::vector<Packet> sent_;
  std::thread thread_;
};

TEST_F(FwctlBan, ASourcePassesBeforeAndAfterAndNeverMeanwhile) {
  constexpr std::int64_t kSecond = 1'000'000, kBanSeconds = 3;
  ASSERT_TRUE(topology_->outside.run("ip address add 198.51.100.66/24 dev eth0"));
  Listener web(topology_->servers, 443);
  start("");
  // Open before the ban: what is sent meanwhile arrives when it is over.
  const auto open = dial(topology_->outside, kBannedSource, "10.66.1.10", 443, 5000);
  ASSERT_TRUE(open);
  const std::vector<core::UniqueFd> served = web.take_all();
  ASSERT_EQ(served.size(), 1U);
  Askers askers(*topology_);
  usleep(1'000'000);
  const std::int64_t asked_us = core::monotonic_us();
  ASSERT_TRUE(ban(kBannedSource, kBanSeconds).ok);
  const std::int64_t banned_us = core::monotonic_us();
  ASSERT_EQ(::send(open->get(), "meanwhile", 9, MSG_NOSIGNAL), 9);
  usleep(kSecond);
  char arrived[16];
  EXPECT_EQ(recv(served[0].get(), arrived, sizeof arrived, MSG_DONTWAIT), -1) << "open connections stall";
  usleep(static_cast<useconds_t>(banned_us + (kBanSeconds + 2) * kSecond - core::monotonic_us()));
  askers.finish();
  const std::int64_t end_us = core::monotonic_us();
  // The kernel's clock for elements ticks 250 times a second at most.
  const auto before = askers.passed(true, 0, asked_us);
  const auto during = askers.passed(true, banned_us, asked_us + kBanSeconds * kSecond - 20'000);
  const auto after = askers.passed(true, banned_us + kBanSeconds * kSecond + 20'000, end_us);
  const auto neighbour = askers.passed(false, 0, end_us);
  std::printf(
      "the banned source: %d of %d packets before, %d of %d during, %d of %d after; another: %d of %d\n",
      before.first, before.second, during.first, during.second, after.first, after.second, neighbour.first,
      neighbour.second);
  for (const auto& phase : {before, during, after}) EXPECT_GT(phase.second, 10);
  EXPECT_EQ(before.first, before.second);
  EXPECT_EQ(during.first, 0);
  EXPECT_EQ(after.first, after.second);
  EXPECT_EQ(neighbour.first, neighbour.second);
  // TCP sends again what was lost, after 3.2 s or 6.4 s at the latest.
  const timeval patience{15, 0};
  setsockopt(served[0].get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  EXPECT_EQ(recv(served[0].get(), arrived, sizeof arrived, 0), 9);
}

}  // namespace
}  // namespace gatehouse::test
