// ipv4-csum, tcpv4-csum ...: is a checksum right? Computed when asked: the decoder's own judgement can be
// switched off.
#include "ids/decode/checksum.h"
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

enum class Sum : std::uint8_t { none, valid, invalid };

Sum judge(std::uint32_t sum) {
  return checksum_ok(sum) ? Sum::valid : Sum::invalid;
}

// The transport header and all behind it. Without it all, there is nothing to judge.
ByteView segment_of(const Packet& p) {
  if (p.transport_header.empty() || p.payload.data() == nullptr) return p.transport_header;
  const auto* end = p.payload.data() + p.payload.size();
  return end < p.transport_header.data()
             ? p.transport_header
             : ByteView(p.transport_header.data(), static_cast<std::size_t>(end - p.transport_header.data()));
}

Sum with_pseudo_header(const Packet& p, std::uint8_t version, std::uint8_t protocol) {
  if (!p.has_transport || p.ip_version != version || p.protocol != protocol) return Sum::none;
  const ByteView segment = segment_of(p);
  return judge(
      ones_complement_sum(segment, pseudo_header_sum(p.source, p.destination, protocol, segment.size())));
}

Sum ipv4(const Packet& p) {
  if (p.ip_version != 4 || p.ip_header.empty()) return Sum::none;
  return judge(ones_complement_sum(p.ip_header));
}
template <std::uint8_t Version>
Sum tcp(const Packet& p) {
  return with_pseudo_header(p, Version, kProtoTcp);
}
// Over IPv4 a UDP sender may leave the checksum away (RFC 768).
template <std::uint8_t Version>
Sum udp(const Packet& p) {
  if (!p.is_udp() || p.transport_header.size() < 8) return Sum::none;
  if (Version == 4 && p.transport_header[6] == 0 && p.transport_header[7] == 0) return Sum::none;
  return with_pseudo_header(p, Version, kProtoUdp);
}
Sum icmpv4(const Packet& p) {
  if (!p.is_icmp() || p.protocol != kProtoIcmp) return Sum::none;
  return judge(ones_complement_sum(segment_of(p)));
}
Sum icmpv6(const Packet& p) {
  return with_pseudo_header(p, 6, kProtoIcmp6);
}

using Summer = Sum (*)(const Packet&);

class ChecksumIs : public Condition {
 public:
  ChecksumIs(Summer sum, Sum wanted) : sum_(sum), wanted_(wanted) {}
  // A packet made to end a flow was never sent.
  bool holds(const InspectContext& context) const override {
    return context.packet.origin != PacketOrigin::flow_end && sum_(context.packet) == wanted_;
  }

 private:
  Summer sum_;
  Sum wanted_;
};

template <Summer Function>
void apply(RuleBuilder& builder, const lang::RuleOption& option) {
  Part part = trim(whole(option));
  if (part.text.size() >= 2 && part.text.front() == '"' && part.text.back() == '"')
    part.text = part.text.substr(1, part.text.size() - 2);
  if (part.text != "valid" && part.text != "invalid") {
    builder.error(option, "checksum-value", "a checksum is `valid` or `invalid`");
    return;
  }
  builder.add_condition(
      std::make_unique<ChecksumIs>(Function, part.text == "valid" ? Sum::valid : Sum::invalid));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"ipv4-csum", ValueNeed::required, "IPv4 header checksum: valid or invalid", apply<ipv4>},
    {"tcpv4-csum", ValueNeed::required, "TCP checksum over IPv4: valid or invalid", apply<tcp<4>>},
    {"tcpv6-csum", ValueNeed::required, "TCP checksum over IPv6: valid or invalid", apply<tcp<6>>},
    {"udpv4-csum", ValueNeed::required, "UDP checksum over IPv4: valid or invalid", apply<udp<4>>},
    {"udpv6-csum", ValueNeed::required, "UDP checksum over IPv6: valid or invalid", apply<udp<6>>},
    {"icmpv4-csum", ValueNeed::required, "ICMP checksum: valid or invalid", apply<icmpv4>},
    {"icmpv6-csum", ValueNeed::required, "ICMPv6 checksum: valid or invalid", apply<icmpv6>},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_checksums() {
  return kKeywords;
}

}  // namespace gatehouse::ids
