// The bytes of many literals, to be compared with what lies at a place.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "ids/search/bucket_filter.h"

namespace gatehouse::ids {

struct Literal {
  std::string bytes;    // 1 to kLongestLiteral
  bool nocase = false;  // ASCII letters match in either case
  // What one of each of these classes has to follow; with it, the bytes may be none, and both together are a
  // window at most.
  std::vector<ByteClass> then = {};

  std::size_t size() const { return bytes.size() + then.size(); }
};

inline char lower_letter(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

class LiteralTexts {
 public:
  // As it is compared: in lower case where case does not matter. The view lives until the next add().
  std::string_view add(const Literal& literal) {
    const Text text{static_cast<std::uint32_t>(arena_.size()),
                    static_cast<std::uint8_t>(literal.bytes.size()), literal.nocase};
    for (const char c : literal.bytes) arena_ += literal.nocase ? lower_letter(c) : c;
    texts_.push_back(text);
    return std::string_view(arena_).substr(text.at);
  }
  std::size_t size() const { return texts_.size(); }
  std::size_t memory_bytes() const { return arena_.size() + texts_.size() * sizeof(Text); }
  // As many bytes as the literal has can be read at `place`.
  bool lies_at(std::uint32_t literal, const std::uint8_t* place) const {
    const Text& text = texts_[literal];
    const char* bytes = arena_.data() + text.at;
    if (!text.nocase) return std::memcmp(place, bytes, text.size) == 0;
    for (std::size_t i = 0; i < text.size; ++i) {
      if (lower_letter(static_cast<char>(place[i])) != bytes[i]) return false;
    }
    return true;
  }

 private:
  struct Text {
    std::uint32_t at = 0;  // in arena_
    std::uint8_t size = 0;
    bool nocase = false;
  };
  std::string arena_;
  std::vector<Text> texts_;
};

class LiteralSink {
 public:
  virtual ~LiteralSink() = default;
  // `end`: where an occurrence ends, an offset into the data.
  virtual void on_literal(std::uint32_t literal, std::size_t end) = 0;
};

}  // namespace gatehouse::ids
