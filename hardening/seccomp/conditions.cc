#include "hardening/seccomp/conditions.h"

#include <linux/filter.h>

namespace gatehouse::hardening {
namespace {

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kAnd = BPF_ALU | BPF_AND | BPF_K;
constexpr std::uint16_t kEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t kGreater = BPF_JMP | BPF_JGT | BPF_K;
constexpr std::uint16_t kAlways = BPF_JMP | BPF_JA;
constexpr std::uint16_t kReturn = BPF_RET | BPF_K;
constexpr std::uint32_t kAllBits = 0xffffffff;
constexpr std::uint32_t kArgumentsOffset = 16;  // of args in struct seccomp_data

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the halves of an argument are swapped otherwise");
std::uint32_t low_offset(unsigned argument) {
  return kArgumentsOffset + 8 * argument;
}
std::uint32_t high_offset(unsigned argument) {
  return low_offset(argument) + 4;
}

// The tests of one conjunction. Jumps to "does not hold" are patched once its end is known; a
// conjunction has at most 6 comparisons of at most 6 instructions, so they fit in 8 bits.
class ConjunctionEmitter {
 public:
  explicit ConjunctionEmitter(Program& program) : program_(program) {}

  void emit(const Comparison& c) {
    const auto high = static_cast<std::uint32_t>(c.value >> 32U);
    const auto low = static_cast<std::uint32_t>(c.value);
    if (c.kind == Comparison::Kind::masked_equal) {
      emit_half(high_offset(c.argument), static_cast<std::uint32_t>(c.mask >> 32U), high);
      emit_half(low_offset(c.argument), static_cast<std::uint32_t>(c.mask), low);
      return;
    }
    program_.push_back({kLoad, 0, 0, high_offset(c.argument)});
    fails_if_true(kGreater, high);
    program_.push_back({kEqual, 0, 2, high});  // smaller: holds already
    program_.push_back({kLoad, 0, 0, low_offset(c.argument)});
    fails_if_true(kGreater, low);
  }

  void finish(std::uint32_t then) {
    program_.push_back({kReturn, 0, 0, then});
    const std::size_t end = program_.size();
    for (const auto& [at, if_true] : failures_) {
      const auto distance = static_cast<std::uint8_t>(end - at - 1);
      (if_true ? program_[at].jump_true : program_[at].jump_false) = distance;
    }
  }

 private:
  void emit_half(std::uint32_t offset, std::uint32_t mask, std::uint32_t value) {
    if (mask == 0) return;
    program_.push_back({kLoad, 0, 0, offset});
    if (mask != kAllBits) program_.push_back({kAnd, 0, 0, mask});
    failures_.emplace_back(program_.size(), false);
    program_.push_back({kEqual, 0, 0, value});
  }
  void fails_if_true(std::uint16_t code, std::uint32_t value) {
    failures_.emplace_back(program_.size(), true);
    program_.push_back({code, 0, 0, value});
  }

  Program& program_;
  std::vector<std::pair<std::size_t, bool>> failures_;
};

bool can_hold(const Conjunction& conjunction) {
  for (const Comparison& c : conjunction) {
    if (c.kind == Comparison::Kind::masked_equal && (c.value & ~c.mask) != 0) return false;
  }
  return true;
}

}  // namespace

void emit_conditional_call(Program& program, int number, const std::vector<Conjunction>& alternatives,
                           std::uint32_t then, std::uint32_t otherwise) {
  Program body;
  for (const Conjunction& alternative : alternatives) {
    if (!can_hold(alternative)) continue;
    ConjunctionEmitter emitter(body);
    for (const Comparison& c : alternative) emitter.emit(c);
    emitter.finish(then);
  }
  body.push_back({kReturn, 0, 0, otherwise});
  const auto call = static_cast<std::uint32_t>(number);
  if (body.size() <= 255) {
    program.push_back({kEqual, 0, static_cast<std::uint8_t>(body.size()), call});
  } else {
    program.push_back({kEqual, 1, 0, call});
    program.push_back({kAlways, 0, 0, static_cast<std::uint32_t>(body.size())});
  }
  program.insert(program.end(), body.begin(), body.end());
}

}  // namespace gatehouse::hardening
