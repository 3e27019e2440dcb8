// What the loading expressions of nf_tables put into registers, as the bytes of a packet that they are.
// The kernel's rules for this are in one place, for the diagrams and for the interpreter alike.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fwctl/prove/symbolic.h"

namespace gatehouse::fwctl::prove {

// One loaded byte: a constant, with the bits of `mask` from a byte of the packet.
struct LoadedByte {
  std::optional<ByteKey> key;
  std::uint8_t mask = 0xff;
  std::uint8_t constant = 0;
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
  std::optional<ByteKey> unless;  // fails where it is set
  bool unsure_of_pieces = false;  // of a packet in pieces the load may fail: the reason is `why`
  std::string why;                // unknown, or unsure
};

// `taken_out`: a rule before has taken the packet out of connection tracking.
Loaded load(const LoadMeta& e, const Place& place, const Writes& writes);
Loaded load(const LoadCt& e, const Place& place, const Writes& writes, bool taken_out);
Loaded load(const LoadFib& e, const Place& place);
Loaded load(const LoadSocket& e, const Place& place);
Loaded load_extension(const Foreign& e, const Place& place);
Loaded load(const LoadPayload& e, const Place& place, const Writes& writes);

}  // namespace gatehouse::fwctl::prove
