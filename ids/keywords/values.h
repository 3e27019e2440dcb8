// Reading option values: lists, numbers and comparisons, with offsets for diagnostics.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ids/keywords/keyword.h"

namespace gatehouse::ids {

// A trimmed piece of a value and where it starts in it.
struct Part {
  std::string_view text;
  std::size_t at = 0;
};

Part trim(Part part);
// Pieces between `separator`s, trimmed; there is always at least one, possibly empty.
std::vector<Part> split(std::string_view value, char separator);
inline Part whole(const lang::RuleOption& option) {
  return {option.value, 0};
}

// Decimal or 0x hexadecimal, optionally signed; the whole text.
std::optional<std::int64_t> parse_number(std::string_view text);
bool is_variable_name(std::string_view text);
// The slot of a byte_extract or byte_math variable that is set before this; reports when there is none.
bool parse_variable(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, NumberArg& out);

// `5`, `!5`, `=5`, `!=5`, `<5`, `>5`, `<=5`, `>=5`, `5<>9` or `5-9` (both ends excluded), `!5-9`,
// `&0xc0=0x80`, `&0xc0!=0`. Numbers may have a unit: kb, mb, gb or kib, mib, gib, all of 1024.
struct NumberTest {
  enum class Op : std::uint8_t {
    equal,
    not_equal,
    less,
    greater,
    less_equal,
    greater_equal,
    between,
    outside,
    masked_equal,  // (value & first) == second
    masked_not_equal
  };
  Op op = Op::equal;
  std::uint64_t first = 0, second = 0;

  bool holds(std::uint64_t value) const;
  // No larger value holds.
  std::uint64_t largest() const;
};

// Parses `part` of `option` as a comparison with numbers up to `largest`; reports what is wrong.
bool parse_number_test(RuleBuilder& builder, const lang::RuleOption& option, Part part, std::uint64_t largest,
                       NumberTest& test);
// A plain number within bounds; reports what is wrong.
bool parse_bounded(RuleBuilder& builder, const lang::RuleOption& option, Part part, std::int64_t smallest,
                   std::int64_t largest, std::int64_t& out);

// A value in quotes, optionally preceded by `!`. Text keeps its escapes.
struct Quoted {
  std::string_view text;
  std::size_t at = 0;  // offset of text in the value
  bool negated = false;
};
bool parse_quoted(RuleBuilder& builder, const lang::RuleOption& option, bool may_negate, Quoted& out);

// The bytes that `text`, a part of the value, stands for: plain text, |hex| and escapes.
bool decode_bytes(RuleBuilder& builder, const lang::RuleOption& option, const Part& text, std::string& out);

// A condition made of a NumberTest and a function that reads the number from a packet.
using PacketNumber = std::optional<std::uint64_t> (*)(const Packet& packet);
void add_packet_number_test(RuleBuilder& builder, const NumberTest& test, PacketNumber number);

}  // namespace gatehouse::ids
