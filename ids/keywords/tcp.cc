// Fields of the TCP header.
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

class TcpFlags : public Condition {
 public:
  enum class Mode : std::uint8_t { exact, all_of, any_of, none_of };
  TcpFlags(Mode mode, std::uint8_t wanted, std::uint8_t ignored, bool negated)
      : mode_(mode), wanted_(wanted), ignored_(ignored), negated_(negated) {}
  bool holds(const InspectContext& context) const override {
    if (!context.packet.is_tcp()) return false;
    const auto flags = static_cast<std::uint8_t>(context.packet.tcp.flags & ~ignored_);
    bool held = false;
    switch (mode_) {
      case Mode::exact:
        held = flags == wanted_;
        break;
      case Mode::all_of:
        held = (flags & wanted_) == wanted_;
        break;
      case Mode::any_of:
        held = (flags & wanted_) != 0;
        break;
      case Mode::none_of:
        held = (flags & wanted_) == 0;
        break;
    }
    return held != negated_;
  }

 private:
  Mode mode_;
  std::uint8_t wanted_, ignored_;
  bool negated_;
};

int flag_bit(char c) {
  switch (c) {
    case 'F':
    case 'f':
      return kTcpFin;
    case 'S':
    case 's':
      return kTcpSyn;
    case 'R':
    case 'r':
      return kTcpRst;
    case 'P':
    case 'p':
      return kTcpPsh;
    case 'A':
    case 'a':
      return kTcpAck;
    case 'U':
    case 'u':
      return kTcpUrg;
    case 'E':
    case 'e':
    case '1':
      return kTcpEce;
    case 'C':
    case 'c':
    case '2':
      return kTcpCwr;
    case '0':
      return 0;
    default:
      return -1;
  }
}

bool parse_flags(RuleBuilder& builder, const lang::RuleOption& option, Part part, std::uint8_t& out) {
  if (part.text.empty()) {
    builder.error(option, "flags-syntax", "TCP flags are missing here");
    return false;
  }
  for (std::size_t i = 0; i < part.text.size(); ++i) {
    const int bit = flag_bit(part.text[i]);
    if (bit < 0) {
      builder.error_at(option, part.at + i, 1, "flags-letter", "this letter is no TCP flag").hint =
          "F S R P A U E(1) C(2), or 0 for none";
      return false;
    }
    out = static_cast<std::uint8_t>(out | bit);
  }
  return true;
}

void apply_flags(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  if (parts.size() > 2) {
    builder.error(option, "flags-syntax", "flags has at most two parts").hint =
        "flags:[!*+]<flags>[,<ignored flags>];";
    return;
  }
  Part part = parts[0];
  auto mode = TcpFlags::Mode::exact;
  bool negated = false;
  while (!part.text.empty() && std::string_view("!*+-").find(part.text[0]) != std::string_view::npos) {
    if (part.text[0] == '!') negated = true;
    if (part.text[0] == '*') mode = TcpFlags::Mode::any_of;
    if (part.text[0] == '+') mode = TcpFlags::Mode::all_of;
    if (part.text[0] == '-') mode = TcpFlags::Mode::none_of;
    part = trim({part.text.substr(1), part.at + 1});
  }
  // `!SA` means none of them.
  if (negated && mode == TcpFlags::Mode::exact) {
    mode = TcpFlags::Mode::none_of;
    negated = false;
  }
  std::uint8_t wanted = 0;
  std::uint8_t ignored = 0;
  if (!parse_flags(builder, option, part, wanted)) return;
  if (parts.size() == 2 && !parse_flags(builder, option, parts[1], ignored)) return;
  builder.add_condition(std::make_unique<TcpFlags>(mode, wanted, ignored, negated));
}

template <auto Member>
std::optional<std::uint64_t> tcp_number(const Packet& packet) {
  if (!packet.is_tcp()) return std::nullopt;
  return packet.tcp.*Member;
}

template <auto Member, std::uint64_t Largest>
void apply_tcp_number(RuleBuilder& builder, const lang::RuleOption& option) {
  NumberTest test;
  if (!parse_number_test(builder, option, whole(option), Largest, test)) return;
  add_packet_number_test(builder, test, tcp_number<Member>);
}

std::optional<std::uint64_t> tcp_mss(const Packet& packet) {
  if (!packet.is_tcp() || packet.tcp.mss == 0) return std::nullopt;
  return packet.tcp.mss;
}
void apply_mss(RuleBuilder& builder, const lang::RuleOption& option) {
  NumberTest test;
  if (!parse_number_test(builder, option, whole(option), 65535, test)) return;
  add_packet_number_test(builder, test, tcp_mss);
}

std::optional<std::uint64_t> tcp_window_scale(const Packet& packet) {
  if (!packet.is_tcp() || !packet.tcp.has_window_scale) return std::nullopt;
  return packet.tcp.window_scale;
}
void apply_wscale(RuleBuilder& builder, const lang::RuleOption& option) {
  NumberTest test;
  if (!parse_number_test(builder, option, whole(option), 255, test)) return;
  add_packet_number_test(builder, test, tcp_window_scale);
}

constexpr auto kSeq = apply_tcp_number<&TcpHeader::sequence, 0xffff'ffffU>;
constexpr auto kAck = apply_tcp_number<&TcpHeader::acknowledgment, 0xffff'ffffU>;
constexpr auto kWindow = apply_tcp_number<&TcpHeader::window, 0xffffU>;
constexpr KeywordDescriptor kKeywords[] = {
    {"flags", ValueNeed::required, "TCP flags", apply_flags},
    {"tcp.flags", ValueNeed::required, "TCP flags", apply_flags},
    {"seq", ValueNeed::required, "TCP sequence number", kSeq},
    {"tcp.seq", ValueNeed::required, "TCP sequence number", kSeq},
    {"ack", ValueNeed::required, "TCP acknowledgement number", kAck},
    {"tcp.ack", ValueNeed::required, "TCP acknowledgement number", kAck},
    {"window", ValueNeed::required, "TCP window, unscaled", kWindow},
    {"tcp.window", ValueNeed::required, "TCP window, unscaled", kWindow},
    {"tcp.wscale", ValueNeed::required, "TCP window scale option", apply_wscale},
    {"tcp.mss", ValueNeed::required, "TCP maximum segment size option", apply_mss},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_tcp() {
  return kKeywords;
}

}  // namespace gatehouse::ids
