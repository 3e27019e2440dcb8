// Well-formed UTF-8 as RFC 3629 has it: no overlong forms, no surrogates.
#pragma once

#include <cstddef>
#include <string_view>

namespace gatehouse::core {

// Bytes of the character at `p`, of which `left` bytes may be read (at least one); 0 if there is none.
inline std::size_t utf8_length(const unsigned char* p, std::size_t left) {
  const auto continues = [&](std::size_t i) { return i < left && (p[i] & 0xc0) == 0x80; };
  if (p[0] < 0x80) return 1;
  if (p[0] >= 0xc2 && p[0] <= 0xdf) return continues(1) ? 2 : 0;
  if (p[0] >= 0xe0 && p[0] <= 0xef) {
    if (!continues(1) || !continues(2)) return 0;
    if (p[0] == 0xe0 && p[1] < 0xa0) return 0;
    if (p[0] == 0xed && p[1] > 0x9f) return 0;
    return 3;
  }
  if (p[0] >= 0xf0 && p[0] <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (p[0] == 0xf0 && p[1] < 0x90) return 0;
    if (p[0] == 0xf4 && p[1] > 0x8f) return 0;
    return 4;
  }
  return 0;
}

// Where the first byte lies that belongs to no character; the size of `text` when all do.
inline std::size_t first_invalid_utf8(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_length(p + at, text.size() - at);
    if (length == 0) break;
    at += length;
  }
  return at;
}

}  // namespace gatehouse::core
