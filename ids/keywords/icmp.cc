// Fields of ICMP and ICMPv6 headers.
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

std::optional<std::uint64_t> type(const Packet& p) {
  if (!p.is_icmp()) return std::nullopt;
  return p.icmp.type;
}
std::optional<std::uint64_t> code(const Packet& p) {
  if (!p.is_icmp()) return std::nullopt;
  return p.icmp.code;
}

// Types that carry an identifier and a sequence number: RFC 792, RFC 4443 4.
bool has_identity(const Packet& p) {
  if (!p.is_icmp()) return false;
  const std::uint8_t t = p.icmp.type;
  if (p.protocol == kProtoIcmp6) return t == 128 || t == 129;
  return t == 0 || t == 8 || (t >= 13 && t <= 18);
}
std::optional<std::uint64_t> identifier(const Packet& p) {
  if (!has_identity(p)) return std::nullopt;
  return p.icmp.id;
}
std::optional<std::uint64_t> sequence(const Packet& p) {
  if (!has_identity(p)) return std::nullopt;
  return p.icmp.sequence;
}
// RFC 4443 3.2: Packet Too Big carries the MTU.
std::optional<std::uint64_t> icmp6_mtu(const Packet& p) {
  if (!p.is_icmp() || p.protocol != kProtoIcmp6 || p.icmp.type != 2 || p.transport_header.size() < 8)
    return std::nullopt;
  core::ByteReader reader(p.transport_header);
  reader.skip(4);
  return reader.u32();
}

template <PacketNumber Number, std::uint64_t Largest>
void apply_number(RuleBuilder& builder, const lang::RuleOption& option) {
  NumberTest test;
  if (!parse_number_test(builder, option, whole(option), Largest, test)) return;
  add_packet_number_test(builder, test, Number);
}

constexpr KeywordDescriptor kKeywords[] = {
    {"itype", ValueNeed::required, "ICMP type", apply_number<type, 255>},
    {"icode", ValueNeed::required, "ICMP code", apply_number<code, 255>},
    {"icmp_id", ValueNeed::required, "ICMP identifier", apply_number<identifier, 65535>},
    {"icmp_seq", ValueNeed::required, "ICMP sequence number", apply_number<sequence, 65535>},
    {"icmpv6.mtu", ValueNeed::required, "MTU of a Packet Too Big message",
     apply_number<icmp6_mtu, 0xffff'ffff>},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_icmp() {
  return kKeywords;
}

}  // namespace gatehouse::ids
