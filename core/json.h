// Append-only JSON writer for hot paths (EVE lines) and for --json output.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/bytes.h"

namespace gatehouse::core {

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

  template <class T>
  JsonWriter& field(std::string_view name, const T& value) {
    key(name);
    if constexpr (std::is_same_v<T, bool>) {
      return boolean(value);
    } else if constexpr (std::is_arithmetic_v<T>) {
      if constexpr (std::is_floating_point_v<T>) {
        return number(static_cast<double>(value));
      } else if constexpr (std::is_signed_v<T>) {
        return number(static_cast<std::int64_t>(value));
      } else {
        return number(static_cast<std::uint64_t>(value));
      }
    } else {
      return string(value);
    }
  }

 private:
  void separate();

  std::string& out_;
  bool need_comma_ = false;
};

// Appends `value` as a quoted JSON string.
void append_json_string(std::string& out, std::string_view value);

}  // namespace gatehouse::core
