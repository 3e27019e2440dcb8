// Protocols that begin with words, and Telnet: IMAP, POP3, SIP, RFB.
#include <algorithm>

#include "ids/parsers/recognised.h"

namespace gatehouse::ids {
namespace {

using recognised::begins_with;
using recognised::begins_with_one;

constexpr std::uint16_t kImapPorts[] = {143};
constexpr std::uint16_t kPop3Ports[] = {110};
constexpr std::uint16_t kSipPorts[] = {5060, 5061};
constexpr std::uint16_t kRfbPorts[] = {5900, 5901, 5902, 5903, 5904, 5905, 5906, 5907, 5908, 5909};
constexpr std::uint16_t kTelnetPorts[] = {23};

bool is_letter(std::uint8_t c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool is_digit(std::uint8_t c) {
  return c >= '0' && c <= '9';
}

// RFC 9051 2.2: a greeting, or a tag with a digit in it (FTP's and others' first words have none) and
// a command.
ProbeVerdict probe_imap(ByteView data, Direction direction, AppTransport /*transport*/) {
  constexpr std::size_t kLongestTag = 20;
  if (direction == Direction::to_client) return begins_with_one(data, "* OK ", "* PREAUTH ", "* OK\r\n");
  std::size_t at = 0;
  bool digit = false;
  while (at < data.size() && at <= kLongestTag &&
         (is_letter(data[at]) || is_digit(data[at]) || data[at] == '.')) {
    digit = digit || is_digit(data[at]);
    ++at;
  }
  if (at == data.size() && at <= kLongestTag) return ProbeVerdict::maybe;
  if (at == 0 || at > kLongestTag || !digit || data[at] != ' ') return ProbeVerdict::no;
  return begins_with_one(data.subspan(at + 1), "CAPABILITY\r\n", "LOGIN ", "AUTHENTICATE ", "STARTTLS\r\n",
                         "ID (", "ID NIL", "NOOP\r\n", "LOGOUT\r\n");
}

// RFC 1939: too short to be looked for on other ports.
ProbeVerdict probe_pop3(ByteView data, Direction direction, AppTransport /*transport*/) {
  if (direction == Direction::to_client) return begins_with_one(data, "+OK", "-ERR");
  return begins_with_one(data, "USER ", "APOP ", "AUTH", "CAPA", "STLS", "QUIT", "PASS ", "STAT", "LIST",
                         "UIDL", "RETR ", "NOOP");
}

// RFC 3261 7: a method and a SIP address, or a status line.
ProbeVerdict probe_sip(ByteView data, Direction /*direction*/, AppTransport /*transport*/) {
  const ProbeVerdict status = begins_with(data, "SIP/2.0 ");
  if (status != ProbeVerdict::no) return status;
  constexpr std::string_view kMethods[] = {"INVITE ",   "ACK ",   "BYE ",    "CANCEL ",    "OPTIONS ",
                                           "REGISTER ", "PRACK ", "UPDATE ", "SUBSCRIBE ", "NOTIFY ",
                                           "PUBLISH ",  "INFO ",  "REFER ",  "MESSAGE "};
  for (const std::string_view method : kMethods) {
    const ProbeVerdict word = begins_with(data, method);
    if (word == ProbeVerdict::maybe) return word;
    if (word == ProbeVerdict::yes)
      return begins_with_one(data.subspan(method.size()), "SIP:", "SIPS:", "TEL:");
  }
  return ProbeVerdict::no;
}

// RFC 6143 7.1.1: "RFB 003.008\n" from both sides.
ProbeVerdict probe_rfb(ByteView data, Direction /*direction*/, AppTransport /*transport*/) {
  constexpr std::string_view kPattern = "RFB 000.000\n";
  const std::size_t size = std::min(data.size(), kPattern.size());
  for (std::size_t i = 0; i < size; ++i) {
    const bool fits =
        kPattern[i] == '0' ? is_digit(data[i]) : data[i] == static_cast<std::uint8_t>(kPattern[i]);
    if (!fits) return ProbeVerdict::no;
  }
  return size < kPattern.size() ? ProbeVerdict::maybe : ProbeVerdict::yes;
}

// RFC 854: a negotiation of a known option.
ProbeVerdict probe_telnet(ByteView data, Direction /*direction*/, AppTransport /*transport*/) {
  constexpr std::uint8_t kCommand = 0xff, kWill = 0xfb, kDont = 0xfe, kLastOption = 49;
  if (data[0] != kCommand) return ProbeVerdict::no;
  if (data.size() > 1 && (data[1] < kWill || data[1] > kDont)) return ProbeVerdict::no;
  if (data.size() < 3) return ProbeVerdict::maybe;
  return recognised::verdict(data[2] <= kLastOption || (data[2] >= 138 && data[2] <= 140));
}

constexpr ParserDescriptor kRows[] = {
    recognised::row("imap", "RFC 9051", AppTransport::tcp, kImapPorts, probe_imap),
    recognised::row("pop3", "RFC 1939", AppTransport::tcp, kPop3Ports, probe_pop3, true),
    recognised::row("sip", "RFC 3261", AppTransport::both, kSipPorts, probe_sip),
    recognised::row("rfb", "RFC 6143", AppTransport::tcp, kRfbPorts, probe_rfb),
    recognised::row("telnet", "RFC 854", AppTransport::tcp, kTelnetPorts, probe_telnet),
};

}  // namespace

std::span<const ParserDescriptor> recognised_text() {
  return kRows;
}

}  // namespace gatehouse::ids
