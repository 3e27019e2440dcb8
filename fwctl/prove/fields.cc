#include "fwctl/prove/fields.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace gatehouse::fwctl::prove {
namespace {

using Kind = ByteKey::Kind;

// The order of the fixed fields: protocol and ports stand above the addresses. Rules that name a port name a
// protocol, so rules of different services share no path; below them each service keeps its own addresses.
constexpr Variable kState = 0, kProtocol = 136, kDport = 144, kSport = 160, kFlags = 176, kHopLimit = 184,
                   kIifname = 192, kOifname = 320, kSource = 448, kDestination = 576;
constexpr Variable kEarlyEnd = kProtocol;
constexpr Variable kLastVariable = 60'000;

}  // namespace

std::uint32_t route_back_question() {
  return fib_question(NFT_FIB_RESULT_OIF, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT);
}

ByteKey has_user() {
  return {Kind::meta, NFT_META_SKUID, sizeof(std::uint32_t)};
}

ByteKey has_group(std::uint32_t level) {
  return {Kind::group, level, sizeof(std::uint64_t)};
}

std::uint8_t Packet::byte(const ByteKey& key) const {
  const auto at = bytes.find(key);
  return at == bytes.end() ? 0 : at->second;
}
void Packet::set(Kind kind, const core::IpAddress& address) {
  for (std::uint32_t i = 0; i < address.size(); ++i) bytes[{kind, 0, i}] = address.bytes[i];
}
void Packet::set(Kind kind, std::string_view interface) {
  for (std::uint32_t i = 0; i < 16; ++i)
    bytes[{kind, 0, i}] = i < interface.size() ? static_cast<std::uint8_t>(interface[i]) : 0;
}
core::IpAddress Packet::address(Kind kind) const {
  std::array<std::uint8_t, 16> out{};
  for (std::uint32_t i = 0; i < 16; ++i) out[i] = byte({kind, 0, i});
  return core::IpAddress::from_bytes(core::ByteView(out).first(family == 4 ? 4 : 16));
}
std::string Packet::interface(Kind kind) const {
  std::string out;
  for (std::uint32_t i = 0; i < 16 && byte({kind, 0, i}) != 0; ++i)
    out += static_cast<char>(byte({kind, 0, i}));
  return out;
}
std::uint16_t Packet::port(std::uint32_t offset) const {
  return static_cast<std::uint16_t>(byte({Kind::transport, 0, offset}) << 8U |
                                    byte({Kind::transport, 0, offset + 1}));
}
void Packet::set_port(std::uint32_t offset, std::uint16_t port) {
  bytes[{Kind::transport, 0, offset}] = static_cast<std::uint8_t>(port >> 8U);
  bytes[{Kind::transport, 0, offset + 1}] = static_cast<std::uint8_t>(port);
}

std::optional<std::uint32_t> Packet::user() const {
  if ((byte(has_user()) & 1) == 0) return std::nullopt;
  std::uint32_t out = 0;
  std::array<std::uint8_t, sizeof out> bytes_of_it{};
  for (std::uint32_t i = 0; i < sizeof out; ++i) bytes_of_it[i] = byte({Kind::meta, NFT_META_SKUID, i});
  std::memcpy(&out, bytes_of_it.data(), sizeof out);
  return out;
}

void Packet::set_user(std::uint32_t user) {
  const Bytes number = host_order(user);
  for (std::uint32_t i = 0; i < number.size(); ++i) set({Kind::meta, NFT_META_SKUID, i}, number[i]);
  set(has_user(), 1);
}

std::vector<std::uint8_t> Packet::extensions() const {
  std::vector<std::uint8_t> out;
  const std::uint32_t op = family == 6 ? NFT_EXTHDR_OP_IPV6 : NFT_EXTHDR_OP_IPV4;
  for (const auto& [key, value] : bytes) {
    const auto type = static_cast<std::uint8_t>(key.a & 0xffU);
    const bool fragments = family == 6 && type == kFragmentHeader;
    if (key.kind == Kind::extension && key.a == extension_key(op, type) && (value & 1) != 0 && !fragments)
      out.push_back(type);
  }
  return out;
}

void Packet::complete_header() {
  constexpr std::uint8_t kMore = 0x20, kOthers = 0xc0;
  const std::vector<std::uint8_t> more = extensions();
  const std::uint32_t header = extension_key(NFT_EXTHDR_OP_IPV6, kFragmentHeader);
  const bool alone = byte({Kind::extension, header, 1}) != 0;
  if (family == 6) {
    set({Kind::extension, header, 0}, fragment() != 0 || alone ? 1 : 0);
    if (fragment() != 0) set({Kind::extension, header, 1}, 0);
    const bool in_pieces = fragment() != 0 || alone;
    set({Kind::network, 0, 6}, !more.empty() ? more[0]
                               : in_pieces   ? std::uint8_t{kFragmentHeader}
                                             : protocol());
    return;
  }
  std::size_t length = 20;
  for (const std::uint8_t type : more) length += option_bytes(type);
  set({Kind::network, 0, 0}, static_cast<std::uint8_t>((length + 3) / 4));
  const int others = byte({Kind::network, 0, kFragmentFlags}) & kOthers;
  set({Kind::network, 0, kFragmentFlags},
      static_cast<std::uint8_t>(others | (fragment() == kFirstPiece ? kMore : 0)));
  set({Kind::network, 0, kFragmentOffset}, fragment() == kLaterPiece ? kFirstPieceBytes / 8 : 0);
}

