#include "hardening/seccomp/compile.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <rapidcheck/gtest.h>

#include <cerrno>

#include "core/os.h"

namespace gatehouse::hardening {
namespace {

Profile parse(const std::string& text) {
  core::Diagnostics diagnostics;
  auto profile = parse_profile(core::SourceText("p.yaml", text), native_syscalls(), diagnostics);
  EXPECT_TRUE(profile) << diagnostics.render_all();
  return profile.value_or(Profile{});
}

void expect_agreement(const Profile& profile, const CompileOptions& options) {
  const auto program = compile(profile, options);
  ASSERT_TRUE(program) << program.error().to_string();
  const auto proof = prove(profile, options, *program);
  ASSERT_TRUE(proof) << proof.error().to_string();
  EXPECT_GT(proof->calls_tried, 500U);
  for (const Disagreement& d : proof->disagreements) {
    ADD_FAILURE() << fmt::format("call {} arch {:#x} args {:#x} {:#x} {:#x}: program {}, profile {}",
                                 d.call.number, d.call.arch, d.call.arguments[0], d.call.arguments[1],
                                 d.call.arguments[2], describe_return(d.program_says),
                                 describe_return(d.profile_says));
  }
}

class ShippedProfile : public testing::TestWithParam<const char*> {};

TEST_P(ShippedProfile, CompilesToExactlyWhatItSays) {
  const std::string path = std::string(GATEHOUSE_SOURCE_DIR) + "/rules/hardening/" + GetParam() + ".yaml";
  core::Diagnostics diagnostics;
  const auto profile = load_profile(path, diagnostics);
  ASSERT_TRUE(profile) << profile.error().to_string();
  ASSERT_TRUE(*profile) << diagnostics.render_all();
  for (const bool launching : {false, true}) {
    for (const bool log_only : {false, true}) expect_agreement(**profile, {launching, log_only});
  }
}

// The expected result beside the profile: the calls it allows, in order.
TEST_P(ShippedProfile, AllowsWhatTheListBesideItNames) {
  const std::string stem = std::string(GATEHOUSE_SOURCE_DIR) + "/rules/hardening/" + GetParam();
  core::Diagnostics diagnostics;
  const auto profile = load_profile(stem + ".yaml", diagnostics);
  ASSERT_TRUE(profile && *profile);
  const auto expected = core::read_file(stem + ".expected");
  ASSERT_TRUE(expected) << expected.error().to_string();
  EXPECT_EQ(allowed_text(**profile), *expected)
      << "update with: harden show " << stem << ".yaml > " << stem << ".expected";
}

INSTANTIATE_TEST_SUITE_P(All, ShippedProfile, testing::Values("web-server", "ids", "socfwd", "fwctl-guard", "deny-demo"),
                         [](const auto& param_info) {
                           std::string name = param_info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Compile, EveryBuiltinProfileLoads) {
  for (const auto& [name, text] : builtin_profile_texts()) EXPECT_TRUE(builtin_profile(name)) << name;
  const auto missing = builtin_profile("isd");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().text, testing::HasSubstr("`ids`"));
}

TEST(Compile, ArgumentConditionsAtTheirBoundaries) {
  expect_agreement(
      parse(
          "profile: p\ndefault: kill\nallow: [read]\nwhen:\n"
          "  - {syscalls: [socket], arguments: [{argument: 0, one-of: [1, 2, 10]}, {argument: 1, bits-clear: "
          "[0x80000]}]}\n"
          "  - {syscalls: [socket], arguments: [{argument: 2, at-most: 5}]}\n"
          "  - {syscalls: [mmap], arguments: [{argument: 2, bits-clear: [4]}]}\n"
          "  - {syscalls: [lseek], arguments: [{argument: 1, at-most: 0x100000000}, {argument: 2, one-of: "
          "[0, 2]}]}\n"
          "  - {syscalls: [personality], arguments: [{argument: 0, type: long, one-of: [0xffffffff, 0]}]}\n"),
      {});
}

// Random profiles over a few calls: program and tree must agree on every call and boundary.
RC_GTEST_PROP(CompileProperty, ProgramAgreesWithTree, ()) {
  static const std::vector<std::string> kCalls{"read", "socket", "mmap", "prctl", "clone", "ioctl", "fcntl"};
  const auto conditions = [] {
    std::string out;
    std::vector<int> arguments{0, 1, 2, 3};
    const int count = *rc::gen::inRange(1, 4);
    for (int i = 0; i < count; ++i) {
      const std::uint64_t a = *rc::gen::inRange<std::uint64_t>(0, 1U << 12U);
      const std::uint64_t b = *rc::gen::arbitrary<std::uint32_t>();
      std::string test;
      switch (*rc::gen::inRange(0, 4)) {
        case 0:
          test = fmt::format("one-of: [{}, {}]", a, b);
          break;
        case 1:
          test = fmt::format("bits-clear: [{}]", b | 1U);
          break;
        case 2:
          test = fmt::format("at-most: {}", (a << 32U) | b);
          break;
        default:
          test = fmt::format("type: long, one-of: [{}]", (a << 32U) | b);
      }
      out += fmt::format("{}{{argument: {}, {}}}", i == 0 ? "" : ", ", arguments[static_cast<std::size_t>(i)],
                         test);
    }
    return out;
  };
  std::string text = fmt::format("profile: p\ndefault: {}\n",
                                 *rc::gen::elementOf(std::vector<std::string>{"kill", "EPERM", "log"}));
  text += "allow: [write, exit_group]\nwhen:\n";
  const int rules = *rc::gen::inRange(1, 7);
  for (int i = 0; i < rules; ++i) {
    text +=
        fmt::format("  - {{syscalls: [{}], arguments: [{}]}}\n", *rc::gen::elementOf(kCalls), conditions());
  }
  const Profile profile = parse(text);
  RC_ASSERT(!profile.name.empty());
  const CompileOptions options{*rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<bool>()};
  const auto program = compile(profile, options);
  RC_ASSERT(program.has_value());
  const auto proof = prove(profile, options, *program);
  RC_ASSERT(proof.has_value());
  if (!proof->disagreements.empty()) {
    const Disagreement& d = proof->disagreements[0];
    RC_LOG(text + fmt::format("call {} args {:#x} {:#x} {:#x} {:#x} program {} profile {}", d.call.number,
                              d.call.arguments[0], d.call.arguments[1], d.call.arguments[2],
                              d.call.arguments[3], describe_return(d.program_says),
                              describe_return(d.profile_says)));
  }
  RC_ASSERT(proof->disagreements.empty());
}

// The proof itself must be able to fail.
TEST(Prove, FindsAChangedInstruction) {
  const Profile profile = parse("profile: p\ndefault: EPERM\nallow: [read, write]\n");
  auto program = compile(profile, {});
  ASSERT_TRUE(program);
  bool changed = false;
  for (Instruction& i : *program) {
    if (!changed && i.code == (BPF_RET | BPF_K) && i.k == SECCOMP_RET_ALLOW) {
      i.k = SECCOMP_RET_ERRNO | ENOSYS;
      changed = true;
    }
  }
  ASSERT_TRUE(changed);
  const auto proof = prove(profile, {}, *program);
  ASSERT_TRUE(proof);
  EXPECT_FALSE(proof->disagreements.empty());
}

TEST(Evaluate, RefusesProgramsTheKernelWouldRefuse) {
  const CallData call;
  EXPECT_FALSE(evaluate({}, call));
  EXPECT_FALSE(evaluate({{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}}, call)) << "no return";
  EXPECT_FALSE(evaluate({{BPF_LD | BPF_W | BPF_ABS, 0, 0, 64}, {BPF_RET | BPF_K, 0, 0, 0}}, call))
      << "load past the end";
  EXPECT_FALSE(evaluate({{BPF_LD | BPF_W | BPF_ABS, 0, 0, 2}, {BPF_RET | BPF_K, 0, 0, 0}}, call))
      << "unaligned";
  EXPECT_FALSE(evaluate({{BPF_JMP | BPF_JA, 0, 0, 7}, {BPF_RET | BPF_K, 0, 0, 0}}, call)) << "jump out";
  EXPECT_FALSE(evaluate({{BPF_LD | BPF_MEM, 0, 0, 16}, {BPF_RET | BPF_K, 0, 0, 0}}, call)) << "memory slot";
  EXPECT_FALSE(evaluate({{BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 0}}, call));
}

TEST(Evaluate, ComputesAsTheKernelDoes) {
  CallData call;
  call.number = 7;
  call.arguments[5] = 0x1122334455667788U;
  const Program program{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 56},                                        // low half of argument 5
      {BPF_MISC | BPF_TAX, 0, 0, 0},        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 60},  // high half
      {BPF_ALU | BPF_XOR | BPF_X, 0, 0, 0}, {BPF_ST, 0, 0, 3},
      {BPF_LD | BPF_IMM, 0, 0, 1},          {BPF_LD | BPF_MEM, 0, 0, 3},
      {BPF_RET | BPF_A, 0, 0, 0},
  };
  const auto value = evaluate(program, call);
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, 0x55667788U ^ 0x11223344U);
}

}  // namespace
}  // namespace gatehouse::hardening
