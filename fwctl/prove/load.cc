#include "fwctl/prove/load.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

namespace gatehouse::fwctl::prove {
namespace {

using Kind = ByteKey::Kind;
using Pieces = Place::Pieces;

// Of a later piece of IPv6: behind its fragment header another extension header would follow, which is in the
// first piece. Then there is no transport protocol (ipv6_find_hdr() finds none).
constexpr ByteKey kHeadersGoOn{Kind::piece, 1, 0};

LoadedByte constant(std::uint8_t value) {
  LoadedByte out;
  out.constant = value;
  return out;
}
LoadedByte from(Kind kind, std::uint32_t a = 0, std::uint32_t b = 0) {
  LoadedByte out;
  out.key = ByteKey{kind, a, b};
  return out;
}

Loaded unknown(std::string why) {
  Loaded out;
  out.kind = Loaded::Kind::unknown;
  out.why = std::move(why);
  return out;
}

Loaded run(Kind kind, std::uint32_t a, std::uint32_t count, bool present = true) {
  Loaded out;
  for (std::uint32_t i = 0; i < count; ++i) out.bytes.push_back(present ? from(kind, a, i) : constant(0));
  return out;
}

// Sizes of the metadata that is an input like any other; 0: not one of these.
std::uint32_t free_meta_size(std::uint32_t key) {
  switch (key) {
    case NFT_META_PKTTYPE:
      return 1;
    case NFT_META_IIFTYPE:
    case NFT_META_OIFTYPE:
      return 2;
    case NFT_META_LEN:
    case NFT_META_PRIORITY:
    case NFT_META_MARK:
    case NFT_META_CPU:
    case NFT_META_IIFGROUP:
    case NFT_META_OIFGROUP:
      return 4;
    default:
      return 0;
  }
}

std::uint32_t free_ct_size(std::uint32_t key) {
  switch (key) {
    case NFT_CT_DIRECTION:
      return 1;
    case NFT_CT_ZONE:
      return 2;
    case NFT_CT_STATUS:
    case NFT_CT_MARK:
      return 4;
    default:
      return 0;
  }
}

Loaded unsure(Loaded loaded, std::string why) {
  loaded.unsure_of_pieces = true;
  loaded.why = std::move(why);
  return loaded;
}

LoadedByte network_byte(std::uint8_t family, Pieces pieces, std::uint32_t offset) {
  if (offset == 0) {
    LoadedByte out = from(Kind::network, 0, 0);
    out.mask = 0x0f;  // above it the version
    out.constant = static_cast<std::uint8_t>(family << 4U);
    return out;
  }
  if (family == 4) {
    // Put together, a packet has neither "more fragments" nor an offset; of the flags it may have the other
    // two.
    if (offset == kFragmentFlags && pieces == Pieces::whole) {
      LoadedByte out = from(Kind::network, 0, offset);
      out.mask = 0xc0;
      return out;
    }
    if (offset == kFragmentOffset && pieces == Pieces::whole) return constant(0);
    if (offset == 8) return from(Kind::hop_limit);
    if (offset == 9) return from(Kind::protocol);
    if (offset >= 12 && offset < 16) return from(Kind::source, 0, offset - 12);
    if (offset >= 16 && offset < 20) return from(Kind::destination, 0, offset - 16);
  } else {
    if (offset == 7) return from(Kind::hop_limit);
    if (offset >= 8 && offset < 24) return from(Kind::source, 0, offset - 8);
    if (offset >= 24 && offset < 40) return from(Kind::destination, 0, offset - 24);
  }
  return from(Kind::network, 0, offset);
}

}  // namespace

Loaded load(const LoadMeta& e, const Place& place, const Writes& writes) {
  if (writes.meta.count(e.key) != 0)
    return unknown(fmt::format("meta key {} is set by one rule and read by another", e.key));
  Loaded out;
  switch (e.key) {
    case NFT_META_NFPROTO:
      out.bytes = {constant(place.family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6)};
      return out;
    case NFT_META_PROTOCOL:
      out.bytes = place.family == 4 ? std::vector<LoadedByte>{constant(0x08), constant(0x00)}
                                    : std::vector<LoadedByte>{constant(0x86), constant(0xdd)};
      return out;
    case NFT_META_L4PROTO:
      out.bytes = {from(Kind::protocol)};
      if (place.family != 6 || !place.later) return out;
      if (place.pieces == Pieces::unsure) return unsure(std::move(out), "meta l4proto of a fragment of IPv6");
      out.unless = kHeadersGoOn;
      return out;
    case NFT_META_IIFNAME:
      return run(Kind::iifname, 0, 16, place.in);
    case NFT_META_OIFNAME:
      return run(Kind::oifname, 0, 16, place.out);
    case NFT_META_IIF:
      return run(Kind::meta, e.key, 4, place.in);
    case NFT_META_OIF:
      return run(Kind::meta, e.key, 4, place.out);
    case NFT_META_IIFTYPE:
    case NFT_META_IIFGROUP:
    case NFT_META_OIFTYPE:
    case NFT_META_OIFGROUP: {
      const bool in = e.key == NFT_META_IIFTYPE || e.key == NFT_META_IIFGROUP;
      if (in ? place.in : place.out) return run(Kind::meta, e.key, free_meta_size(e.key));
      out.kind = Loaded::Kind::no_match;  // there is no such interface to ask
      return out;
    }
    default:
      break;
  }
  if (e.key == NFT_META_SKUID) {
    out = run(Kind::meta, e.key, 4);
    out.needs = has_user();
    return out;
  }
  if (const std::uint32_t size = free_meta_size(e.key); size != 0) return run(Kind::meta, e.key, size);
  return unknown(fmt::format("meta key {}", e.key));
}

Loaded load(const LoadCt& e, const Place& place, const Writes& writes, bool taken_out) {
  if (place.at_tracking) return unknown("connection state at connection tracking's own priority");
  Loaded out;
  if (e.key == NFT_CT_STATE) {
    out.bytes.assign(4, constant(0));  // host order: the used bits are in the first byte
    out.bytes[0] = taken_out       ? constant(kStateUntracked)
                   : place.tracked ? from(Kind::ct_state)
                                   : constant(kStateInvalid);
    return out;
  }
  if (taken_out || !place.tracked) {
    out.kind = Loaded::Kind::no_match;
    return out;
  }
  if (writes.ct.count(e.key) != 0)
    return unknown(fmt::format("ct key {} is set by one rule and read by another", e.key));
  const std::uint32_t size = free_ct_size(e.key);
  if (size == 0) return unknown(fmt::format("ct key {}", e.key));
  out = run(Kind::ct, e.key, size);
  out.needs_connection = true;
  return out;
}

Loaded load(const LoadFib& e, const Place& place) {
  if (place.ingress) return unknown("fib at an ingress hook");
  const std::uint32_t question = fib_question(e.result, e.flags);
  Loaded out;
  if ((e.flags & NFTA_FIB_F_PRESENT) != 0 || e.result == NFT_FIB_RESULT_ADDRTYPE) {
    out.bytes.assign(4, constant(0));
    out.bytes[0] = from(Kind::fib, question);
    if ((e.flags & NFTA_FIB_F_PRESENT) != 0) out.bytes[0].mask = 1;
    return out;
  }
  return run(Kind::fib, question, e.result == NFT_FIB_RESULT_OIFNAME ? 16 : 4);
}

Loaded load(const LoadSocket& e, const Place& place) {
  // Of a packet that comes in the kernel asks for the socket that waits for it.
  if (place.in) return unknown("the control group of a socket that waits for packets");
  if (e.key != NFT_SOCKET_CGROUPV2) return unknown(fmt::format("socket key {}", e.key));
  Loaded out = run(Kind::group, e.level, sizeof(std::uint64_t));
  out.needs = has_group(e.level);
  return out;
}

namespace {

// A transport header is asked of a piece that has none. Loads of one, two or four aligned bytes do not see
// that (nft_payload.c: nft_payload_fast_eval, Linux 6.18): of IPv4 they read what data the piece has there,
// of IPv6 the IP header from its beginning, since ipv6_find_hdr() gives no offset. All others fail.
Loaded beyond_the_header(const LoadPayload& e, const Place& place) {
  if (place.pieces == Pieces::unsure) return unknown("a transport header of a fragment");
  Loaded out;
  const bool fast = (e.length == 1 || e.length == 2 || e.length == 4) && e.offset % e.length == 0;
  if (!fast) {
    out.kind = Loaded::Kind::no_match;
    return out;
  }
  for (std::uint32_t i = e.offset; i < e.offset + e.length; ++i)
    out.bytes.push_back(place.family == 4 ? from(Kind::piece, 0, i) : network_byte(6, place.pieces, i));
  if (place.family == 6) out.unless = kHeadersGoOn;
  return out;
}

}  // namespace

Loaded load(const LoadPayload& e, const Place& place, const Writes& writes) {
  const bool network = e.base == NFT_PAYLOAD_NETWORK_HEADER;
  if (!network && e.base != NFT_PAYLOAD_TRANSPORT_HEADER)
    return unknown(e.base == NFT_PAYLOAD_LL_HEADER ? "the link layer header" : "an inner header");
  // Beyond the headers that every packet of the protocol has, the load may fail.
  if (e.offset + e.length > (network ? (place.family == 4 ? 20U : 40U) : 20U))
    return unknown(fmt::format("bytes {} to {} of the {} header", e.offset, e.offset + e.length - 1,
                               network ? "network" : "transport"));
  Loaded out;
  for (std::uint32_t i = 0; i < e.length; ++i) {
    if (writes.payload.count({e.base, e.offset + i}) != 0)
      return unknown("a header field that is written by one rule and read by another");
    out.bytes.push_back(network ? network_byte(place.family, place.pieces, e.offset + i)
                                : from(Kind::transport, 0, e.offset + i));
  }
  if (place.pieces == Pieces::whole) return out;
  if (!network && place.later) return beyond_the_header(e, place);
  // The least piece that begins a packet has eight bytes of the header.
  constexpr std::uint32_t kLeastPiece = 8;
  if (!network && e.offset + e.length > kLeastPiece)
    return unsure(std::move(out), "a transport header of a fragment");
  const bool tells_pieces =
      network && place.family == 4 && e.offset <= kFragmentOffset && e.offset + e.length > kFragmentFlags;
  if (tells_pieces && place.pieces == Pieces::unsure) return unsure(std::move(out), "the fragment offset");
  return out;
}

Loaded load_extension(const Foreign& e, const Place& place) {
  Loaded out;
  const std::uint32_t family = e.key >> 8U == NFT_EXTHDR_OP_IPV6 ? 6 : 4;
  if (family != place.family) {
    out.bytes = {constant(0)};
    return out;
  }
  out.bytes = {from(Kind::extension, e.key)};
  out.bytes[0].mask = 1;
  if (e.key == extension_key(NFT_EXTHDR_OP_IPV6, kFragmentHeader)) {
    out.bytes[0].key->b = place.pieces == Pieces::whole ? 1 : 0;
    return place.pieces == Pieces::unsure ? unsure(std::move(out), "the fragment header") : out;
  }
  if (place.later) return unsure(std::move(out), "an extension header or option of a fragment");
  return out;
}

}  // namespace gatehouse::fwctl::prove