std::map<std::uint32_t, std::uint64_t> Packet::groups() const {
  std::map<std::uint32_t, std::uint64_t> out;
  for (const auto& [key, value] : bytes) {
    if (key.kind != Kind::group || key != has_group(key.a) || (value & 1) == 0) continue;
    std::array<std::uint8_t, sizeof(std::uint64_t)> number{};
    for (std::uint32_t i = 0; i < number.size(); ++i) number[i] = byte({Kind::group, key.a, i});
    std::memcpy(&out[key.a], number.data(), number.size());
  }
  return out;
}

void Packet::set_group(std::uint32_t level, std::uint64_t id) {
  std::array<std::uint8_t, sizeof id> number{};
  std::memcpy(number.data(), &id, sizeof id);
  for (std::uint32_t i = 0; i < number.size(); ++i) set({Kind::group, level, i}, number[i]);
  set(has_group(level), 1);
}

bool Fields::has_early_place() const {
  return next_early_ < kEarlyEnd;
}

Variable Fields::variable(const ByteKey& key) {
  const auto b = static_cast<Variable>(key.b * 8);
  switch (key.kind) {
    case Kind::ct_state:
      return kState;
    case Kind::iifname:
      return static_cast<Variable>(kIifname + b);
    case Kind::oifname:
      return static_cast<Variable>(kOifname + b);
    case Kind::source:
      return static_cast<Variable>(kSource + b);
    case Kind::destination:
      return static_cast<Variable>(kDestination + b);
    case Kind::protocol:
      return kProtocol;
    case Kind::hop_limit:
      return kHopLimit;
    case Kind::transport:
      if (key.b < 2) return static_cast<Variable>(kSport + b);
      if (key.b < 4) return static_cast<Variable>(kDport + b - 16);
      if (key.b == kTcpFlags) return kFlags;
      break;
    default:
      break;
  }
  if (const auto at = places_.find(key); at != places_.end()) return at->second;
  const bool near_root = key.kind == Kind::fib || key.kind == Kind::member || key.kind == Kind::banned;
  const bool early = near_root && has_early_place();
  Variable& next = early ? next_early_ : next_;
  if (next > kLastVariable) throw TooLarge{};
  const Variable out = next;
  next = static_cast<Variable>(next + 8);
  places_.emplace(key, out);
  keys_.emplace(out, key);
  return out;
}

void Fields::append(Word& word, const ByteKey& key) {
  const Variable v = variable(key);
  for (Variable i = 0; i < 8; ++i) word.push_back(Bit::of(static_cast<Variable>(v + i)));
}

Word Fields::banned() {
  return {Bit::of(static_cast<Variable>(variable({Kind::banned}) + 7))};
}

Word Fields::word(Kind kind, std::size_t bytes) {
  Word out;
  for (std::uint32_t i = 0; i < bytes; ++i) append(out, {kind, 0, i});
  return out;
}

namespace {

struct Fixed {
  Variable first;
  std::uint32_t bytes;
  Kind kind;
  std::uint32_t offset;
};
constexpr std::array<Fixed, 10> kFixed = {{{kState, 1, Kind::ct_state, 0},
                                           {kIifname, 16, Kind::iifname, 0},
                                           {kOifname, 16, Kind::oifname, 0},
                                           {kSource, 16, Kind::source, 0},
                                           {kDestination, 16, Kind::destination, 0},
                                           {kProtocol, 1, Kind::protocol, 0},
                                           {kDport, 2, Kind::transport, 2},
                                           {kSport, 2, Kind::transport, 0},
                                           {kHopLimit, 1, Kind::hop_limit, 0},
                                           {kFlags, 1, Kind::transport, kTcpFlags}}};

bool fixed_key(Variable v, ByteKey& key) {
  for (const Fixed& f : kFixed) {
    if (v < f.first || v >= f.first + f.bytes * 8) continue;
    key = {f.kind, 0, f.offset + (v - f.first) / 8U};
    return true;
  }
  return false;
}

}  // namespace

bool Fields::bit(const Packet& packet, Variable v) const {
  ByteKey key{Kind::ct_state};
  const auto first = static_cast<Variable>(v - v % 8);  // every block begins at a multiple of 8
  if (!fixed_key(v, key)) {
    const auto at = keys_.find(first);
    if (at == keys_.end()) return false;
    key = at->second;
  }
  return (packet.byte(key) >> (7 - v % 8) & 1) != 0;
}

Packet Fields::packet(Path path, const std::vector<std::int8_t>& decisions) const {
  Packet out;
  out.path = path;
  out.family = family_;
  for (std::size_t v = 0; v < decisions.size(); ++v) {
    if (decisions[v] < 0) continue;
    ByteKey key{Kind::ct_state};
    if (!fixed_key(static_cast<Variable>(v), key)) {
      const auto at = keys_.find(static_cast<Variable>(v - v % 8));
      if (at == keys_.end()) continue;
      key = at->second;
    }
    std::uint8_t& byte = out.bytes[key];
    if (decisions[v] == 1) byte = static_cast<std::uint8_t>(byte | 0x80U >> (v % 8));
  }
  return out;
}

}  // namespace gatehouse::fwctl::prove
