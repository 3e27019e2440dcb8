#include "ids/keywords/base64.h"

#include <array>

namespace gatehouse::ids {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr int kPadding = 64;

int value_of(std::uint8_t c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return c == '=' ? kPadding : -1;
}

// Collects characters into groups of four.
class Group {
 public:
  std::size_t size() const { return size_; }
  void add(int value) { values_[size_++] = value; }
  // Appends what the group means, by the place of its first padding. False: that is too early.
  bool flush(Bytes& out) {
    std::size_t digits = 0;
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const int value = i < size_ ? values_[i] : kPadding;
      if (digits == i && value != kPadding) ++digits;
      bits = bits << 6U | static_cast<std::uint32_t>(value == kPadding ? 0 : value);
    }
    size_ = 0;
    if (digits < 2) return false;
    for (std::size_t i = 0; i + 1 < digits; ++i)
      out.push_back(static_cast<std::uint8_t>(bits >> (16 - 8 * i)));
    return true;
  }
  // Padding only at the end, and no bits lost: RFC 4648 3.5.
  bool canonical() const {
    if (values_[0] == kPadding || values_[1] == kPadding) return false;
    if (values_[2] == kPadding) return values_[3] == kPadding && (values_[1] & 15) == 0;
    return values_[3] != kPadding || (values_[2] & 3) == 0;
  }
  bool padded() const { return values_[3] == kPadding; }

 private:
  std::array<int, 4> values_{};
  std::size_t size_ = 0;
};

bool decode_strict(core::ByteView in, Bytes& out) {
  if (in.size() % 4 != 0) return false;
  Group group;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const int value = value_of(in[i]);
    if (value < 0) return false;
    group.add(value);
    if (group.size() < 4) continue;
    if (!group.canonical() || (group.padded() && i + 1 < in.size())) return false;
    group.flush(out);
  }
  return !out.empty();
}

bool decode_lenient(core::ByteView in, Base64Mode mode, Bytes& out) {
  Group group;
  for (const std::uint8_t c : in) {
    const int value = value_of(c);
    if (value < 0) {
      if (mode == Base64Mode::rfc2045) continue;
      break;
    }
    group.add(value);
    if (group.size() == 4 && !group.flush(out)) return false;
  }
  if (group.size() > 0 && mode == Base64Mode::rfc4648 && !group.flush(out)) return false;
  return !out.empty();
}

}  // namespace

bool decode_base64(core::ByteView in, Base64Mode mode, Bytes& out) {
  out.clear();
  out.reserve(in.size() / 4 * 3 + 3);
  if (mode == Base64Mode::strict ? decode_strict(in, out) : decode_lenient(in, mode, out)) return true;
  out.clear();
  return false;
}

}  // namespace gatehouse::ids
