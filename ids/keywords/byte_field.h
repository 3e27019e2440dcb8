// Numbers inside the data, and the words that say where they stand: what byte_test, byte_jump,
// byte_extract and byte_math have in common.
#pragma once

#include <optional>

#include "ids/keywords/values.h"

namespace gatehouse::ids {

// Where a number stands and how it is written.
struct ByteField {
  enum class Coding : std::uint8_t { big, little, dce, decimal, hexadecimal, octal };

  NumberArg bytes;
  NumberArg offset;
  bool relative = false;
  Coding coding = Coding::big;
  std::uint64_t mask = 0;  // 0: none

  bool is_text() const { return coding >= Coding::decimal; }
  // Reads the number, without the mask. `end` is where it ends in `buffer`: text ends with its
  // last digit.
  bool read(const InspectContext& context, ByteView buffer, std::size_t cursor, std::uint64_t& value,
            std::size_t& end) const;
  // What remains under the mask, moved down by the mask's trailing zeros.
  std::uint64_t masked(std::uint64_t value) const {
    return mask == 0 ? value : (value & mask) >> static_cast<unsigned>(__builtin_ctzll(mask));
  }
};

inline constexpr std::int64_t kMostBinaryBytes = 8;
inline constexpr std::int64_t kMostTextBytes = 23;  // 64 bits in octal, and a prefix

std::int64_t value_of(const NumberArg& arg, const InspectContext& context);

// Reads the arguments of one byte keyword, reporting what is wrong with them.
class ByteArguments {
 public:
  ByteArguments(RuleBuilder& builder, const lang::RuleOption& option, ByteField& field)
      : builder_(builder), option_(option), field_(field) {}

  // A number or the name of a variable set before.
  bool number(const Part& part, std::int64_t smallest, std::int64_t largest, NumberArg& out) const;
  // A word all four keywords know; empty: it is none of them.
  std::optional<bool> common(const Part& part);
  // `keyword value` or `keyword` alone; true when `part` begins with it. `value` is what follows.
  static bool keyed(const Part& part, std::string_view keyword, Part& value);
  bool unknown(const Part& part) const;
  // Do coding and count fit together? To be asked last.
  bool finish();
  // The slot of a variable to be set; a name may be set again.
  bool result(const Part& part, std::size_t& slot) const;

  void set_string() { string_ = true; }

 private:
  bool coding(const Part& part, ByteField::Coding coding, bool text);

  RuleBuilder& builder_;
  const lang::RuleOption& option_;
  ByteField& field_;
  bool string_ = false, text_coding_ = false, binary_coding_ = false;
};

}  // namespace gatehouse::ids
