// Which bit of a packet is which variable; and packets as values.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/ip.h"
#include "core/result.h"
#include "fwctl/compile/kernel_table.h"
#include "fwctl/prove/diagram/relation.h"

namespace gatehouse::fwctl::prove {

// What netfilter makes of a packet: the hooks it passes.
enum class Path : std::uint8_t { through, to_gatehouse, from_gatehouse };
// One byte of what a ruleset can look at.
struct ByteKey {
  enum class Kind : std::uint8_t {
    ct_state,  // the one byte of the state that is used
    fib,       // a = result << 16 | flags; byte b of the answer
    iifname,   // byte b, padded with zeros to 16
    oifname,
    source,  // byte b of the address
    destination,
    protocol,  // meta l4proto
    hop_limit,
    transport,  // byte b from the transport header's start
    network,    // byte b from the network header's start, what is not one of the above
    meta,       // byte b of key a
    ct,         // byte b of key a
    banned,     // is the source among the banned? 0 or 1
    member,     // a = number of a large set: is the packet in it?
    fragment,   // 0: the packet is sent whole; else the piece that is looked at: kFirstPiece or kLaterPiece
    piece,      // byte b of the data of a piece that does not begin its packet
    extension,  // a = extension_key(): is there such a header or option? 0 or 1. b = 1: of the fragment
                // header, when all pieces are put together
    group,      // byte b of the number of the control group at level a; b = 8: is there one? 0 or 1
  };
  Kind kind;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  friend auto operator<=>(const ByteKey&, const ByteKey&) = default;
};

constexpr std::uint32_t fib_question(std::uint32_t result, std::uint32_t flags) {
  return result << 16U | flags;
}
// The question of strict reverse path filtering: is there a route back out of the interface?
std::uint32_t route_back_question();

// Does a socket of a program stand behind the packet? The byte after its user.
ByteKey has_user();
// Is the program in a control group so far below the root?
ByteKey has_group(std::uint32_t level);

// How long an option of IPv4 is, of those that nf_tables knows.
constexpr std::size_t option_bytes(std::uint8_t type) {
  constexpr std::uint8_t kRouterAlert = 148;  // RFC 2113; the others are routes, here with one address
  return type == kRouterAlert ? 4 : 7;
}

// A packet with everything that decides about it. What is not in `bytes` is zero.
struct Packet {
  Path path = Path::through;
  std::uint8_t family = 4;  // 4 or 6
  std::map<ByteKey, std::uint8_t> bytes;

  std::uint8_t byte(const ByteKey& key) const;
  void set(ByteKey::Kind kind, const core::IpAddress& address);
  void set(ByteKey::Kind kind, std::string_view interface);
  void set(const ByteKey& key, std::uint8_t value) { bytes[key] = value; }
  core::IpAddress address(ByteKey::Kind kind) const;
  std::string interface(ByteKey::Kind kind) const;
  std::uint8_t protocol() const { return byte({ByteKey::Kind::protocol}); }
  std::uint8_t fragment() const { return byte({ByteKey::Kind::fragment}); }
  // The types of its extension headers or options, ascending; without the fragment header.
  std::vector<std::uint8_t> extensions() const;
  // Sets what the header says of the rest as it usually does: its length, what comes next, which piece this
  // is.
  void complete_header();
  // Whose program sends it, if one does.
  std::optional<std::uint32_t> user() const;
  void set_user(std::uint32_t user);
  // The control groups that its program is in, by level.
  std::map<std::uint32_t, std::uint64_t> groups() const;
  void set_group(std::uint32_t level, std::uint64_t id);
  std::uint16_t port(std::uint32_t offset) const;
  void set_port(std::uint32_t offset, std::uint16_t port);
  // "in wan0 out srv0 tcp 198.51.100.2:1024 > 10.66.1.10:80 SYN new hop-limit 64"; parse_packet() reads it.
  std::string to_string() const;
};
// Of a packet that is sent in pieces: the one that begins it, or another. Its number of bytes of 8 is where a
// later one begins.
inline constexpr std::uint8_t kFirstPiece = 1, kLaterPiece = 3;
inline constexpr std::uint32_t kFirstPieceBytes = 24;
// The bytes of an IPv4 header that tell pieces, and the fragment header of IPv6 as an extension.
inline constexpr std::uint32_t kFragmentFlags = 6, kFragmentOffset = 7, kFragmentHeader = 44;
inline constexpr std::uint32_t kSourcePort = 0, kDestinationPort = 2, kTcpFlags = 13;

inline constexpr std::uint8_t kStateInvalid = 1, kStateEstablished = 2, kStateRelated = 4, kStateNew = 8,
                              kStateUntracked = 64;

// A packet as people write it. Words in any order: `in IFACE`, `out IFACE`, a protocol (tcp, udp, icmp,
// icmpv6 or `protocol N`), `SOURCE > DESTINATION` with :PORT, TCP flags (SYN|ACK), `type N`, a connection
// state, `hop-limit N`, `user N`, `cgroup PATH` or `cgroup LEVEL:NUMBER`, `fragment first|later`,
// `extension NAME|NUMBER` (of IPv6), `option NAME|NUMBER` (of IPv4), `no-route-back`, `banned`, and
// KIND:A:B=VALUE for any other byte a rule looks at. `interface_of` translates what stands after `in` and
// `out`; `groups_of` gives the numbers of the control groups on a path, the outermost first.
using InterfaceOf = std::function<std::string(const std::string&)>;
using GroupsOf = std::function<std::vector<std::uint64_t>(const std::string&)>;
core::Result<Packet> parse_packet(const std::string& text, const InterfaceOf& interface_of,
                                  const GroupsOf& groups_of = {});

// The variables of the packets of one family. Fields that rulesets ask for most have fixed places, chosen
// so that the keys of common sets ascend; others get theirs when they are asked for.
class Fields {
 public:
  explicit Fields(std::uint8_t family) : family_(family) {}

  std::uint8_t family() const { return family_; }
  // The variable of the byte's most significant bit; the other seven follow.
  Variable variable(const ByteKey& key);
  // True while there is room near the root, where a single bit that decides much belongs.
  bool has_early_place() const;
  // Eight bits for each byte.
  void append(Word& word, const ByteKey& key);
  Word word(ByteKey::Kind kind, std::size_t bytes);
  // One bit: is the source among the banned?
  Word banned();
  // An address of this family.
  Word address(ByteKey::Kind kind) { return word(kind, family_ == 4 ? 4 : 16); }

  bool bit(const Packet& packet, Variable v) const;
  // The packet of a path through a diagram; what the path leaves open is clear.
  Packet packet(Path path, const std::vector<std::int8_t>& decisions) const;

 private:
  std::uint8_t family_;
  std::map<ByteKey, Variable> places_;
  std::map<Variable, ByteKey> keys_;
  Variable next_ = 704;
  Variable next_early_ = 8;
};

}  // namespace gatehouse::fwctl::prove
