// Append-only JSON writer for hot paths (EVE lines) and for --json output.
#pragma once

#include <array>
#include <charconv>
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

// Writes JSON at the end of a caller-owned string, which the caller reuses to avoid allocation. The string
// has it when the outermost value is complete, not before: until then parts wait in the writer, since an
// event is made of dozens that are shorter than the cost of appending them one by one. Puts the commas; does
// not check that keys and values alternate. Strings: RFC 8259 escapes; bytes that are not valid UTF-8 become
// U+FFFD-free "\u00XX" escapes, so the result is always valid UTF-8 JSON on one line.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;

  JsonWriter& begin_object() { return begin('{'); }
  JsonWriter& end_object() { return end('}'); }
  JsonWriter& begin_array() { return begin('['); }
  JsonWriter& end_array() { return end(']'); }
  JsonWriter& key(JsonName name) {
    end_ = open_member(name);
    need_comma_ = false;
    return *this;
  }
  template <class Name>
  requires(!std::is_array_v<Name>) JsonWriter& key(const Name& name) { return any_key(name); }

  JsonWriter& string(std::string_view value) { return append_value(open_value(), value); }
  JsonWriter& string(ByteView value) { return string(as_text(value)); }
  JsonWriter& number(std::int64_t value) { return append_value(open_value(), value); }
  JsonWriter& number(std::uint64_t value) { return append_value(open_value(), value); }
  JsonWriter& number(int value) { return number(static_cast<std::int64_t>(value)); }
  JsonWriter& number(unsigned value) { return number(static_cast<std::uint64_t>(value)); }
  // Shortest form that reads back equal; NaN and infinity become null.
  JsonWriter& number(double value) { return append_value(open_value(), value); }
  JsonWriter& boolean(bool value) { return append_value(open_value(), value); }
  JsonWriter& null() { return raw("null"); }
  // `json` must be one complete JSON value.
  JsonWriter& raw(std::string_view json);

  // A member.
  template <class T>
  JsonWriter& field(JsonName name, const T& value) {
    return append_value(open_member(name), value);
  }
  template <class Name, class T>
  requires(!std::is_array_v<Name>) JsonWriter& field(const Name& name, const T& value) {
    key(name);
    return append_value(open_value(), value);
  }
  // A member whose value is a string of kMostPut bytes at most that needs no escapes: `put(char* to)` writes
  // them and returns their end.
  static constexpr std::size_t kMostPut = 56;
  template <class Put>
  JsonWriter& put_field(JsonName name, Put&& put) {
    char* to = open_member(name);
    *to++ = '"';
    to = put(to);
    *to++ = '"';
    return part(to);
  }

 private:
  // The most that is written between two looks at the room left: comma, four quotes, colon.
  static constexpr std::size_t kPart = JsonName::kMost + kMostPut + 8;
  static constexpr std::size_t kRoom = 1024;

  void flush();  // what waits goes to the string
  // Room for a part; with the comma before a value or name.
  char* open_value() {
    if (room_.data() + kRoom - end_ < static_cast<std::ptrdiff_t>(kPart)) flush();
    *end_ = ',';
    char* const to = end_ + (need_comma_ ? 1 : 0);
    need_comma_ = true;
    return to;
  }
  char* open_member(JsonName name) {
    char* to = open_value();
    *to++ = '"';
    std::memcpy(to, name.text().data(), name.text().size());
    to += name.text().size();
    *to++ = '"';
    *to++ = ':';
    return to;
  }
  // A part is written up to `to`.
  JsonWriter& part(char* to) {
    end_ = to;
    if (depth_ <= 0) flush();
    return *this;
  }
  JsonWriter& begin(char bracket) {
    char* const to = open_value();
    *to = bracket;
    end_ = to + 1;
    need_comma_ = false;
    ++depth_;
    return *this;
  }
  JsonWriter& end(char bracket) {
    need_comma_ = false;
    char* const to = open_value();
    *to = bracket;
    --depth_;
    return part(to + 1);
  }
  JsonWriter& any_key(std::string_view name);
  JsonWriter& append_number(char* to, double value);
  JsonWriter& append_string(char* to, std::string_view value);
  template <class T>
  JsonWriter& append_value(char* to, const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      std::memcpy(to, value ? "true " : "false", 5);
      return part(to + (value ? 4 : 5));
    } else if constexpr (std::is_floating_point_v<T>) {
      return append_number(to, static_cast<double>(value));
    } else if constexpr (std::is_arithmetic_v<T>) {
      return part(std::to_chars(to, to + kMostPut, value).ptr);
    } else if constexpr (std::is_convertible_v<const T&, ByteView>) {
      return append_string(to, as_text(value));
    } else {
      return append_string(to, value);
    }
  }

  std::string& out_;
  std::array<char, kRoom> room_;  // what waits, up to end_
  char* end_ = room_.data();
  int depth_ = 0;  // of open objects and arrays
  bool need_comma_ = false;
};

// Appends `value` as a quoted JSON string.
void append_json_string(std::string& out, std::string_view value);

}  // namespace gatehouse::core
