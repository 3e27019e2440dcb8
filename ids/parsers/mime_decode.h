// Content-Transfer-Encoding undone byte by byte (RFC 2045 6), as tolerant as mail readers are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::ids::mime {

// The value of a hexadecimal digit of either case; -1: none.
constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Skips what is not of the alphabet; padding ends a group, not the data: encoded pieces may follow
// one another.
class Base64Decoder {
 public:
  void feed(std::string_view text, std::vector<std::uint8_t>& out);
  void finish(std::vector<std::uint8_t>& out);
  bool bad() const { return bad_; }  // there was something that base64 does not have

 private:
  void flush(std::vector<std::uint8_t>& out);
  std::uint32_t bits_ = 0;
  unsigned count_ = 0;  // characters in bits_
  bool bad_ = false;
};

class QuotedPrintableDecoder {
 public:
  void feed(std::string_view text, std::vector<std::uint8_t>& out);
  void finish(std::vector<std::uint8_t>& out);
  bool bad() const { return bad_; }

 private:
  enum class State : std::uint8_t { text, blanks, cr, equals, digit, soft };
  void put(char c, std::vector<std::uint8_t>& out);
  void release(std::vector<std::uint8_t>& out);  // what was held was not special after all
  State state_ = State::text;
  std::string held_;
  bool bad_ = false;
};

}  // namespace gatehouse::ids::mime
