#include "ids/parsers/mime_decode.h"

#include <array>

namespace gatehouse::ids::mime {
namespace {

constexpr std::uint8_t kNone = 255, kBlank = 254, kPadding = 253;

constexpr std::array<std::uint8_t, 256> make_table() {
  std::array<std::uint8_t, 256> table{};
  for (auto& entry : table) entry = kNone;
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  for (const char c : {' ', '\t', '\r', '\n'}) table[static_cast<unsigned char>(c)] = kBlank;
  table['='] = kPadding;
  return table;
}
constexpr auto kTable = make_table();

// Blanks before a line end are no content; so many are held back at most.
constexpr std::size_t kMaxHeld = 512;

}  // namespace

void Base64Decoder::feed(std::string_view text, std::vector<std::uint8_t>& out) {
  for (const char c : text) {
    const std::uint8_t value = kTable[static_cast<unsigned char>(c)];
    if (value < 64) {
      bits_ = bits_ << 6U | value;
      if (++count_ == 4) flush(out);
    } else if (value == kPadding) {
      flush(out);
    } else if (value == kNone) {
      bad_ = true;
    }
  }
}

void Base64Decoder::finish(std::vector<std::uint8_t>& out) {
  if (count_ == 1) bad_ = true;
  flush(out);
}

void Base64Decoder::flush(std::vector<std::uint8_t>& out) {
  const std::uint32_t bits = bits_ << (4 - count_) * 6U;
  for (unsigned i = 0; i + 1 < count_; ++i) out.push_back(static_cast<std::uint8_t>(bits >> (16U - 8U * i)));
  bits_ = 0;
  count_ = 0;
}

void QuotedPrintableDecoder::feed(std::string_view text, std::vector<std::uint8_t>& out) {
  for (const char c : text) put(c, out);
}

void QuotedPrintableDecoder::finish(std::vector<std::uint8_t>& out) {
  // An `=` that nothing follows is a soft break, blanks that nothing follows end a line.
  if (state_ == State::digit || state_ == State::cr) release(out);
  held_.clear();
  state_ = State::text;
}

void QuotedPrintableDecoder::release(std::vector<std::uint8_t>& out) {
  out.insert(out.end(), held_.begin(), held_.end());
  held_.clear();
  state_ = State::text;
}

void QuotedPrintableDecoder::put(char c, std::vector<std::uint8_t>& out) {
  switch (state_) {
    case State::text:
      break;
    case State::blanks:
      if (c == '\r') {
        held_.push_back(c);
        state_ = State::cr;
        return;
      }
      if (c == '\n') {
        held_.clear();
        state_ = State::text;
      } else if ((c != ' ' && c != '\t') || held_.size() >= kMaxHeld) {
        release(out);
      }
      break;
    case State::cr:
      if (c == '\n') {
        held_.clear();
        out.push_back('\r');
        state_ = State::text;
      } else {
        release(out);
      }
      break;
    case State::equals:
      if (hex_digit(c) >= 0) {
        held_.push_back(c);
        state_ = State::digit;
        return;
      }
      if (c == ' ' || c == '\t' || c == '\r') {
        held_.push_back(c);
        state_ = State::soft;
        return;
      }
      if (c == '\n') {
        held_.clear();
        state_ = State::text;
        return;
      }
      bad_ = true;
      release(out);
      break;
    case State::soft:
      if (c == '\n') {
        held_.clear();
        state_ = State::text;
        return;
      }
      if ((c == ' ' || c == '\t' || c == '\r') && held_.size() < kMaxHeld) {
        held_.push_back(c);
        return;
      }
      bad_ = true;
      release(out);
      break;
    case State::digit:
      if (hex_digit(c) >= 0) {
        out.push_back(static_cast<std::uint8_t>(hex_digit(held_.back()) * 16 + hex_digit(c)));
        held_.clear();
        state_ = State::text;
        return;
      }
      bad_ = true;
      release(out);
      break;
  }
  if (c == '=') {
    held_.push_back(c);
    state_ = State::equals;
  } else if (c == ' ' || c == '\t') {
    held_.push_back(c);
    state_ = State::blanks;
  } else if (c == '\r') {
    held_.push_back(c);
    state_ = State::cr;
  } else {
    out.push_back(static_cast<std::uint8_t>(c));
  }
}

}  // namespace gatehouse::ids::mime
