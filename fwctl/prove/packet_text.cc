// Packets as text.
#include <fmt/format.h>

#include "fwctl/prove/packet_words.h"

namespace gatehouse::fwctl::prove {
namespace {

using Kind = ByteKey::Kind;

std::string printable(const std::string& interface) {
  std::string out;
  for (const char c : interface) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte > 0x20 && byte < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return out;
}

std::string flags_text(std::uint8_t flags) {
  std::string out;
  for (const auto& f : kFlags) {
    if ((flags & f.value) != 0) out += (out.empty() ? "" : "|") + std::string(f.name);
  }
  return out.empty() ? "no-flags" : out;
}

// Bytes that the words before have told.
bool told(const Packet& p, const ByteKey& key) {
  switch (key.kind) {
    case Kind::transport: {
      const std::uint8_t protocol = p.protocol();
      if (protocol == kProtocolTcp && key.b == kTcpFlags) return true;
      if (protocol == kProtocolTcp || protocol == kProtocolUdp) return key.b < 4;
      return (protocol == kProtocolIcmp || protocol == kProtocolIcmpv6) && key.b == 0;
    }
    case Kind::fib:
      return key.a == route_back_question() && key.b == 0;
    case Kind::network: {
      Packet usual = p;
      usual.complete_header();
      return usual.byte(key) == p.byte(key);
    }
    case Kind::piece:
    case Kind::meta:
    case Kind::ct:
      return false;
    default:
      return true;
  }
}

}  // namespace

std::string Packet::to_string() const {
  std::string out;
  if (path != Path::from_gatehouse) out += "in " + printable(interface(Kind::iifname)) + ' ';
  if (path != Path::to_gatehouse) out += "out " + printable(interface(Kind::oifname)) + ' ';
  const std::uint8_t p = protocol();
  const std::string_view word = name_of(kProtocols, p);
  out += word.empty() ? fmt::format("protocol {} ", p) : std::string(word) + ' ';
  const bool ports = p == kProtocolTcp || p == kProtocolUdp;
  const auto end = [&](Kind kind, std::uint32_t offset) {
    const std::string a = address(kind).to_string();
    if (!ports) return a;
    return family == 4 ? fmt::format("{}:{}", a, port(offset)) : fmt::format("[{}]:{}", a, port(offset));
  };
  out += end(Kind::source, kSourcePort) + " > " + end(Kind::destination, kDestinationPort);
  if (p == kProtocolTcp) out += ' ' + flags_text(byte({Kind::transport, 0, kTcpFlags}));
  if (p == kProtocolIcmp || p == kProtocolIcmpv6) out += fmt::format(" type {}", byte({Kind::transport}));
  const std::uint8_t state = byte({Kind::ct_state});
  out += ' ';
  out += name_of(kStates, state).empty() ? fmt::format("state-{:#x}", state) : name_of(kStates, state);
  if (bytes.count({Kind::hop_limit}) != 0) out += fmt::format(" hop-limit {}", byte({Kind::hop_limit}));
  if (path != Path::from_gatehouse && (byte({Kind::fib, route_back_question(), 0}) & 1) == 0)
    out += " no-route-back";
  if (byte({Kind::banned}) != 0) out += " banned";
  if (const std::string_view piece = name_of(kPieces, fragment()); !piece.empty())
    out += fmt::format(" fragment {}", piece);
  for (const auto& [key, value] : bytes) {
    if (key.kind != Kind::extension || (value & 1) == 0) continue;
    const auto type = static_cast<std::uint8_t>(key.a & 0xffU);
    const bool v6 = key.a >> 8U == NFT_EXTHDR_OP_IPV6;
    // Told by `fragment`, or left where there is no other piece.
    if (v6 && type == kFragmentHeader && key.b == 0) continue;
    const std::string_view name = v6 ? name_of(kExtensions, type) : name_of(kOptions, type);
    out += fmt::format(" {} {}", v6 ? "extension" : "option",
                       name.empty() ? std::to_string(type) : std::string(name));
  }
  for (const auto& [key, value] : bytes) {
    if (value == 0 || told(*this, key)) continue;
    if (key.kind == Kind::meta && key.a == NFT_META_SKUID) continue;
    out += fmt::format(" {}:{}:{}={:#x}", name_of(kOtherBytes, key.kind), key.a, key.b, value);
  }
  if (const auto sender = user()) out += fmt::format(" user {}", *sender);
  for (const auto& [level, id] : groups()) out += fmt::format(" cgroup {}:{}", level, id);
  return out;
}

}  // namespace gatehouse::fwctl::prove
