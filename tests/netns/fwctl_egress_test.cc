// What the gatehouse itself may send, by the user of the program.
#include <gmock/gmock.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <thread>

#include "fwctl/prove/interpret.h"
#include "fwctl/replay/replay.h"
#include "tests/netns/fwctl_network.h"

namespace gatehouse::test {
namespace {

using ::testing::HasSubstr;

constexpr std::uint32_t kUpdater = 4711, kOther = 4712;

site::Site with_user(std::optional<std::uint32_t> user) {
  site::Site out = full_site();
  site::Flow flow = out.flows[0];
  flow.to = {};
  flow.to.zone = "outside";
  flow.ports = {out.services[0].ports[1], out.flows[1].ports[0]};  // tcp/443, udp/53
  flow.user = user;
  out.flows.push_back(flow);
  return out;
}

class FwctlEgress : public FwctlNetwork {
 protected:
  bool dial_as(std::uint32_t user, const char* source, const char* to) {
    setfsuid(user);
    // Only what goes out waits for neighbours to be found.
    const bool out = dial(topology_->gatehouse, source, to, 443, user == kUpdater ? 2500 : 300).has_value();
    setfsuid(geteuid());
    return out;
  }
};

TEST_F(FwctlEgress, OnlyTheUserOfTheFlowMaySend) {
  const site::Site site = with_user(kUpdater);
  put(site);
  EXPECT_EQ(proof(site), "holds");
  const Listener https(topology_->outside, 443);
  EXPECT_TRUE(dial_as(kUpdater, "198.51.100.1", "198.51.100.2"));
  EXPECT_TRUE(dial_as(kUpdater, "2001:db8:ff::1", "2001:db8:ff::2"));
  EXPECT_FALSE(dial_as(kOther, "198.51.100.1", "198.51.100.2"));
  EXPECT_FALSE(dial_as(0, "198.51.100.1", "198.51.100.2")) << "root is a user like any other";
  EXPECT_FALSE(dial_as(kOther, "2001:db8:ff::1", "2001:db8:ff::2"));
}

TEST_F(FwctlEgress, AnotherUserIsADifference) {
  const site::Site site = with_user(kUpdater);
  put(with_user(kOther));
  EXPECT_THAT(proof(site), HasSubstr("user 4711"));
  EXPECT_THAT(proof(site), HasSubstr("user 4712"));
  put(with_user(std::nullopt));
  EXPECT_THAT(proof(site), HasSubstr("the policy drops it, the ruleset accepts it"));
}

// The packet that shows it is sent by that user, and the kernel goes the same way.
TEST_F(FwctlEgress, TheKernelAgrees) {
  put(with_user(kUpdater));
  const auto live = kernel_->read_all();
  const auto copy = kernel_->copy();
  ASSERT_TRUE(live && copy);
  std::thread([&] {
    ASSERT_TRUE(fwctl::Replay::enter_namespace());
    auto replay = fwctl::Replay::make({{"wan0", 0}});
    ASSERT_TRUE(replay) << replay.error().to_string();
    ASSERT_TRUE(replay->load(*copy));
    for (const char* text : {"out wan0 tcp 198.51.100.1:4000 > 9.9.9.9:443 user 4711",
                             "out wan0 tcp 198.51.100.1:4000 > 9.9.9.9:443 user 4712",
                             "out wan0 udp [2001:db8:ff::1]:4000 > [2a00::1]:53 user 4711",
                             "out wan0 tcp 198.51.100.1:4000 > 9.9.9.9:443 user 0"}) {
      const auto packet = fwctl::prove::parse_packet(text, [](const std::string& name) { return name; });
      ASSERT_TRUE(packet) << packet.error().to_string();
      const auto kernel = replay->send(*packet);
      ASSERT_TRUE(kernel) << kernel.error().to_string();
      EXPECT_EQ(kernel->steps, fwctl::steps_of(fwctl::prove::interpret(*live, *packet))) << text;
      EXPECT_EQ(kernel->dropped, std::string(text).find("4711") == std::string::npos) << text;
    }
    // What is sent there is somebody's: a packet of nobody is refused, not taken for root's.
    const auto nobodys = fwctl::prove::parse_packet("out wan0 tcp 198.51.100.1:4000 > 9.9.9.9:443",
                                                    [](const std::string& name) { return name; });
    ASSERT_TRUE(nobodys);
    const auto refused = replay->send(*nobodys);
    EXPECT_FALSE(refused);
  }).join();
}

}  // namespace
}  // namespace gatehouse::test
