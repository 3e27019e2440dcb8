// Bounds-checked reading of wire data.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace gatehouse::core {

using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Reads integers in network byte order from a view it does not own. A read past the end returns
// zero (or an empty view), moves nothing and makes ok() false for good: check ok() once after a
// group of reads. Values read after a failure are all zero, never out-of-bounds memory.
class ByteReader {
 public:
  ByteReader() = default;
  explicit ByteReader(ByteView bytes) : bytes_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  std::size_t position() const { return position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }
  bool at_end() const { return remaining() == 0; }

  std::uint8_t u8() { return static_cast<std::uint8_t>(big_endian<1>()); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(big_endian<2>()); }
  std::uint32_t u24() { return static_cast<std::uint32_t>(big_endian<3>()); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(big_endian<4>()); }
  std::uint64_t u64() { return big_endian<8>(); }
  std::uint16_t u16_le() { return static_cast<std::uint16_t>(little_endian<2>()); }
  std::uint32_t u32_le() { return static_cast<std::uint32_t>(little_endian<4>()); }

  // The next `count` bytes; the view lives as long as the bytes behind the reader.
  ByteView bytes(std::size_t count) {
    if (!take(count)) return {};
    return bytes_.subspan(position_ - count, count);
  }
  // All that is left.
  ByteView rest() { return bytes(remaining()); }
  void skip(std::size_t count) { (void)take(count); }
  // Moves to an absolute offset.
  void seek(std::size_t offset) {
    if (!ok_ || offset > bytes_.size()) {
      ok_ = false;
      return;
    }
    position_ = offset;
  }

 private:
  bool take(std::size_t count) {
    if (!ok_ || count > remaining()) {
      ok_ = false;
      return false;
    }
    position_ += count;
    return true;
  }
  template <std::size_t N>
  std::uint64_t big_endian() {
    if (!take(N)) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < N; ++i) value = value << 8 | bytes_[position_ - N + i];
    return value;
  }
  template <std::size_t N>
  std::uint64_t little_endian() {
    if (!take(N)) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = N; i-- > 0;) value = value << 8 | bytes_[position_ - N + i];
    return value;
  }

  ByteView bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace gatehouse::core
