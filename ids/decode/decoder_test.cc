#include "ids/decode/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ids/decode/checksum.h"
#include "ids/decode/testing/collector.h"

namespace gatehouse::ids {
namespace {

using namespace testing;  // the packet builder
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<Packet> decode(const Bytes& frame, int link_type = kLinkEthernet, DecoderOptions options = {}) {
  Decoder decoder(std::move(options));
  PacketCollector collector;
  decoder.decode(raw_packet(frame, 1, 1, link_type), collector);
  return collector.packets;
}

IpFields v6(std::uint8_t protocol) {
  IpFields fields;
  fields.source = "2001:db8::1";
  fields.destination = "2001:db8::2";
  fields.protocol = protocol;
  return fields;
}
IpFields v4(std::uint8_t protocol) {
  IpFields fields;
  fields.protocol = protocol;
  return fields;
}

Bytes udp_frame(std::uint16_t port = 53, const Bytes& payload = from_text("question")) {
  return ipv4(v4(17), udp(40000, port, payload));
}

TEST(Decoder, TcpOverEthernet) {
  TcpFields fields;
  fields.sequence = 0x01020304;
  fields.acknowledgment = 0x05060708;
  fields.flags = kTcpSyn | kTcpAck;
  fields.window = 512;
  fields.options = from_hex("020405b4 0402 080a 00000001 00000002 01 030307");
  const Bytes frame = ethernet_ip(ipv4(v4(6), tcp(fields, from_text("hi"))));
  const auto packets = decode(frame);
  ASSERT_EQ(packets.size(), 1U);
  const Packet& p = packets[0];
  EXPECT_TRUE(p.is_tcp());
  EXPECT_EQ(p.source.to_string(), "192.0.2.1");
  EXPECT_EQ(p.destination.to_string(), "198.51.100.2");
  EXPECT_EQ(p.source_port, 40000);
  EXPECT_EQ(p.destination_port, 80);
  EXPECT_EQ(p.tcp.sequence, 0x01020304U);
  EXPECT_EQ(p.tcp.acknowledgment, 0x05060708U);
  EXPECT_EQ(p.tcp.mss, 1460);
  EXPECT_TRUE(p.tcp.sack_permitted);
  EXPECT_TRUE(p.tcp.has_timestamp);
  EXPECT_EQ(p.tcp.timestamp_echo, 2U);
  EXPECT_EQ(p.tcp.window_scale, 7);
  EXPECT_EQ(core::as_text(p.payload), "hi");
  EXPECT_EQ(p.ether_type, 0x0800);
  EXPECT_FALSE(p.bad_checksum);
  EXPECT_THAT(event_names(p), IsEmpty());
}

TEST(Decoder, LinkPaddingIsNotPayload) {
  Bytes frame = ethernet_ip(udp_frame(53, from_text("q")));
  frame.resize(60);
  const auto packets = decode(frame);
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_EQ(core::as_text(packets[0].payload), "q");
  EXPECT_THAT(event_names(packets[0]), IsEmpty());
}

TEST(Decoder, VlanTagsOuterToInner) {
  const auto packets = decode(ethernet(vlan_tag(100, vlan_tag(7, udp_frame()), 0x8100), 0x88a8));
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_EQ(packets[0].vlan_count, 2);
  EXPECT_EQ(packets[0].vlan[0], 100);
  EXPECT_EQ(packets[0].vlan[1], 7);
  EXPECT_TRUE(packets[0].is_udp());
}

struct LinkRow {
  const char* name;
  int link_type;
  const char* header;  // before an IPv4 packet, hex
};
void PrintTo(const LinkRow& row, std::ostream* out) {
  *out << row.name;
}
class LinkTypes : public ::testing::TestWithParam<LinkRow> {};

TEST_P(LinkTypes, ReachTheTransportHeader) {
  const auto packets = decode(from_hex(GetParam().header) + udp_frame(), GetParam().link_type);
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_TRUE(packets[0].is_udp());
  EXPECT_THAT(event_names(packets[0]), IsEmpty());
}

const LinkRow kLinkRows[] = {
    {"raw", 12, ""},
    {"raw_of_files", 101, ""},
    {"ipv4", 228, ""},
    {"null_little_endian", 0, "02000000"},
    {"loop_big_endian", 108, "00000002"},
    {"linux_sll", 113, "0000 0001 0006 020000000001 0000 0800"},
    {"linux_sll2", 276, "0800 0000 00000001 0001 00 06 0200000000010000"},
    {"ppp", 9, "ff03 0021"},
    {"ppp_compressed", 9, "21"},
    {"cisco_hdlc", 104, "0f00 0800"},
    {"pppoe", 1, "020000000002 020000000001 8864 11000001 0020 0021"},
    {"mpls", 1, "020000000002 020000000001 8847 00010140"},
    {"mpls_control_word", 1,
     "020000000002 020000000001 8847 00010140 00000000 020000000004 020000000003 0800"},
    {"vntag", 1, "020000000002 020000000001 8926 00000000 0800"},
    {"nsh", 1, "020000000002 020000000001 894f 0206 01 01 00000000 00000000000000000000000000000000"},
};
INSTANTIATE_TEST_SUITE_P(All, LinkTypes, ::testing::ValuesIn(kLinkRows),
                         [](const auto& row) { return std::string(row.param.name); });

struct EventRow {
  const char* name;
  Bytes frame;
  const char* event;
};
void PrintTo(const EventRow& row, std::ostream* out) {
  *out << row.name;
}
class DecodeEvents : public ::testing::TestWithParam<EventRow> {};

TEST_P(DecodeEvents, AreReported) {
  const auto packets = decode(GetParam().frame);
  ASSERT_FALSE(packets.empty());
  EXPECT_THAT(event_names(packets[0]), Contains(GetParam().event));
}

Bytes cut(Bytes bytes, std::size_t size) {
  bytes.resize(size);
  return bytes;
}
Bytes patched(Bytes bytes, std::size_t at, std::uint8_t value) {
  bytes[at] = value;
  return bytes;
}
Bytes with_options(const char* hex) {
  IpFields fields = v4(17);
  fields.options = from_hex(hex);
  return ethernet_ip(ipv4(fields, udp(1, 2, {})));
}
Bytes tcp_with_options(const char* hex) {
  TcpFields fields;
  fields.options = from_hex(hex);
  return ethernet_ip(ipv4(v4(6), tcp(fields)));
}
Bytes extension(std::uint8_t first, const char* hex) {
  return ethernet_ip(ipv6(v6(first), from_hex(hex) + udp(1, 2, {})));
}

std::vector<EventRow> event_rows() {
  const Bytes whole = ethernet_ip(udp_frame());
  const Bytes tcp_frame = ethernet_ip(ipv4(v4(6), tcp({})));
  return {
      {"ethernet_small", cut(whole, 10), "ethernet.pkt_too_small"},
      {"unknown_type", ethernet({1, 2, 3}, 0x1234), "ethernet.unknown_ethertype"},
      {"ipv4_small", cut(whole, 14 + 19), "ipv4.pkt_too_small"},
      {"ipv4_cut", cut(whole, whole.size() - 1), "ipv4.trunc_pkt"},
      {"ipv4_version", patched(whole, 14, 0x65), "ipv4.wrong_ip_version"},
      {"ipv4_header", patched(whole, 14, 0x44), "ipv4.hlen_too_small"},
      {"ipv4_length", patched(patched(whole, 16, 0), 17, 19), "ipv4.iplen_smaller_than_hlen"},
      {"ipv4_option_unknown", with_options("5f04 0000"), "ipv4.opt_unknown"},
      {"ipv4_option_length", with_options("0714 0400"), "ipv4.opt_invalid_len"},
      {"ipv4_option_twice", with_options("94040000 94040000"), "ipv4.opt_duplicate"},
      {"ipv4_option_route", with_options("07070300 00000000"), "ipv4.opt_malformed"},
      {"ipv4_option_end", with_options("01010107"), "ipv4.opt_eol_required"},
      {"ipv4_with_icmpv6", ethernet_ip(ipv4(v4(58), icmp(128, 0, 0))), "ipv4.icmpv6"},
      {"tcp_small", ethernet_ip(ipv4(v4(6), cut(tcp({}), 19))), "tcp.pkt_too_small"},
      {"tcp_header", patched(tcp_frame, 14 + 20 + 12, 0x40), "tcp.hlen_too_small"},
      {"tcp_header_long", patched(tcp_frame, 14 + 20 + 12, 0xf0), "tcp.invalid_optlen"},
      {"tcp_option_twice", tcp_with_options("020405b4 020405b4"), "tcp.opt_duplicate"},
      {"tcp_option_length", tcp_with_options("0200 0000"), "tcp.opt_invalid_len"},
      {"udp_small", ethernet_ip(ipv4(v4(17), {0, 1, 0, 2})), "udp.hlen_too_small"},
      {"udp_long", patched(whole, 14 + 20 + 4, 9), "udp.pkt_too_small"},
      {"udp_short", patched(whole, 14 + 20 + 5, 9), "udp.len_invalid"},
      {"icmpv4_small", ethernet_ip(ipv4(v4(1), {8, 0, 0, 0})), "icmpv4.pkt_too_small"},
      {"icmpv4_type", ethernet_ip(ipv4(v4(1), icmp(250, 0, 0))), "icmpv4.unknown_type"},
      {"icmpv4_code", ethernet_ip(ipv4(v4(1), icmp(8, 9, 0))), "icmpv4.unknown_code"},
      {"icmpv4_quote", ethernet_ip(ipv4(v4(1), icmp(3, 1, 0, {0x45, 0}))), "icmpv4.ipv4_trunc_pkt"},
      {"icmpv6_type", ethernet_ip(ipv6(v6(58), icmp(254, 0, 0))), "icmpv6.unknown_type"},
      {"icmpv6_mld", ethernet_ip(ipv6(v6(58), icmp(131, 0, 0))), "icmpv6.mld_message_with_invalid_hl"},
      {"ipv6_small", cut(ethernet_ip(ipv6(v6(17), udp(1, 2, {}))), 14 + 39), "ipv6.pkt_too_small"},
      {"ipv6_cut", cut(ethernet_ip(ipv6(v6(17), udp(1, 2, {}))), 14 + 47), "ipv6.trunc_pkt"},
      {"ipv6_no_header", ethernet_ip(ipv6(v6(0), {})), "ipv6.trunc_exthdr"},
      {"ipv6_hop_by_hop_twice", extension(0, "0000 0104 00000000 1100 0104 00000000"), "ipv6.exthdr_dupl_hh"},
      {"ipv6_padding_only", extension(0, "1100 0104 00000000"), "ipv6.hopopts_only_padding"},
      {"ipv6_pad_zero", extension(0, "1100 0100 01020000"), "ipv6.zero_len_padn"},
      {"ipv6_unknown_option", extension(60, "1100 1e04 00000000"), "ipv6.dstopts_unknown_opt"},
      {"ipv6_option_length", extension(60, "1100 1e40 00000000"), "ipv6.exthdr_invalid_optlen"},
      {"ipv6_routing_zero", extension(43, "1100 0000 00000000"), "ipv6.rh_type_0"},
      {"ipv6_atomic", extension(44, "1100 0000 00000001"), "ipv6.exthdr_useless_fh"},
      {"ipv6_fragment_reserved", extension(44, "11ff 0000 00000001"), "ipv6.fh_non_zero_reserved_field"},
      {"ipv6_fragment_length", ethernet_ip(ipv6(v6(44), from_hex("1100 0001 00000001 aabbcc"))),
       "ipv6.frag_invalid_length"},
      {"ipv6_ah_reserved", extension(51, "1104 0001 00000001 00000001 000000000000000000000000"),
       "ipv6.exthdr_ah_res_not_null"},
      {"ipv6_after_none", ethernet_ip(ipv6(v6(59), {1})), "ipv6.data_after_none_header"},
      {"ipv6_unknown_next", ethernet_ip(ipv6(v6(253), {1})), "ipv6.unknown_next_header"},
      {"ipv6_with_icmpv4", ethernet_ip(ipv6(v6(1), icmp(8, 0, 0))), "ipv6.icmpv4"},
      {"vlan_small", ethernet({0, 1, 8}, 0x8100), "vlan.header_too_small"},
      {"vlan_deep",
       ethernet(vlan_tag(1, vlan_tag(2, vlan_tag(3, vlan_tag(4, udp_frame()), 0x8100), 0x8100), 0x8100),
                0x8100),
       "vlan.too_many_layers"},
      {"gre_small", ethernet_ip(ipv4(v4(47), {0, 0})), "gre.pkt_too_small"},
      {"gre_version", ethernet_ip(ipv4(v4(47), from_hex("0002 0800"))), "gre.wrong_version"},
      {"pppoe_code", ethernet(from_hex("1109 0001 0000"), 0x8864), "pppoe.wrong_code"},
      {"arp_small", ethernet({0, 1}, 0x0806), "arp.pkt_too_small"},
      {"mpls_cut", ethernet({0, 1}, 0x8847), "mpls.header_too_small"},
      {"sctp_small", ethernet_ip(ipv4(v4(132), {0, 1})), "sctp.pkt_too_small"},
      {"esp_small", ethernet_ip(ipv4(v4(50), {0, 1})), "esp.pkt_too_small"},
  };
}
INSTANTIATE_TEST_SUITE_P(All, DecodeEvents, ::testing::ValuesIn(event_rows()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Decoder, EventNamesAreFound) {
  for (DecodeEvent i = 0; i < decode_event::kCount; ++i)
    EXPECT_EQ(find_decode_event(decode_event_name(i)), i);
  EXPECT_EQ(decode_event_name(decode_event::ipv4_trunc_pkt), "ipv4.trunc_pkt");
  EXPECT_FALSE(find_decode_event("ipv4.trunc"));
}

// Whatever is cut off a frame: every view stays inside, and nothing reads past the end (asan).
TEST(Decoder, CutAtEveryByte) {
  const Bytes inner = ethernet_ip(udp_frame());
  const Bytes frames[] = {
      tcp_with_options("020405b4 0402080a 0000000100000002 01030307"),
      ethernet(vlan_tag(1, udp_frame())),
      extension(0, "3c00 0104 00000000 2b00 1e04 00000000 1100 0000 00000000"),
      ethernet_ip(ipv4(v4(1), icmp(3, 1, 0, udp_frame()))),
      ethernet_ip(ipv4(v4(47), from_hex("0000 6558") + inner)),
      ethernet_ip(udp_frame(4789, from_hex("08000000 00000100") + inner)),
      ethernet_ip(udp_frame(6081, from_hex("00006558 00000100") + inner)),
      ethernet_ip(udp_frame(3544, ipv6(v6(17), udp(1, 2, {})))),
      ethernet_ip(ipv4(v4(41), ipv6(v6(6), tcp({})))),
  };
  for (const Bytes& frame : frames) {
    for (std::size_t size = 0; size <= frame.size(); ++size) {
      // A copy of exactly this size, so that asan sees one byte too far.
      const Bytes part(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
      for (const Packet& packet : decode(part)) expect_views_inside(packet);
    }
  }
}

TEST(Decoder, TunnelsAreHandedOverAfterTheirOuterPacket) {
  struct Row {
    Bytes frame;
    TunnelKind kind;
  };
  const Bytes inner = ethernet_ip(udp_frame(123));
  const Row rows[] = {
      {ethernet_ip(ipv4(v4(4), udp_frame(123))), TunnelKind::ipv4},
      {ethernet_ip(ipv4(v4(41), ipv6(v6(17), udp(1, 123, {})))), TunnelKind::ipv4},
      {ethernet_ip(ipv6(v6(4), udp_frame(123))), TunnelKind::ipv6},
      {ethernet_ip(ipv4(v4(47), from_hex("2000 0800 00000001") + udp_frame(123))), TunnelKind::gre},
      {ethernet_ip(ipv4(v4(47), from_hex("0000 88be") + inner)), TunnelKind::erspan},
      {ethernet_ip(ipv4(v4(47), from_hex("1000 88be 00000001 1001000000000000") + inner)),
       TunnelKind::erspan},
      {ethernet_ip(udp_frame(4789, from_hex("08000000 00000100") + inner)), TunnelKind::vxlan},
      {ethernet_ip(udp_frame(6081, from_hex("00006558 00000100") + inner)), TunnelKind::geneve},
      {ethernet_ip(udp_frame(3544, ipv6(v6(17), udp(1, 123, {})))), TunnelKind::teredo},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(static_cast<int>(row.kind));
    const auto packets = decode(row.frame);
    ASSERT_EQ(packets.size(), 2U);
    EXPECT_EQ(packets[0].tunnel_depth, 0);
    EXPECT_EQ(packets[1].tunnel_depth, 1);
    EXPECT_EQ(packets[1].origin, PacketOrigin::tunnel);
    EXPECT_EQ(packets[1].tunnel, row.kind);
    EXPECT_EQ(packets[1].destination_port, 123);
    expect_views_inside(packets[1]);
  }
}

TEST(Decoder, NestingIsBounded) {
  Bytes packet = udp_frame();
  for (int i = 0; i < 40; ++i) packet = ipv4(v4(4), packet);
  Decoder decoder{DecoderOptions{}};
  PacketCollector collector;
  decoder.decode(raw_packet(ethernet_ip(packet)), collector);
  EXPECT_EQ(collector.packets.size(), 9U);  // depth 0 to max_tunnel_depth
  EXPECT_THAT(event_names(collector.packets.back()), Contains("tunnel.too_many_layers"));
  EXPECT_EQ(decoder.counters().too_many_layers, 1U);
}

TEST(Decoder, IcmpErrorNamesTheFlowItIsAbout) {
  const auto packets = decode(ethernet_ip(ipv4(v4(1), icmp(3, 3, 0, udp_frame(53)))));
  ASSERT_EQ(packets.size(), 1U);
  const IcmpHeader& quoted = packets[0].icmp;
  EXPECT_EQ(quoted.embedded_version, 4);
  EXPECT_EQ(quoted.embedded_protocol, 17);
  EXPECT_EQ(quoted.embedded_destination.to_string(), "198.51.100.2");
  EXPECT_EQ(quoted.embedded_destination_port, 53);
}

TEST(Checksums, EachProtocolIsJudged) {
  const Bytes good[] = {
      ethernet_ip(ipv4(v4(6), tcp({}, from_text("x")))),
      ethernet_ip(ipv4(v4(17), udp(1, 2, from_text("xy")))),
      ethernet_ip(ipv4(v4(1), icmp(8, 0, 1, {1}))),
      ethernet_ip(ipv6(v6(6), tcp({}, from_text("x")))),
      ethernet_ip(ipv6(v6(17), udp(1, 2, from_text("x")))),
      ethernet_ip(ipv6(v6(58), icmp(128, 0, 1, {1}))),
  };
  for (const Bytes& frame : good) {
    EXPECT_FALSE(decode(frame)[0].bad_checksum);
    EXPECT_TRUE(decode(patched(frame, frame.size() - 1, frame.back() ^ 1))[0].bad_checksum);
    DecoderOptions off;
    off.checksum = ChecksumMode::no;
    EXPECT_FALSE(decode(patched(frame, frame.size() - 1, frame.back() ^ 1), 1, off)[0].bad_checksum);
  }
  EXPECT_TRUE(decode(patched(good[0], 14 + 8, 63))[0].bad_checksum) << "the IPv4 header's own";
}

TEST(Checksums, UdpWithoutOneIsFine) {
  IpFields fields = v4(17);
  fields.fill_checksums = false;
  EXPECT_FALSE(decode(ethernet_ip(ipv4(fields, udp(1, 2, from_text("x")))))[0].bad_checksum);
}

TEST(Checksums, AutomaticModeGivesUpAfterAThousandPackets) {
  const Bytes good = ethernet_ip(udp_frame());
  const Bytes bad = patched(good, good.size() - 1, 0xff);
  for (const unsigned bad_of_ten : {0U, 1U, 2U}) {
    Decoder decoder{DecoderOptions{}};
    PacketCollector collector;
    for (unsigned i = 0; i < 1'000; ++i) {
      EXPECT_TRUE(decoder.validates_checksums());
      decoder.decode(raw_packet(i % 10 < bad_of_ten ? bad : good), collector);
    }
    EXPECT_EQ(decoder.validates_checksums(), bad_of_ten < 2) << bad_of_ten;
  }
}

// What the kernel leaves to a card: the pseudo header's sum in the field.
TEST(Checksums, OfAnInterfaceMayWaitForTheCard) {
  const std::vector<Bytes> frames = {ethernet_ip(ipv4(v4(6), tcp({}, from_text("data")))),
                                     ethernet_ip(ipv6(v6(17), udp(1, 2, from_text("data"))))};
  for (const Bytes& whole : frames) {
    const Packet good = decode(whole)[0];
    const std::size_t length = good.transport_header.size() + good.payload.size();
    const std::uint32_t pseudo = pseudo_header_sum(good.source, good.destination, good.protocol, length);
    const std::size_t field = whole.size() - length + (good.is_tcp() ? 16 : 6);
    Bytes waiting = whole;
    waiting[field] = static_cast<std::uint8_t>(pseudo >> 8U);
    waiting[field + 1] = static_cast<std::uint8_t>(pseudo);
    EXPECT_TRUE(decode(waiting)[0].bad_checksum) << "of a file";
    DecoderOptions live;
    live.from_interface = true;
    EXPECT_FALSE(decode(waiting, 1, live)[0].bad_checksum);
    live.checksum = ChecksumMode::yes;
    EXPECT_TRUE(decode(waiting, 1, live)[0].bad_checksum) << "asked for";
    live.checksum = ChecksumMode::automatic;
    waiting[field] ^= 1U;
    EXPECT_TRUE(decode(waiting, 1, live)[0].bad_checksum) << "any other wrong sum";
  }
}

TEST(Checksums, AnyAlignmentAndLength) {
  Bytes data(267);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * 37 + 11);
  const auto expect_equal = [&] {
    for (std::size_t from = 0; from < 8; ++from) {
      for (std::size_t size = 0; size + from <= data.size(); ++size) {
        const ByteView part = ByteView(data).subspan(from, size);
        EXPECT_EQ(checksum(part), static_cast<std::uint16_t>(~ones_complement_sum(part)));
      }
    }
  };
  expect_equal();
  std::fill(data.begin(), data.end(), 0xff);  // the most that can be carried
  expect_equal();
}

TEST(Decoder, CountsWhatItSaw) {
  Decoder decoder{DecoderOptions{}};
  PacketCollector collector;
  decoder.decode(raw_packet(ethernet_ip(udp_frame())), collector);
  decoder.decode(raw_packet(ethernet_ip(ipv6(v6(6), tcp({})))), collector);
  decoder.decode(raw_packet(Bytes{1, 2}), collector);
  const DecoderCounters& counters = decoder.counters();
  EXPECT_EQ(counters.packets, 3U);
  EXPECT_EQ(counters.invalid, 1U);
  EXPECT_EQ(counters.ipv4, 1U);
  EXPECT_EQ(counters.ipv6, 1U);
  EXPECT_EQ(counters.udp, 1U);
  EXPECT_EQ(counters.tcp, 1U);
  EXPECT_EQ(counters.events[decode_event::ethernet_pkt_too_small], 1U);
}

}  // namespace
}  // namespace gatehouse::ids
