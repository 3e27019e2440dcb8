// What the loading expressions of nf_tables put into registers, as the bytes of a packet that they are.
// The kernel's rules for this are in one place, for the diagrams and for the interpreter alike.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fwctl/prove/symbolic.h"

namespace gatehouse::fwctl::prove {

// One loaded byte: a constant, or a byte of the packet (all of it, or its lowest bit alone).
struct LoadedByte {
  std::optional<ByteKey> key;
  std::uint8_t constant = 0;
  bool lowest_bit_only = false;
  bool is_protocol_version = false;  // high half constant (the IP version), low half of the packet
};

struct Loaded {
  enum class Kind : std::uint8_t {
    bytes,
    no_match,  // the load fails: the rule does not match
    unknown,   // this version cannot say
  };
  Kind kind = Kind::bytes;
  std::vector<LoadedByte> bytes;
  bool needs_connection = false;  // fails for packets that are invalid or untracked
  std::optional<ByteKey> needs;   // fails where the lowest bit of this byte is clear
  std::string why;                // unknown
};

// `taken_out`: a rule before has taken the packet out of connection tracking.
Loaded load(const LoadMeta& e, const Place& place, const Writes& writes);
Loaded load(const LoadCt& e, const Place& place, const Writes& writes, bool taken_out);
Loaded load(const LoadFib& e, const Place& place);
Loaded load(const LoadSocket& e, const Place& place);
Loaded load(const LoadPayload& e, const Place& place, const Writes& writes);

}  // namespace gatehouse::fwctl::prove
