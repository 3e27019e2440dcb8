#include "ids/flow/defrag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ids/decode/testing/collector.h"
#include "ids/flow/packet_path.h"

namespace gatehouse::ids {
namespace {

using namespace testing;  // packet builder, collector
using ::testing::Contains;
using ::testing::IsEmpty;

// Remembers the text of whole packets: views do not outlive the callback.
struct Watch : PacketHandler {
  void on_packet(Packet& packet) override {
    for (const auto& name : event_names(packet)) events.push_back(name);
    if (!packet.fragment) texts.emplace_back(core::as_text(packet.ip_payload));
  }
  std::vector<std::string> texts, events;
};

Bytes piece(std::uint16_t offset, bool more, std::string_view text, std::uint16_t id = 7) {
  IpFields fields;
  fields.protocol = 253;  // no header of its own: the payload is the text
  fields.id = id;
  fields.fragment = static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000 : 0));
  return ethernet_ip(ipv4(fields, from_text(text)));
}

struct Feeder {
  explicit Feeder(DefragOptions options = {}) : path(DecoderOptions{}, std::move(options)) {}
  Feeder& feed(const Bytes& frame, std::int64_t seconds = 0) {
    path.process(raw_packet(frame, seconds * 1'000'000, ++number), watch);
    return *this;
  }
  PacketPath path;
  Watch watch;
  std::uint64_t number = 0;
};

TEST(Defrag, PutsPiecesTogether) {
  Feeder run;
  run.feed(piece(8, false, "world")).feed(piece(0, true, "hello...")).feed(piece(0, false, "other", 8));
  EXPECT_THAT(run.watch.texts, ::testing::ElementsAre("hello...world", "other"));
  EXPECT_THAT(run.watch.events, IsEmpty());
  EXPECT_EQ(run.path.defrag().counters().ipv4_reassembled, 1U);
}

struct PolicyRow {
  const char* name;
  OsPolicy policy;
  const char* expected;
};
void PrintTo(const PolicyRow& row, std::ostream* out) {
  *out << row.name;
}
class FragmentPolicies : public ::testing::TestWithParam<PolicyRow> {};

// The held piece "22222222" at 8 meets: one that begins before and ends inside it (1), the same
// range again (3), and one that begins inside and ends after (4).
TEST_P(FragmentPolicies, DecideOverlaps) {
  DefragOptions options;
  options.policies.fallback = GetParam().policy;
  Feeder run(options);
  run.feed(piece(8, true, "2222222222222222"));
  run.feed(piece(0, true, "1111111111111111"));
  run.feed(piece(8, true, "3333333333333333"));
  run.feed(piece(16, true, "4444444444444444"));
  run.feed(piece(32, false, "end"));
  ASSERT_EQ(run.watch.texts.size(), 1U);
  EXPECT_EQ(run.watch.texts[0], std::string(GetParam().expected) + "end");
  EXPECT_THAT(run.watch.events, Contains("ipv4.frag_overlap"));
}

const PolicyRow kPolicies[] = {
    {"first", OsPolicy::first, "11111111222222222222222244444444"},
    {"last", OsPolicy::last, "11111111333333334444444444444444"},
    {"bsd", OsPolicy::bsd, "11111111111111112222222244444444"},
    {"linux_like", OsPolicy::linux_, "11111111111111113333333344444444"},
    {"windows", OsPolicy::windows, "11111111222222222222222244444444"},
};
INSTANTIATE_TEST_SUITE_P(All, FragmentPolicies, ::testing::ValuesIn(kPolicies),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Defrag, TeardropIsAnOverlap) {
  Feeder run;
  run.feed(piece(0, true, std::string(32, 'a'))).feed(piece(24, false, "bb"));
  EXPECT_THAT(run.watch.events, Contains("ipv4.frag_overlap"));
  EXPECT_THAT(run.watch.texts, IsEmpty());
}

TEST(Defrag, EndsThatDisagreeAreRefused) {
  Feeder run;
  run.feed(piece(16, false, "the end"))
      .feed(piece(24, false, "no, here"))
      .feed(piece(0, true, std::string(16, 'a')));
  ASSERT_EQ(run.watch.texts.size(), 1U);
  EXPECT_EQ(run.watch.texts[0], std::string(16, 'a') + "the end");
}

TEST(Defrag, PingOfDeathIsTooLarge) {
  Feeder run;
  run.feed(piece(65'528, false, std::string(100, 'x')));
  EXPECT_THAT(run.watch.events, Contains("ipv4.frag_pkt_too_large"));
  EXPECT_EQ(run.path.defrag().counters().active, 0U);
}

TEST(Defrag, TimeGivesUp) {
  Feeder run;
  run.feed(piece(0, true, "hello..."), 0).feed(piece(8, false, "late"), 60);
  EXPECT_THAT(run.watch.texts, IsEmpty());
  EXPECT_EQ(run.path.defrag().counters().timeouts, 1U);
}

TEST(Defrag, MemoryIsBounded) {
  DefragOptions options;
  options.memcap_bytes = 200'000;
  options.max_fragments = 10;
  Feeder run(options);
  for (std::uint16_t id = 0; id < 500; ++id) {
    run.feed(piece(1400, true, std::string(1400, 'x'), id));
    EXPECT_LE(run.path.defrag().counters().memuse, options.memcap_bytes);
  }
  EXPECT_GT(run.path.defrag().counters().evicted, 0U);
  for (std::uint16_t i = 0; i < 20; ++i)
    run.feed(piece(static_cast<std::uint16_t>(16 * i), true, "12345678", 600));
  EXPECT_GT(run.path.defrag().counters().max_fragments_hits, 0U);
  EXPECT_THAT(run.watch.events, Contains("ipv4.frag_ignored"));
}

TEST(Defrag, TunnelInsideFragmentsIsOpened) {
  IpFields inner;
  inner.protocol = 17;
  IpFields outer;
  outer.protocol = 4;
  const auto parts = fragments(ipv4(outer, ipv4(inner, udp(1, 53, from_text(std::string(100, 'q'))))), 64);
  PacketPath path{DecoderOptions{}, DefragOptions{}};
  PacketCollector collector;
  for (const Bytes& part : parts) path.process(raw_packet(ethernet_ip(part)), collector);
  ASSERT_EQ(collector.packets.size(), parts.size() + 2);
  EXPECT_EQ(collector.packets.back().destination_port, 53);
  EXPECT_EQ(collector.packets.back().origin, PacketOrigin::tunnel);
  EXPECT_EQ(collector.packets[parts.size()].origin, PacketOrigin::defrag);
}

TEST(OsPolicies, LongestPrefixWins) {
  OsPolicyMap map;
  map.fallback = OsPolicy::bsd;
  map.add(*core::IpPrefix::parse("0.0.0.0/0"), OsPolicy::windows);
  map.add(*core::IpPrefix::parse("10.0.0.0/8"), OsPolicy::linux_);
  EXPECT_EQ(map.of(*core::IpAddress::parse("10.1.2.3")), OsPolicy::linux_);
  EXPECT_EQ(map.of(*core::IpAddress::parse("192.0.2.1")), OsPolicy::windows);
  EXPECT_EQ(map.of(*core::IpAddress::parse("2001:db8::1")), OsPolicy::bsd);
  EXPECT_EQ(find_os_policy("bsd-right"), OsPolicy::bsd_right);
  EXPECT_FALSE(find_os_policy("beos"));
}

}  // namespace
}  // namespace gatehouse::ids
