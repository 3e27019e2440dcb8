// Writes a small country database in MaxMind's format (version 2.0), for tests.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip.h"

namespace gatehouse::ids::testing {

class MmdbWriter {
 public:
  // Prefixes must not contain each other.
  void add(std::string_view prefix, std::string_view country) {
    const core::IpPrefix p = *core::IpPrefix::parse(prefix);
    // IPv4 lives below ::/96.
    std::array<std::uint8_t, 16> bits{};
    unsigned length = p.length;
    if (p.address.is_v4()) {
      for (std::size_t i = 0; i < 4; ++i) bits[12 + i] = p.address.bytes[i];
      length += 96;
    } else {
      bits = p.address.bytes;
    }
    const auto offset = static_cast<std::uint32_t>(data_.size());
    data_ += map(1) + text("country") + map(1) + text("iso_code") + text(country);
    std::size_t node = 0;
    for (unsigned i = 0; i < length; ++i) {
      const std::size_t side = bits[i / 8] >> (7 - i % 8) & 1U;
      if (i + 1 == length) {
        nodes_[node][side] = {Kind::data, offset};
      } else {
        if (nodes_[node][side].kind != Kind::node) {
          nodes_.emplace_back();
          nodes_[node][side] = {Kind::node, static_cast<std::uint32_t>(nodes_.size() - 1)};
        }
        node = nodes_[node][side].value;
      }
    }
  }

  std::string file() const {
    std::string out;
    const auto count = static_cast<std::uint32_t>(nodes_.size());
    for (const auto& node : nodes_) {
      for (const Record& r : node) {
        const std::uint32_t value = r.kind == Kind::node   ? r.value
                                    : r.kind == Kind::data ? count + 16 + r.value
                                                           : count;
        for (const unsigned shift : {16U, 8U, 0U}) out += static_cast<char>(value >> shift);
      }
    }
    out += std::string(16, '\0') + data_ + "\xab\xcd\xefMaxMind.com" + map(9);
    out += text("node_count") + number(6, count, 4) + text("record_size") + number(5, 24, 2);
    out += text("ip_version") + number(5, 6, 2) + text("database_type") + text("Test-Country");
    out += text("languages") + std::string("\x01\x04", 2) + text("en");
    out += text("binary_format_major_version") + number(5, 2, 2);
    out += text("binary_format_minor_version") + number(5, 0, 2);
    out += text("build_epoch") + std::string("\x04\x02", 2) + std::string("\x65\x00\x00\x00", 4);
    out += text("description") + map(1) + text("en") + text("test");
    return out;
  }

 private:
  enum class Kind : std::uint8_t { none, node, data };
  struct Record {
    Kind kind = Kind::none;
    std::uint32_t value = 0;
  };

  static std::string map(unsigned size) { return std::string(1, static_cast<char>(7U << 5U | size)); }
  static std::string text(std::string_view value) {
    return std::string(1, static_cast<char>(2U << 5U | value.size())) + std::string(value);
  }
  static std::string number(unsigned type, std::uint32_t value, unsigned bytes) {
    std::string out(1, static_cast<char>(type << 5U | bytes));
    for (unsigned i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i));
    return out;
  }

  std::vector<std::array<Record, 2>> nodes_ = {{}};
  std::string data_;
};

}  // namespace gatehouse::ids::testing
