// Append-only JSON writer for hot paths (EVE lines) and for --json output.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/bytes.h"

namespace gatehouse::core {

// The name of a member, a literal that needs no escapes: the compiler sees to that.
class JsonName {
 public:
  static constexpr std::size_t kMost = 64;

  template <std::size_t N>
  consteval JsonName(const char (&text)[N]) : text_(text, N - 1) {  // NOLINT: a literal stands for it
    if (text_.size() > kMost) does_not_fit();
    for (const char c : text_) {
      if (c < 0x20 || c == 0x7f || c == '"' || c == '\\') does_not_fit();
    }
  }
  constexpr std::string_view text() const { return text_; }

 private:
  static void does_not_fit();  // not defined: calling it is what the compiler reports
  std::string_view text_;
};

// Writes one JSON text at the end of a caller-owned string, which the caller reuses to avoid
// allocation. Puts the commas; does not check that keys and values alternate (asserted in debug).
// Strings: RFC 8259 escapes; bytes that are not valid UTF-8 become U+FFFD-free "\u00XX" escapes,
// so the result is always valid UTF-8 JSON on one line.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  JsonWriter& string(std::string_view value);
  JsonWriter& string(ByteView value) { return string(as_text(value)); }
  JsonWriter& number(std::int64_t value);
  JsonWriter& number(std::uint64_t value);
  JsonWriter& number(int value) { return number(static_cast<std::int64_t>(value)); }
  JsonWriter& number(unsigned value) { return number(static_cast<std::uint64_t>(value)); }
  JsonWriter& number(double value);  // shortest form that reads back equal; NaN and infinity become null
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  // `json` must be one complete JSON value.
  JsonWriter& raw(std::string_view json);

  // A member. One with a literal name, which is nearly all that events are made of, is put together on the
  // stack and appended in one step.
  template <class T>
  JsonWriter& field(JsonName name, const T& value) {
    Room room;
    char* const end = open_member(room, name);
    if constexpr (std::is_same_v<T, bool>) {
      append_boolean(room, end, value);
    } else if constexpr (std::is_floating_point_v<T>) {
      append_number(room, end, static_cast<double>(value));
    } else if constexpr (std::is_arithmetic_v<T> && std::is_signed_v<T>) {
      append_number(room, end, static_cast<std::int64_t>(value));
    } else if constexpr (std::is_arithmetic_v<T>) {
      append_number(room, end, static_cast<std::uint64_t>(value));
    } else if constexpr (std::is_convertible_v<const T&, ByteView>) {
      append_string(room, end, as_text(value));
    } else {
      append_string(room, end, value);
    }
    return *this;
  }
  template <class Name, class T>
  requires(!std::is_array_v<Name>) JsonWriter& field(const Name& name, const T& value) {
    key(name);
    if constexpr (std::is_same_v<T, bool>) {
      return boolean(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      return number(static_cast<double>(value));
    } else if constexpr (std::is_arithmetic_v<T> && std::is_signed_v<T>) {
      return number(static_cast<std::int64_t>(value));
    } else if constexpr (std::is_arithmetic_v<T>) {
      return number(static_cast<std::uint64_t>(value));
    } else {
      return string(value);
    }
  }
  // A member whose value is a string of kMostPut bytes at most that needs no escapes: `put(char* to)` writes
  // them and returns their end.
  static constexpr std::size_t kMostPut = 56;
  template <class Put>
  JsonWriter& put_field(JsonName name, Put&& put) {
    Room room;
    char* end = open_member(room, name);
    *end++ = '"';
    end = put(end);
    *end++ = '"';
    append(room, end);
    return *this;
  }

 private:
  using Room = std::array<char, JsonName::kMost + kMostPut + 8>;  // comma, four quotes, colon

  void separate();
  char* open_value(Room& room) {
    room[0] = ',';
    char* const end = room.data() + (need_comma_ ? 1 : 0);
    need_comma_ = true;
    return end;
  }
  char* open_member(Room& room, JsonName name) {
    char* end = open_value(room);
    *end++ = '"';
    std::memcpy(end, name.text().data(), name.text().size());
    end += name.text().size();
    *end++ = '"';
    *end++ = ':';
    return end;
  }
  // What is in the room up to `end`, and behind it a value.
  void append(const Room& room, const char* end);
  void append_boolean(Room& room, char* end, bool value);
  void append_number(Room& room, char* end, std::int64_t value);
  void append_number(Room& room, char* end, std::uint64_t value);
  void append_number(Room& room, char* end, double value);
  template <class T>
  JsonWriter& append_value(T value);
  void append_string(Room& room, char* end, std::string_view value);

  std::string& out_;
  bool need_comma_ = false;
};

// Appends `value` as a quoted JSON string.
void append_json_string(std::string& out, std::string_view value);

}  // namespace gatehouse::core
