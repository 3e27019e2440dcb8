// Base64 as rules decode it: leniently, because what is looked for is rarely well-formed.
#pragma once

#include <cstdint>
#include <vector>

#include "core/bytes.h"

namespace gatehouse::ids {

enum class Base64Mode : std::uint8_t {
  rfc4648,  // up to the first byte that is not of the alphabet; a last group may lack its padding
  rfc2045,  // bytes that are not of the alphabet are skipped; a last group that is not full is dropped
  strict,   // well-formed as a whole, or nothing
};

// Replaces `out`. False: there was nothing to decode, or it is malformed; `out` is empty then.
// `=` ends a group of four, not the data: what was written in pieces decodes in pieces.
bool decode_base64(core::ByteView in, Base64Mode mode, std::vector<std::uint8_t>& out);

}  // namespace gatehouse::ids
