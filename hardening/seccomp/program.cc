#include "hardening/seccomp/program.h"

#include <fmt/format.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <array>
#include <cstring>

namespace gatehouse::hardening {
namespace {

using core::Errc;
using core::fail;

static_assert(sizeof(Instruction) == sizeof(sock_filter));
static_assert(BPF_MAXINSNS == kMaxInstructions);

// Reads a 32-bit word of struct seccomp_data, the only load the kernel allows (seccomp_check_filter).
core::Result<std::uint32_t> load_word(const CallData& call, std::uint32_t offset) {
  if (offset % 4 != 0 || offset >= sizeof(seccomp_data)) {
    return fail(Errc::invalid_input, fmt::format("load from offset {} of the call data", offset));
  }
  seccomp_data data{};
  data.nr = call.number;
  data.arch = call.arch;
  data.instruction_pointer = call.instruction_pointer;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) data.args[i] = call.arguments[i];
  std::uint32_t word = 0;
  std::memcpy(&word, reinterpret_cast<const char*>(&data) + offset, sizeof(word));
  return word;
}

struct Machine {
  std::uint32_t a = 0;
  std::uint32_t x = 0;
  std::array<std::uint32_t, BPF_MEMWORDS> memory{};
};

core::Status arithmetic(Machine& m, const Instruction& i) {
  const std::uint32_t operand = BPF_SRC(i.code) == BPF_X ? m.x : i.k;
  switch (BPF_OP(i.code)) {
    case BPF_ADD:
      m.a += operand;
      return {};
    case BPF_SUB:
      m.a -= operand;
      return {};
    case BPF_MUL:
      m.a *= operand;
      return {};
    case BPF_DIV:
      if (operand == 0) return fail(Errc::invalid_input, "division by zero");
      m.a /= operand;
      return {};
    case BPF_OR:
      m.a |= operand;
      return {};
    case BPF_AND:
      m.a &= operand;
      return {};
    case BPF_XOR:
      m.a ^= operand;
      return {};
    case BPF_LSH:
      m.a = operand > 31 ? 0 : m.a << operand;
      return {};
    case BPF_RSH:
      m.a = operand > 31 ? 0 : m.a >> operand;
      return {};
    case BPF_NEG:
      m.a = 0U - m.a;
      return {};
    default:
      return fail(Errc::invalid_input, fmt::format("unknown arithmetic instruction {:#x}", i.code));
  }
}

// How many instructions to skip.
core::Result<std::uint32_t> jump(const Machine& m, const Instruction& i) {
  const std::uint32_t operand = BPF_SRC(i.code) == BPF_X ? m.x : i.k;
  bool taken = false;
  switch (BPF_OP(i.code)) {
    case BPF_JA:
      return i.k;
    case BPF_JEQ:
      taken = m.a == operand;
      break;
    case BPF_JGT:
      taken = m.a > operand;
      break;
    case BPF_JGE:
      taken = m.a >= operand;
      break;
    case BPF_JSET:
      taken = (m.a & operand) != 0;
      break;
    default:
      return fail(Errc::invalid_input, fmt::format("unknown jump {:#x}", i.code));
  }
  return std::uint32_t{taken ? i.jump_true : i.jump_false};
}

core::Status load_or_store(Machine& m, const Instruction& i, const CallData& call) {
  const auto slot = [&]() -> core::Result<std::uint32_t*> {
    if (i.k >= m.memory.size()) return fail(Errc::invalid_input, fmt::format("memory slot {}", i.k));
    return &m.memory.at(i.k);
  };
  switch (i.code) {
    case BPF_LD | BPF_W | BPF_ABS: {
      GH_TRY(m.a, load_word(call, i.k));
      return {};
    }
    case BPF_LD | BPF_IMM:
      m.a = i.k;
      return {};
    case BPF_LDX | BPF_IMM:
      m.x = i.k;
      return {};
    case BPF_LD | BPF_W | BPF_LEN:
      m.a = sizeof(seccomp_data);
      return {};
    case BPF_LD | BPF_MEM: {
      GH_TRY(const std::uint32_t* from, slot());
      m.a = *from;
      return {};
    }
    case BPF_LDX | BPF_MEM: {
      GH_TRY(const std::uint32_t* from, slot());
      m.x = *from;
      return {};
    }
    case BPF_ST: {
      GH_TRY(std::uint32_t * to, slot());
      *to = m.a;
      return {};
    }
    case BPF_STX: {
      GH_TRY(std::uint32_t * to, slot());
      *to = m.x;
      return {};
    }
    default:
      return fail(Errc::invalid_input, fmt::format("unknown load or store {:#x}", i.code));
  }
}

}  // namespace

