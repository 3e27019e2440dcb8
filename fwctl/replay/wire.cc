#include "fwctl/replay/wire.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <optional>

#include "fwctl/model/field.h"

namespace gatehouse::fwctl {
namespace {

using Octets = std::vector<std::uint8_t>;
using Kind = prove::ByteKey::Kind;

void put16(Octets& out, std::size_t at, std::size_t value) {
  out[at] = static_cast<std::uint8_t>(value >> 8U);
  out[at + 1] = static_cast<std::uint8_t>(value);
}

// RFC 1071.
std::uint16_t checksum(const Octets& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(bytes[i] << 8) + (i + 1 < bytes.size() ? bytes[i + 1] : 0U);
  while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

std::uint16_t transport_checksum(const core::IpAddress& from, const core::IpAddress& to,
                                 std::uint8_t protocol, const Octets& payload) {
  Octets all;
  all.insert(all.end(), from.view().begin(), from.view().end());
  all.insert(all.end(), to.view().begin(), to.view().end());
  all.resize(all.size() + 8);
  put16(all, all.size() - 6, payload.size());
  all.back() = protocol;
  all.insert(all.end(), payload.begin(), payload.end());
  return checksum(all);
}

Octets ip_header(const core::IpAddress& from, const core::IpAddress& to, std::uint8_t protocol,
                 std::uint8_t hops, std::size_t payload) {
  Octets out(from.is_v4() ? 20 : 40);
  if (from.is_v4()) {
    out[0] = 0x45;
    put16(out, 2, 20 + payload);
    put16(out, 4, 1);
    out[8] = hops;
    out[9] = protocol;
    std::copy_n(from.bytes.begin(), 4, out.begin() + 12);
    std::copy_n(to.bytes.begin(), 4, out.begin() + 16);
    put16(out, 10, checksum(out));
  } else {
    out[0] = 0x60;
    put16(out, 4, payload);
    out[6] = protocol;
    out[7] = hops;
    std::copy_n(from.bytes.begin(), 16, out.begin() + 8);
    std::copy_n(to.bytes.begin(), 16, out.begin() + 24);
  }
  return out;
}

constexpr std::uint8_t kHopByHop = 0, kDestinationOptions = 60, kRecordRoute = 7, kRouterAlert = 148;

struct Piece {
  std::size_t offset = 0;
  bool more = false;
};

// The header of one piece, with the packet's options or extension headers (RFC 791 3.1, RFC 8200 4).
Octets header_of(const prove::Packet& p, const WireOptions& options, std::uint8_t hops, std::size_t payload,
                 std::optional<Piece> piece) {
  const std::vector<std::uint8_t> types = p.extensions();
  Octets more;
  if (p.family == 4) {
    for (const std::uint8_t type : types) {
      constexpr std::uint8_t kCopied = 0x80;  // into every piece
      if (piece && piece->offset != 0 && (type & kCopied) == 0) continue;
      const std::size_t at = more.size();
      more.resize(at + prove::option_bytes(type));
      more[at] = type;
      more[at + 1] = static_cast<std::uint8_t>(prove::option_bytes(type));
      if (type == kRecordRoute) more[at + 2] = 4;  // the first address is free
    }
    more.resize((more.size() + 3) / 4 * 4);
    Octets out = ip_header(p.address(Kind::source), p.address(Kind::destination), p.protocol(), hops, 0);
    out.insert(out.end(), more.begin(), more.end());
    out[0] = static_cast<std::uint8_t>(0x40 | out.size() / 4);
    put16(out, 2, out.size() + payload);
    put16(out, 4, options.number);
    const std::size_t flags = p.byte({Kind::network, 0, prove::kFragmentFlags}) & 0xc0U;
    put16(out, 6, flags << 8U | (piece && piece->more ? 0x2000U : 0U) | (piece ? piece->offset / 8 : 0));
    put16(out, 10, 0);
    put16(out, 10, checksum(out));
    return out;
  }
  Octets next = types;
  if (piece) next.push_back(prove::kFragmentHeader);
  next.push_back(p.protocol());
  for (std::size_t i = 0; i + 1 < next.size(); ++i) {
    Octets header = {next[i + 1], 0, 1, 4, 0, 0, 0, 0};  // PadN
    if (next[i] == prove::kFragmentHeader) {
      header[2] = 0;
      header[3] = 0;
      put16(header, 2, piece->offset | (piece->more ? 1U : 0U));
      put16(header, 6, options.number);
    }
    more.insert(more.end(), header.begin(), header.end());
  }
  Octets out =
      ip_header(p.address(Kind::source), p.address(Kind::destination), next[0], hops, more.size() + payload);
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

std::size_t checksum_place(std::uint8_t protocol) {
  switch (protocol) {
    case kProtocolTcp:
      return 16;
    case kProtocolUdp:
      return 6;
    case kProtocolIcmp:
    case kProtocolIcmpv6:
      return 2;
    default:
      return 0;
  }
}

}  // namespace

bool has_wire_form(const prove::Packet& p) {
  const auto is_known = [&](std::uint8_t type) {
    return p.family == 4 ? type == kRecordRoute || type == kRouterAlert
                         : type == kHopByHop || type == kDestinationOptions;
  };
  // What the header says of itself follows from the rest; a packet where it does not is none.
  prove::Packet usual = p;
  usual.complete_header();
  const prove::ByteKey tells{Kind::network, 0, p.family == 4 ? 0U : 6U};
  const int said = p.byte(tells) & (p.family == 4 ? 0x0f : 0xff);
  if (said != 0 && said != usual.byte(tells)) return false;
  const std::vector<std::uint8_t> types = p.extensions();
  const std::uint32_t alone = extension_key(NFT_EXTHDR_OP_IPV6, prove::kFragmentHeader);
  return std::all_of(types.begin(), types.end(), is_known) && p.byte({Kind::extension, alone, 1}) == 0;
}

std::vector<Octets> wire_form(const prove::Packet& p, const WireOptions& options) {
  const core::IpAddress from = p.address(Kind::source);
  const core::IpAddress to = p.address(Kind::destination);
  const std::uint8_t protocol = p.protocol();
  Octets payload(protocol == kProtocolUdp ? 24 : 20);
  for (std::uint32_t i = 0; i < payload.size(); ++i) payload[i] = p.byte({Kind::transport, 0, i});
  const bool icmp = protocol == kProtocolIcmp || protocol == kProtocolIcmpv6;
  if (protocol == kProtocolTcp) {
    put16(payload, 4, 1);  // sequence number
    payload[12] = 0x50;    // five words of header
    put16(payload, 14, 8192);
  } else if (protocol == kProtocolUdp) {
    put16(payload, 4, payload.size());
  } else if (icmp) {
    payload.resize(8);
    if (options.about_port != 0) {
      Octets inner(8);
      put16(inner, 0, options.about_port);
      put16(inner, 2, options.about_port);
      put16(inner, 4, 8);
      put16(inner, 6, 0xffff);
      const Octets header = ip_header(to, from, kProtocolUdp, 64, inner.size());
      payload.insert(payload.end(), header.begin(), header.end());
      payload.insert(payload.end(), inner.begin(), inner.end());
    } else if (payload[0] >= 133 && payload[0] <= 136) {
      payload.resize(8 + 32);  // a target, and no options
    } else if (payload[0] == 130 || payload[0] == 131 || payload[0] == 132) {
      payload.resize(24);
    }
  }
  // Enough for two pieces.
  constexpr std::size_t kTwoPieces = prove::kFirstPieceBytes + 16;
  if (p.fragment() != 0 && payload.size() < kTwoPieces) {
    payload.resize(kTwoPieces);
    if (protocol == kProtocolUdp) put16(payload, 4, payload.size());
  }
  if (p.fragment() != 0 && options.about_port == 0) {  // an error's data is what it is about
    constexpr std::size_t kBegin = prove::kFirstPieceBytes;
    for (std::uint32_t b = 0; kBegin + b < payload.size(); ++b) {
      if (const auto at = p.bytes.find({Kind::piece, 0, b}); at != p.bytes.end())
        payload[kBegin + b] = at->second;
    }
  }
  if (const std::size_t at = checksum_place(protocol); at != 0) {
    put16(payload, at, 0);
    std::uint16_t sum =
        protocol == kProtocolIcmp ? checksum(payload) : transport_checksum(from, to, protocol, payload);
    if (options.wrong_checksum) sum = static_cast<std::uint16_t>(sum ^ 0x5555U);
    if (sum == 0) sum = 0xffff;
    put16(payload, at, sum);
  }
  const std::uint8_t hops = p.bytes.count({Kind::hop_limit}) != 0 ? p.byte({Kind::hop_limit}) : 64;
  const auto piece = [&](std::size_t begin, std::size_t end, std::optional<Piece> is) {
    Octets out = header_of(p, options, hops, end - begin, is);
    out.insert(out.end(), payload.begin() + static_cast<std::ptrdiff_t>(begin),
               payload.begin() + static_cast<std::ptrdiff_t>(end));
    return out;
  };
  if (p.fragment() == 0) return {piece(0, payload.size(), std::nullopt)};
  constexpr std::size_t kCut = prove::kFirstPieceBytes;
  const Octets first = piece(0, kCut, Piece{0, true});
  const Octets later = piece(kCut, payload.size(), Piece{kCut, false});
  return p.fragment() == prove::kFirstPiece ? std::vector{later, first} : std::vector{first, later};
}

}  // namespace gatehouse::fwctl
