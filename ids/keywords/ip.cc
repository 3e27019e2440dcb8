// Fields of the IP header.
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

std::optional<std::uint64_t> ttl(const Packet& p) {
  if (p.ip_version == 0) return std::nullopt;
  return p.ttl;
}
std::optional<std::uint64_t> tos(const Packet& p) {
  if (p.ip_version != 4) return std::nullopt;
  return p.tos;
}
std::optional<std::uint64_t> ip_id(const Packet& p) {
  if (p.ip_version != 4) return std::nullopt;
  return p.ip_id;
}
// In units of eight bytes, as the header has it.
std::optional<std::uint64_t> fragment_offset(const Packet& p) {
  if (p.ip_version == 0) return std::nullopt;
  return p.fragment_offset / 8U;
}
std::optional<std::uint64_t> ip_protocol(const Packet& p) {
  if (p.ip_version == 0) return std::nullopt;
  return p.protocol;
}

template <PacketNumber Number, std::uint64_t Largest>
void apply_number(RuleBuilder& builder, const lang::RuleOption& option) {
  NumberTest test;
  if (!parse_number_test(builder, option, whole(option), Largest, test)) return;
  add_packet_number_test(builder, test, Number);
}

// Names IANA gives, for ip_proto.
constexpr std::pair<std::string_view, std::uint8_t> kProtocolNames[] = {
    {"icmp", 1}, {"igmp", 2}, {"ipip", 4},   {"tcp", 6},   {"udp", 17},       {"ipv6", 41}, {"gre", 47},
    {"esp", 50}, {"ah", 51},  {"icmp6", 58}, {"ospf", 89}, {"ipv6-icmp", 58}, {"pim", 103}, {"sctp", 132}};

void apply_ip_proto(RuleBuilder& builder, const lang::RuleOption& option) {
  Part part = trim(whole(option));
  std::string text;
  std::size_t start = 0;
  while (start < part.text.size() &&
         std::string_view("!<>= ").find(part.text[start]) != std::string_view::npos)
    ++start;
  const std::string_view word = part.text.substr(start);
  NumberTest test;
  for (const auto& [name, number] : kProtocolNames) {
    if (word != name) continue;
    test.op = part.text.starts_with('!') ? NumberTest::Op::not_equal : NumberTest::Op::equal;
    test.first = number;
    add_packet_number_test(builder, test, ip_protocol);
    return;
  }
  if (!parse_number_test(builder, option, part, 255, test)) return;
  const bool was_header_like = builder.header_like;
  add_packet_number_test(builder, test, ip_protocol);
  builder.header_like = was_header_like;
}

class FragmentBits : public Condition {
 public:
  FragmentBits(char mode, bool more, bool dont, bool reserved)
      : mode_(mode), more_(more), dont_(dont), reserved_(reserved) {}
  bool holds(const InspectContext& context) const override {
    const Packet& p = context.packet;
    if (p.ip_version != 4 || p.ip_header.size() < 20) return false;
    const bool reserved = (p.ip_header[6] & 0x80U) != 0;
    const bool all = (!more_ || p.more_fragments) && (!dont_ || p.dont_fragment) && (!reserved_ || reserved);
    const bool any = (more_ && p.more_fragments) || (dont_ && p.dont_fragment) || (reserved_ && reserved);
    switch (mode_) {
      case '+':
        return all;
      case '*':
        return any;
      case '!':
      case '-':
        return !any;
      default:
        return more_ == p.more_fragments && dont_ == p.dont_fragment && reserved_ == reserved;
    }
  }

 private:
  char mode_;
  bool more_, dont_, reserved_;
};

void apply_fragbits(RuleBuilder& builder, const lang::RuleOption& option) {
  Part part = trim(whole(option));
  char mode = '=';
  if (!part.text.empty() && std::string_view("+*!-").find(part.text[0]) != std::string_view::npos) {
    mode = part.text[0];
    part = trim({part.text.substr(1), part.at + 1});
  }
  bool more = false;
  bool dont = false;
  bool reserved = false;
  for (std::size_t i = 0; i < part.text.size(); ++i) {
    if (part.text[i] == 'M') {
      more = true;
    } else if (part.text[i] == 'D') {
      dont = true;
    } else if (part.text[i] == 'R') {
      reserved = true;
    } else {
      builder.error_at(option, part.at + i, 1, "fragbits-letter", "this letter is no fragment bit").hint =
          "M, D or R";
      return;
    }
  }
  if (part.text.empty()) {
    builder.error(option, "fragbits-letter", "fragment bits are missing here");
    return;
  }
  builder.add_condition(std::make_unique<FragmentBits>(mode, more, dont, reserved));
}

class SameAddress : public Condition {
 public:
  bool holds(const InspectContext& context) const override {
    return context.packet.ip_version != 0 && context.packet.source == context.packet.destination;
  }
};

void apply_sameip(RuleBuilder& builder, const lang::RuleOption&) {
  builder.add_condition(std::make_unique<SameAddress>());
}

// Is there an IPv4 option of this kind? RFC 791 3.1.
class IpOption : public Condition {
 public:
  explicit IpOption(int kind) : kind_(kind) {}
  bool holds(const InspectContext& context) const override {
    const ByteView header = context.packet.ip_header;
    if (context.packet.ip_version != 4) return false;
    std::size_t at = 20;
    if (kind_ < 0) return header.size() > at;
    while (at < header.size()) {
      if (header[at] == kind_) return true;
      if (header[at] == 0) return false;
      if (header[at] == 1) {
        ++at;
        continue;
      }
      if (at + 1 >= header.size() || header[at + 1] < 2) return false;
      at += header[at + 1];
    }
    return false;
  }

 private:
  int kind_;  // -1: any option
};

void apply_ipopts(RuleBuilder& builder, const lang::RuleOption& option) {
  static const std::pair<std::string_view, int> kOptions[] = {
      {"any", -1},   {"eol", 0},    {"nop", 1},     {"rr", 7},      {"ts", 68},    {"sec", 130},
      {"lsrr", 131}, {"esec", 133}, {"cipso", 134}, {"satid", 136}, {"ssrr", 137}, {"rtralt", 148}};
  std::vector<std::string> names;
  for (const auto& [name, kind] : kOptions) {
    if (option.value == name) {
      builder.add_condition(std::make_unique<IpOption>(kind));
      return;
    }
    names.emplace_back(name);
  }
  builder.error(option, "ipopts-value", "unknown IP option `" + option.value + "`").hint =
      core::did_you_mean(option.value, names);
}

constexpr KeywordDescriptor kKeywords[] = {
    {"ttl", ValueNeed::required, "time to live, hop limit", apply_number<ttl, 255>},
    {"tos", ValueNeed::required, "IPv4 type of service", apply_number<tos, 255>},
    {"id", ValueNeed::required, "IPv4 identification", apply_number<ip_id, 65535>},
    {"fragoffset", ValueNeed::required, "fragment offset in units of 8 bytes",
     apply_number<fragment_offset, 8191>},
    {"ip_proto", ValueNeed::required, "protocol number or name", apply_ip_proto},
    {"fragbits", ValueNeed::required, "IPv4 fragment bits M, D, R", apply_fragbits},
    {"sameip", ValueNeed::none, "source and destination are the same", apply_sameip},
    {"ipopts", ValueNeed::required, "an IPv4 option is present", apply_ipopts},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_ip() {
  return kKeywords;
}

}  // namespace gatehouse::ids
