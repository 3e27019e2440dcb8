// What networks need to run: NTP, DHCP, SNMP, TFTP, IKE, NFS.
#include <algorithm>

#include "ids/parsers/recognised.h"

namespace gatehouse::ids {
namespace {

using recognised::ber_element;
using recognised::verdict;

constexpr std::uint16_t kNtpPorts[] = {123};
constexpr std::uint16_t kDhcpPorts[] = {67, 68};
constexpr std::uint16_t kSnmpPorts[] = {161, 162};
constexpr std::uint16_t kTftpPorts[] = {69};
constexpr std::uint16_t kIkePorts[] = {500};
constexpr std::uint16_t kNfsPorts[] = {2049};

std::uint32_t number32(ByteView data, std::size_t at) {
  return std::uint32_t{data[at]} << 24U | std::uint32_t{data[at + 1]} << 16U | data[at + 2] * 256U |
         data[at + 3];
}

// RFC 5905 7.3; control messages (mode 6) and private ones (mode 7) are shorter.
ProbeVerdict probe_ntp(ByteView data, Direction /*direction*/, AppTransport /*transport*/) {
  const unsigned version = data[0] >> 3U & 7U, mode = data[0] & 7U;
  const std::size_t least = mode == 6 ? 12 : mode == 7 ? 8 : 48;
  return verdict(version >= 1 && version <= 4 && mode != 0 && data.size() >= least);
}

// RFC 2131 2: the magic cookie behind the fixed fields.
ProbeVerdict probe_dhcp(ByteView data, Direction /*direction*/, AppTransport /*transport*/) {
  constexpr std::size_t kCookie = 236;
  return verdict(data.size() >= kCookie + 4 && (data[0] == 1 || data[0] == 2) && data[2] <= 16 &&
                 number32(data, kCookie) == 0x63825363);
}

// RFC 3416, RFC 3412: a sequence of the version and, by version, a community or a header.
ProbeVerdict probe_snmp(ByteView data, Direction /*direction*/, AppTransport /*transport*/) {
  const auto message = ber_element(data);
  if (data[0] != 0x30 || message.header == 0 || message.header + message.length != data.size() ||
      message.length < 5)
    return ProbeVerdict::no;
  const ByteView body = data.subspan(message.header);
  if (body[0] != 2 || body[1] != 1) return ProbeVerdict::no;
  if (body[2] == 3) return verdict(body[3] == 0x30);
  if (body[2] > 1 || body[3] != 4) return ProbeVerdict::no;
  const auto community = ber_element(body.subspan(3));
  const std::size_t pdu = 3 + community.header + community.length;
  return verdict(community.header != 0 && pdu < body.size() && body[pdu] >= 0xa0 && body[pdu] <= 0xa8);
}

// RFC 1350 5: a request names a file and a mode.
ProbeVerdict probe_tftp(ByteView data, Direction direction, AppTransport /*transport*/) {
  constexpr std::size_t kLeast = 8;
  if (direction != Direction::to_server || data.size() < kLeast || data[0] != 0 ||
      (data[1] != 1 && data[1] != 2))
    return ProbeVerdict::no;
  const auto end = std::find(data.begin() + 2, data.end(), std::uint8_t{0});
  if (end == data.begin() + 2 || end == data.end()) return ProbeVerdict::no;
  const ByteView mode = data.subspan(static_cast<std::size_t>(end - data.begin()) + 1);
  constexpr std::string_view kModes[] = {std::string_view("OCTET\0", 6), std::string_view("NETASCII\0", 9),
                                         std::string_view("MAIL\0", 5)};
  return verdict(std::any_of(std::begin(kModes), std::end(kModes), [mode](std::string_view name) {
    return recognised::begins_with(mode, name) == ProbeVerdict::yes;
  }));
}

// RFC 7296 3.1, RFC 2408 3.1: the length makes up the datagram.
ProbeVerdict probe_ike(ByteView data, Direction /*direction*/, AppTransport /*transport*/) {
  constexpr std::size_t kHeader = 28;
  if (data.size() < kHeader) return ProbeVerdict::no;
  const std::uint8_t version = data[17], exchange = data[18];
  const bool first = version == 0x10 && exchange >= 1 && exchange <= 34;
  const bool second = version == 0x20 && exchange >= 34 && exchange <= 43;
  return verdict((first || second) && number32(data, 24) == data.size() &&
                 (number32(data, 0) | number32(data, 4)) != 0);
}

// RFC 5531 9: a call of program 100003, or an accepted reply. Over TCP a record mark stands first.
ProbeVerdict probe_nfs(ByteView data, Direction direction, AppTransport transport) {
  constexpr std::size_t kCall = 16;
  if (transport == AppTransport::tcp) {
    if ((data[0] & 0x80U) == 0 || (data.size() > 1 && (data[0] != 0x80 || data[1] > 0x40)))
      return ProbeVerdict::no;
    if (data.size() < 4 + kCall) return ProbeVerdict::maybe;
    data = data.subspan(4);
  }
  if (data.size() < kCall) return ProbeVerdict::no;
  if (direction == Direction::to_server)
    return verdict(number32(data, 4) == 0 && number32(data, 8) == 2 && number32(data, 12) == 100003);
  return verdict(number32(data, 4) == 1 && number32(data, 8) == 0 && number32(data, 12) <= 6);
}

constexpr ParserDescriptor kRows[] = {
    recognised::row("ntp", "RFC 5905", AppTransport::udp, kNtpPorts, probe_ntp, true),
    recognised::row("dhcp", "RFC 2131", AppTransport::udp, kDhcpPorts, probe_dhcp),
    recognised::row("snmp", "RFC 3416", AppTransport::udp, kSnmpPorts, probe_snmp),
    recognised::row("tftp", "RFC 1350", AppTransport::udp, kTftpPorts, probe_tftp),
    recognised::row("ike", "RFC 7296", AppTransport::udp, kIkePorts, probe_ike),
    recognised::row("nfs", "RFC 1813", AppTransport::both, kNfsPorts, probe_nfs, true),
};

}  // namespace

std::span<const ParserDescriptor> recognised_network() {
  return kRows;
}

}  // namespace gatehouse::ids