core::Result<std::uint32_t> evaluate(const Program& program, const CallData& call) {
  if (program.empty() || program.size() > kMaxInstructions) {
    return fail(Errc::invalid_input, fmt::format("a program of {} instructions", program.size()));
  }
  Machine m;
  // Jumps only go forward, so every instruction runs at most once.
  for (std::size_t at = 0; at < program.size(); ++at) {
    const Instruction& i = program[at];
    switch (BPF_CLASS(i.code)) {
      case BPF_RET:
        return BPF_RVAL(i.code) == BPF_A ? m.a : i.k;
      case BPF_JMP: {
        GH_TRY(const std::uint32_t skip, jump(m, i));
        if (skip >= program.size())
          return fail(Errc::invalid_input, fmt::format("jump out of the program at {}", at));
        at += skip;
        break;
      }
      case BPF_ALU:
        GH_CHECK(arithmetic(m, i));
        break;
      case BPF_MISC:
        if (BPF_MISCOP(i.code) == BPF_TAX) {
          m.x = m.a;
        } else {
          m.a = m.x;
        }
        break;
      default:
        GH_CHECK(load_or_store(m, i, call));
    }
  }
  return fail(Errc::invalid_input, "the program ends without a return");
}

std::uint32_t return_value(const Action& action) {
  switch (action.kind) {
    case Action::Kind::allow:
      return SECCOMP_RET_ALLOW;
    case Action::Kind::refuse:
      return SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(action.error_number) & SECCOMP_RET_DATA);
    case Action::Kind::log:
      return SECCOMP_RET_LOG;
    case Action::Kind::ask_once:
      return SECCOMP_RET_USER_NOTIF;
    case Action::Kind::kill:
      break;
  }
  return SECCOMP_RET_KILL_PROCESS;
}

std::string describe_return(std::uint32_t value) {
  switch (value & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
      return "allow";
    case SECCOMP_RET_LOG:
      return "log";
    case SECCOMP_RET_USER_NOTIF:
      return "allow once";
    case SECCOMP_RET_ERRNO:
      return Action{Action::Kind::refuse, static_cast<int>(value & SECCOMP_RET_DATA)}.to_string();
    case SECCOMP_RET_KILL_PROCESS:
      return "kill";
    default:
      return fmt::format("{:#010x}", value);
  }
}

std::uint32_t native_arch() {
#if defined(__x86_64__)
  return AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
  return AUDIT_ARCH_AARCH64;
#else
#error "seccomp profiles are checked on x86-64 and arm64 only"
#endif
}

std::string dump(const Program& program) {
  std::string out;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const Instruction& i = program[at];
    std::string text;
    switch (BPF_CLASS(i.code)) {
      case BPF_RET:
        text = BPF_RVAL(i.code) == BPF_A ? "ret A" : "ret " + describe_return(i.k);
        break;
      case BPF_JMP: {
        constexpr std::array<const char*, 5> kNames{"ja", "jeq", "jgt", "jge", "jset"};
        const std::size_t op = BPF_OP(i.code) >> 4U;
        text = op == 0 ? fmt::format("ja {}", at + 1 + i.k)
                       : fmt::format("{} #{:#x} jt {} jf {}", op < kNames.size() ? kNames.at(op) : "j?", i.k,
                                     at + 1 + i.jump_true, at + 1 + i.jump_false);
        break;
      }
      case BPF_LD:
        text = fmt::format("ld [{}]", i.k);
        break;
      case BPF_ALU:
        text = fmt::format("alu {:#x} #{:#x}", i.code, i.k);
        break;
      default:
        text = fmt::format("{:#x} {} {} {:#x}", i.code, i.jump_true, i.jump_false, i.k);
    }
    out += fmt::format("{:4}: {}\n", at, text);
  }
  return out;
}

}  // namespace gatehouse::hardening
