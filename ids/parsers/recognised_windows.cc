// What Windows networks speak: SMB, DCE/RPC, Kerberos, LDAP, RDP.
#include <algorithm>
#include <array>

#include "ids/parsers/recognised.h"

namespace gatehouse::ids {
namespace {

using recognised::begins_with;
using recognised::ber_element;
using recognised::verdict;

constexpr std::uint16_t kSmbPorts[] = {445, 139};
constexpr std::uint16_t kDcerpcPorts[] = {135};
constexpr std::uint16_t kKrb5Ports[] = {88};
constexpr std::uint16_t kLdapPorts[] = {389, 3268};
constexpr std::uint16_t kRdpPorts[] = {3389};

// RFC 1002 4.3: the session header, behind the request for a session or without it, then SMB 1, 2 or
// its encrypted form.
ProbeVerdict probe_smb(ByteView data, Direction direction, AppTransport /*transport*/) {
  constexpr std::size_t kHeader = 4, kNames = 68;
  if (data[0] == 0x81 && direction == Direction::to_server) {
    if (data.size() < kHeader + kNames)
      return data.size() < 4 || data[3] == kNames ? ProbeVerdict::maybe : ProbeVerdict::no;
    const auto encoded = [&](std::size_t at) {
      return data[at] == 32 && data[at + 33] == 0 &&
             std::all_of(data.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                         data.begin() + static_cast<std::ptrdiff_t>(at) + 33,
                         [](std::uint8_t c) { return c >= 'A' && c <= 'P'; });
    };
    return verdict(data[1] == 0 && data[2] == 0 && data[3] == kNames && encoded(4) && encoded(38));
  }
  if (data[0] == 0x82 && direction == Direction::to_client) {
    const ByteView positive = data.first(std::min<std::size_t>(data.size(), kHeader));
    if (std::any_of(positive.begin() + 1, positive.end(), [](std::uint8_t c) { return c != 0; }))
      return ProbeVerdict::no;
    if (data.size() <= kHeader) return ProbeVerdict::maybe;
    data = data.subspan(kHeader);
  }
  if (data[0] != 0) return ProbeVerdict::no;
  if (data.size() <= kHeader) return ProbeVerdict::maybe;
  if (data[4] != 0xff && data[4] != 0xfe && data[4] != 0xfd) return ProbeVerdict::no;
  return begins_with(data.subspan(5), "SMB");
}

// C706 12.6.3.1: version 5.0 or 5.1, a packet type of this direction, a data representation of
// ASCII and EBCDIC with known numbers, a length that holds the header.
ProbeVerdict probe_dcerpc_stream(ByteView data, Direction direction) {
  constexpr std::uint32_t kFromClient = 1U << 0U | 1U << 11U | 1U << 14U | 1U << 16U;
  constexpr std::uint32_t kFromServer = 1U << 2U | 1U << 3U | 1U << 12U | 1U << 13U | 1U << 15U;
  constexpr std::size_t kHeader = 16;
  if (data[0] != 5 || (data.size() > 1 && data[1] > 1)) return ProbeVerdict::no;
  const std::uint32_t types = direction == Direction::to_server ? kFromClient : kFromServer;
  if (data.size() > 2 && (data[2] > 16 || (types >> data[2] & 1U) == 0)) return ProbeVerdict::no;
  if (data.size() < kHeader) return ProbeVerdict::maybe;
  const bool little = (data[4] & 0x10U) != 0;
  const auto number = [&](std::size_t at) {
    return little ? data[at] + data[at + 1] * 256U : data[at] * 256U + data[at + 1];
  };
  return verdict((data[4] & 0xeeU) == 0 && data[5] <= 3 && data[6] == 0 && data[7] == 0 &&
                 number(8) > kHeader && number(10) < number(8));
}

// C706 12.5.1: version 4; the length of the body makes up the datagram.
ProbeVerdict probe_dcerpc_datagram(ByteView data) {
  constexpr std::size_t kHeader = 80;
  if (data.size() < kHeader || data[0] != 4 || data[1] > 10 || (data[4] & 0xeeU) != 0 || data[5] > 3)
    return ProbeVerdict::no;
  const bool little = (data[4] & 0x10U) != 0;
  const std::size_t length = little ? data[74] + data[75] * 256U : data[74] * 256U + data[75];
  return verdict(data[6] == 0 && length == data.size() - kHeader);
}

ProbeVerdict probe_dcerpc(ByteView data, Direction direction, AppTransport transport) {
  return transport == AppTransport::udp ? probe_dcerpc_datagram(data) : probe_dcerpc_stream(data, direction);
}

// RFC 4120 5: an application-tagged sequence that begins with the version number 5. Over TCP its
// length stands before it.
ProbeVerdict probe_krb5(ByteView data, Direction /*direction*/, AppTransport transport) {
  constexpr std::size_t kEnough = 17;  // both headers at their longest, and the version
  if (transport == AppTransport::tcp) {
    if (data[0] != 0) return ProbeVerdict::no;
    if (data.size() < 5) return ProbeVerdict::maybe;
    data = data.subspan(4);
  }
  const std::uint8_t number = data[0] & 0x1fU;
  const bool error = number == 30;
  if ((data[0] & 0xe0U) != 0x60 || ((number < 10 || number > 15) && !error)) return ProbeVerdict::no;
  if (transport == AppTransport::tcp && data.size() < kEnough) return ProbeVerdict::maybe;
  const auto outer = ber_element(data);
  if (outer.header == 0) return ProbeVerdict::no;
  const auto sequence = ber_element(data.subspan(outer.header));
  const ByteView body = data.subspan(outer.header + sequence.header);
  if (sequence.header == 0 || sequence.tag != 0x30 || sequence.header + sequence.length != outer.length ||
      body.size() < 5) {
    return ProbeVerdict::no;
  }
  return verdict((body[0] == 0xa0 || body[0] == 0xa1) && body[1] == 3 && body[2] == 2 && body[3] == 1 &&
                 body[4] == 5);
}

// RFC 4511 4.1.1: a sequence of a message number and one application-tagged operation of this
// direction.
ProbeVerdict probe_ldap(ByteView data, Direction direction, AppTransport transport) {
  constexpr std::size_t kEnough = 16;
  if (data[0] != 0x30) return ProbeVerdict::no;
  const auto message = ber_element(data);
  if (message.header == 0 || data.size() <= message.header) {
    return transport == AppTransport::tcp && data.size() < 6 ? ProbeVerdict::maybe : ProbeVerdict::no;
  }
  const ByteView body = data.subspan(message.header);
  const auto id = ber_element(body);
  if (body[0] != 2 || message.length < 5) return ProbeVerdict::no;
  if (id.header == 0 || body.size() <= id.header + id.length)
    return transport == AppTransport::tcp && data.size() < kEnough ? ProbeVerdict::maybe : ProbeVerdict::no;
  if (id.header != 2 || id.length == 0 || id.length > 4) return ProbeVerdict::no;
  // Bind, unbind, search, modify, add, delete, rename, compare, abandon, extended.
  constexpr std::uint8_t kRequests[] = {0x60, 0x42, 0x63, 0x66, 0x68, 0x4a, 0x6c, 0x6e, 0x50, 0x77};
  constexpr std::uint8_t kResponses[] = {0x61, 0x64, 0x65, 0x67, 0x69, 0x6b, 0x6d, 0x6f, 0x73, 0x78, 0x79};
  const std::uint8_t tag = body[id.header + id.length];
  const auto has = [tag](const auto& list) {
    return std::find(std::begin(list), std::end(list), tag) != std::end(list);
  };
  return verdict(direction == Direction::to_server ? has(kRequests) : has(kResponses));
}

// MS-RDPBCGR 2.2.1.1: TPKT, an X.224 connection request or its confirmation, then a cookie, a
// negotiation structure, or nothing. (Industrial protocols send parameters there.)
ProbeVerdict probe_rdp(ByteView data, Direction direction, AppTransport /*transport*/) {
  constexpr std::size_t kX224 = 11;
  const bool request = direction == Direction::to_server;
  if (data[0] != 3 || (data.size() > 1 && data[1] != 0)) return ProbeVerdict::no;
  if (data.size() < kX224) return ProbeVerdict::maybe;
  const std::size_t length = data[2] * 256U + data[3];
  if (length < kX224 || data[4] != length - 5 || data[5] != (request ? 0xe0 : 0xd0)) return ProbeVerdict::no;
  if (length == kX224) return ProbeVerdict::yes;
  if (data.size() == kX224) return ProbeVerdict::maybe;
  const ByteView rest = data.subspan(kX224);
  if (!request) return verdict(rest[0] == 2 || rest[0] == 3);
  if (rest[0] == 1) return rest.size() < 4 ? ProbeVerdict::maybe : verdict(rest[2] == 8 && rest[3] == 0);
  return recognised::begins_with_one(rest, "COOKIE: ", "TSV://");
}

constexpr ParserDescriptor kRows[] = {
    recognised::row("smb", "MS-SMB2", AppTransport::tcp, kSmbPorts, probe_smb),
    recognised::row("dcerpc", "C706", AppTransport::both, kDcerpcPorts, probe_dcerpc),
    recognised::row("krb5", "RFC 4120", AppTransport::both, kKrb5Ports, probe_krb5),
    recognised::row("ldap", "RFC 4511", AppTransport::both, kLdapPorts, probe_ldap),
    recognised::row("rdp", "MS-RDPBCGR", AppTransport::tcp, kRdpPorts, probe_rdp),
};

}  // namespace

std::span<const ParserDescriptor> recognised_windows() {
  return kRows;
}

}  // namespace gatehouse::ids
