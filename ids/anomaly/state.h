// What the detectors know, as bytes: one description of each part (`archive`) both saves and restores it. A
// file is hostile: it is worked through twice, first without changing anything, so that nothing is half
// applied.
//
// Layout, little endian: magic, version, seed of the hashes, time of the last packet, length and checksum of
// the rest; then sections with values as they lie in memory, and of arrays the blocks that are not all zero.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/ip.h"
#include "core/lazy_array.h"
#include "core/result.h"

namespace gatehouse::ids::anomaly {

// Of times in microseconds, so that differences of two never overflow.
inline bool sound_time(std::int64_t us) {
  return us >= 0 && us <= std::numeric_limits<std::int64_t>::max() / 4;
}

// May a value from a file be used? A type that holds an index, a count of members or a time says so itself.
template <class T>
requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool> &&
         !std::is_floating_point_v<T>) bool sound(const T&) {
  return true;
}
inline bool sound(const core::IpAddress& address) {
  return address.version == 0 || address.version == 4 || address.version == 6;
}
template <class T>
requires requires(const T& t) {
  { t.sound() } -> std::same_as<bool>;
}
bool sound(const T& value) {
  return value.sound();
}
template <class T, std::size_t kSize>
bool sound(const std::array<T, kSize>& values) {
  for (const T& value : values) {
    if (!sound(value)) return false;
  }
  return true;
}

class StateArchive {
 public:
  enum class Mode : std::uint8_t { save, check, restore };

  // Appends to `out`.
  explicit StateArchive(std::string& out) : mode_(Mode::save), out_(&out) {}
  // Reads `in`; nothing changes unless `apply`.
  StateArchive(std::string_view in, bool apply) : mode_(apply ? Mode::restore : Mode::check), in_(in) {}

  bool saving() const { return mode_ == Mode::save; }
  bool restoring() const { return mode_ == Mode::restore; }
  bool failed() const { return !why_.empty(); }
  const std::string& why() const { return why_; }
  bool at_end() const { return in_.empty(); }
  void refuse(std::string_view why) {
    if (why_.empty()) why_ = why;
  }

  // What comes next; a file with something else there was made by other detectors.
  void section(std::string_view name);
  void text(std::string& value, std::size_t limit);

  // The value itself is only changed when the file is restored; the result is that of the file.
  template <class T>
  T value(T& value) {
    return this->value(value, [](const T& v) { return sound(v); });
  }
  template <class T, class Check>
  T value(T& value, Check&& check) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_same_v<T, bool>);
    if (saving()) {
      write(&value, sizeof value);
      return value;
    }
    T read{};
    if (!take(&read, sizeof read)) return value;
    if (!check(read)) {
      refuse("a value is out of range");
      return value;
    }
    if (restoring()) value = read;
    return read;
  }
  template <class T>
  void array(core::LazyArray<T>& array) {
    this->array(array, [](const T& v) { return sound(v); });
  }
  template <class T, class Check>
  void array(core::LazyArray<T>& array, Check&& check) {
    constexpr std::size_t kEach = sizeof(T) >= 4096 ? 1 : 4096 / sizeof(T);
    std::uint64_t shape[2] = {sizeof(T), array.size()};
    if (saving()) {
      write(shape, sizeof shape);
      for (std::size_t at = 0; at < array.size(); at += kEach) {
        const std::size_t n = std::min(kEach, array.size() - at);
        if (is_zero(&array[at], n * sizeof(T))) continue;
        const std::uint64_t number = at / kEach + 1;
        write(&number, sizeof number);
        write(&array[at], n * sizeof(T));
      }
      const std::uint64_t end = 0;
      write(&end, sizeof end);
      return;
    }
    std::uint64_t made[2] = {};
    if (!take(made, sizeof made)) return;
    if (made[0] != shape[0] || made[1] != shape[1])
      return refuse("it was made with other table sizes (anomaly.memory) or by another version");
    for (std::uint64_t before = 0;;) {
      std::uint64_t number = 0;
      if (!take(&number, sizeof number) || number == 0) return;
      const std::uint64_t at = (number - 1) * kEach;
      if (number <= before || number > array.size() / kEach + 1 || at >= array.size())
        return refuse("blocks of a table are out of order");
      before = number;
      const std::size_t n = std::min<std::size_t>(kEach, array.size() - at);
      for (std::size_t i = 0; i < n; ++i) {
        T read{};
        if (!take(&read, sizeof read)) return;
        if (!check(read)) return refuse("an entry of a table is out of range");
        if (restoring()) array[at + i] = read;
      }
    }
  }

 private:
  void write(const void* data, std::size_t size) { out_->append(static_cast<const char*>(data), size); }
  bool take(void* data, std::size_t size);
  static bool is_zero(const void* data, std::size_t size);

  Mode mode_;
  std::string* out_ = nullptr;
  std::string_view in_;
  std::string why_;
};

struct StateHead {
  std::uint64_t seed = 0;
  std::int64_t time_us = 0;  // of the last packet
};

// Puts a head before the body.
std::string state_file(const StateHead& head, std::string_view body);
// Magic, version, length and checksum hold. `body` points into `content`.
core::Result<StateHead> read_state_head(std::string_view content, std::string_view& body);

}  // namespace gatehouse::ids::anomaly
