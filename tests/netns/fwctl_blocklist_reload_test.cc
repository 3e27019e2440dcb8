// Large blocklists that change while packets come.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/netns/fwctl_network.h"
#include "tests/netns/fwctl_traffic.h"

namespace gatehouse::test {
namespace {

using namespace fwctl;

class FwctlBlocklistReload : public FwctlNetwork {
 protected:
  // `hosts` sources and 10,000 networks besides those given; sorted and disjoint, as loading leaves them.
  static site::Site listing(std::uint32_t hosts, std::uint32_t first, std::vector<site::AddressRange> more) {
    site::Site out = full_site();
    out.firewall.syn_per_second = 0;
    const auto v4 = [](std::uint32_t a) { return core::IpAddress::v4(a); };
    for (std::uint32_t i = 0; i < hosts; ++i)
      out.firewall.blocked.push_back({v4(first + i * 3), v4(first + i * 3)});
    for (std::uint32_t i = 0; i < 10'000; ++i)
      out.firewall.blocked.push_back({v4(0x50000000U + i * 512), v4(0x500000ffU + i * 512)});
    out.firewall.blocked.insert(out.firewall.blocked.end(), more.begin(), more.end());
    std::sort(out.firewall.blocked.begin(), out.firewall.blocked.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    return out;
  }
  static site::AddressRange range(const char* first, const char* last) {
    return {*core::IpAddress::parse(first), *core::IpAddress::parse(last)};
  }
  bool web_answers(const char* source) {
    return dial(topology_->outside, source, "10.66.1.10", 80, 1500).has_value();
  }
};

TEST_F(FwctlBlocklistReload, ListedSourcesNeverPassAndTheAcceptedFlowLosesNothing) {
  ASSERT_TRUE(topology_->outside.run("for i in 3 5 9; do ip address add 198.51.100.$i/24 dev eth0; done"));
  const Listener web(topology_->servers, 80);
  const site::AddressRange host = range("198.51.100.3", "198.51.100.3"),
                           net = range("198.51.100.4", "198.51.100.7"),
                           added = range("198.51.100.9", "198.51.100.9");
  constexpr std::uint32_t kFeed = 0x2d000000U;
  // Another part of the feed; then so much more that its set does not hold it any longer.
  const KernelTable one = table_of(listing(100'000, kFeed, {host, net}));
  const KernelTable other = table_of(listing(100'000, kFeed + 6000, {host, net, added}));
  const KernelTable large = table_of(listing(300'000, kFeed, {host, net, added}));
  ASSERT_FALSE(one.find_set("blocked-hosts-v4")->same_definition(*large.find_set("blocked-hosts-v4")));
  put(one);
  EXPECT_TRUE(web_answers("198.51.100.9"));
  for (const char* listed : {"198.51.100.3", "198.51.100.5"}) EXPECT_FALSE(web_answers(listed)) << listed;
  const std::vector<PacketBytes> refused = {
      tcp_packet("198.51.100.3", "10.66.1.10", kRefusedMarker, 80, kSyn),
      tcp_packet("198.51.100.5", "10.66.1.10", kRefusedMarker, 80, kSyn)};
  int leaks = 0, reloads = 0;
  {
    Traffic traffic(*topology_, refused);
    usleep(200'000);
    (void)traffic.leaked();
    const KernelTable* before = &one;
    for (int i = 0; i < 2; ++i) {
      for (const KernelTable* next : {&other, &large, &other, &one}) {
        put(*next);
        ++reloads;
        const bool leaked = traffic.leaked();
        leaks += leaked ? 1 : 0;
        if (leaked)
          std::printf("leaked from %zu to %zu hosts\n", before->find_set("blocked-hosts-v4")->elements.size(),
                      next->find_set("blocked-hosts-v4")->elements.size());
        before = next;
      }
    }
    put(other);
    traffic.finish();
    leaks += traffic.leaked() ? 1 : 0;
    std::printf(
        "%d reloads, %lu packets of listed sources, leaks after %d; accepted flow: %lu sent, %lu received\n",
        reloads, traffic.sent_refused(), leaks, traffic.sent_open(), traffic.received_open());
    EXPECT_GT(traffic.sent_refused(), 10'000U) << "the flood did not run";
    EXPECT_EQ(traffic.received_open(), traffic.sent_open());
  }
  EXPECT_EQ(leaks, 0);
  for (const char* listed : {"198.51.100.3", "198.51.100.5", "198.51.100.9"})
    EXPECT_FALSE(web_answers(listed)) << listed;
  EXPECT_TRUE(web_answers("198.51.100.2"));
  // The same packets without the list: they would have been seen.
  put(full_site());
  Traffic traffic(*topology_, refused);
  usleep(200'000);
  traffic.finish();
  EXPECT_TRUE(traffic.leaked());
}

}  // namespace
}  // namespace gatehouse::test
