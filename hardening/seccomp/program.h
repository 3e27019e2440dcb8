// A classic BPF program as seccomp takes it, and the evaluator that runs it outside the kernel:
// the proof that what is installed is what the profile says.
#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "hardening/profile/profile.h"

namespace gatehouse::hardening {

// struct sock_filter of linux/filter.h.
struct Instruction {
  std::uint16_t code = 0;
  std::uint8_t jump_true = 0;
  std::uint8_t jump_false = 0;
  std::uint32_t k = 0;
};
using Program = std::vector<Instruction>;

// struct seccomp_data of linux/seccomp.h: what a filter sees of one call.
struct CallData {
  std::int32_t number = 0;
  std::uint32_t arch = 0;  // AUDIT_ARCH_*
  std::uint64_t instruction_pointer = 0;
  Arguments arguments{};
};

// Longest program the kernel takes (BPF_MAXINSNS).
inline constexpr std::size_t kMaxInstructions = 4096;

// Runs the program as the kernel would and gives its return value (SECCOMP_RET_*). A program the
// kernel would refuse (jump or read out of bounds, unknown instruction, no return) is an error.
core::Result<std::uint32_t> evaluate(const Program& program, const CallData& call);

// The return value that stands for an action.
std::uint32_t return_value(const Action& action);
// "allow", "errno EPERM", "kill", ...
std::string describe_return(std::uint32_t value);

// AUDIT_ARCH_* of this build.
std::uint32_t native_arch();

// "  12: jeq #0x3b jt 4 jf 0", one line for each instruction.
std::string dump(const Program& program);

}  // namespace gatehouse::hardening
