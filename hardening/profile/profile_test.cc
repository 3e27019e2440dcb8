#include "hardening/profile/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace gatehouse::hardening {
namespace {

using core::Diagnostics;
using core::SourceText;

SyscallTable small_table() {
  SyscallTable table;
  table.numbers = {{"read", 0},    {"write", 1}, {"open", 2},       {"socket", 41},
                   {"execve", 59}, {"kill", 62}, {"execveat", 322}, {"statx", 332}};
  table.newest = 332;
  return table;
}

struct Parsed {
  std::optional<Profile> profile;
  Diagnostics diagnostics;
};

Parsed parse(const std::string& text) {
  Parsed out;
  out.profile = parse_profile(SourceText("p.yaml", text), small_table(), out.diagnostics);
  return out;
}

constexpr const char* kHead = "profile: p\ndefault: errno EPERM\n";

TEST(Profile, SaysWhatItsTextSays) {
  const Parsed p =
      parse(std::string(kHead) +
            "newest-syscall: execveat\nexec: once\nallow: [read, write]\n"
            "when:\n  - {syscalls: [socket], arguments: [{argument: 0, one-of: [AF_UNIX, AF_INET]}]}\n"
            "refuse: [{syscalls: [kill], action: kill}]\n");
  ASSERT_TRUE(p.profile) << p.diagnostics.render_all();
  const Action allow{Action::Kind::allow, 0};
  const Action eperm{Action::Kind::refuse, EPERM};
  EXPECT_EQ(p.profile->decide(0, {}, false), allow);
  EXPECT_EQ(p.profile->decide(2, {}, false), eperm);
  EXPECT_EQ(p.profile->decide(41, {2}, false), allow);
  EXPECT_EQ(p.profile->decide(41, {16}, false), eperm);
  EXPECT_EQ(p.profile->decide(41, {0xffffffff00000002U}, false), allow) << "the kernel reads an int";
  EXPECT_EQ(p.profile->decide(62, {}, false), (Action{Action::Kind::kill, 0}));
  EXPECT_EQ(p.profile->decide(59, {}, false), eperm);
  EXPECT_EQ(p.profile->decide(59, {}, true), (Action{Action::Kind::ask_once, 0}));
  EXPECT_EQ(p.profile->decide(332, {}, false), (Action{Action::Kind::refuse, ENOSYS}))
      << "newer than the profile";
  EXPECT_EQ(p.profile->decide(-1, {}, false), (Action{Action::Kind::kill, 0}));
}

struct BadCase {
  const char* name;
  const char* text;
  const char* code;
  std::uint32_t line;
};

class BadProfile : public testing::TestWithParam<BadCase> {};

TEST_P(BadProfile, IsRefusedAtItsLine) {
  const Parsed p = parse(std::string(kHead) + GetParam().text);
  EXPECT_FALSE(p.profile);
  const bool found = std::any_of(
      p.diagnostics.all().begin(), p.diagnostics.all().end(),
      [](const core::Diagnostic& d) { return d.code == GetParam().code && d.where.line == GetParam().line; });
  EXPECT_TRUE(found) << p.diagnostics.render_all();
}

INSTANTIATE_TEST_SUITE_P(
    All, BadProfile,
    testing::Values(
        BadCase{"UnknownCall", "allow: [raed]\n", "unknown-syscall", 3},
        BadCase{"UnknownKey", "alow: [read]\n", "unknown-key", 3},
        BadCase{"ListedTwice", "allow: [read, read]\n", "duplicate-syscall", 3},
        BadCase{"AllowedAndRefused", "allow: [read]\nrefuse: [{syscalls: [read], action: kill}]\n",
                "duplicate-syscall", 4},
        BadCase{"AllowedAndConditional",
                "allow: [socket]\nwhen: [{syscalls: [socket], arguments: [{argument: 0, one-of: [1]}]}]\n",
                "duplicate-syscall", 4},
        BadCase{"ExecListed", "allow: [execve]\n", "exec-listed", 3},
        BadCase{"BadExec", "exec: twice\n", "bad-value", 3},
        BadCase{"BadAction", "refuse: [{syscalls: [read], action: EWHAT}]\n", "bad-action", 3},
        BadCase{"NewerThanProfile", "newest-syscall: kill\nallow: [statx]\n", "newer-than-profile", 4},
        BadCase{"NoArguments", "when: [{syscalls: [socket]}]\n", "missing-key", 3},
        BadCase{"TwoTests",
                "when: [{syscalls: [socket], arguments: [{argument: 0, one-of: [1], at-most: 3}]}]\n",
                "bad-condition", 3},
        BadCase{"SameArgumentTwice",
                "when: [{syscalls: [socket], arguments: [{argument: 0, one-of: [1]}, {argument: 0, at-most: "
                "3}]}]\n",
                "bad-condition", 3},
        BadCase{"NoBits", "when: [{syscalls: [socket], arguments: [{argument: 0, bits-clear: [0]}]}]\n",
                "bad-condition", 3},
        BadCase{"ArgumentSix", "when: [{syscalls: [socket], arguments: [{argument: 6, at-most: 3}]}]\n",
                "bad-value", 3},
        BadCase{"UnknownConstant",
                "when: [{syscalls: [socket], arguments: [{argument: 0, one-of: [AF_INTE]}]}]\n",
                "unknown-constant", 3},
        BadCase{"TooWideForInt",
                "when: [{syscalls: [socket], arguments: [{argument: 0, one-of: [0x100000001]}]}]\n",
                "bad-value", 3}),
    [](const auto& param_info) { return param_info.param.name; });

TEST(Profile, NamesTheNearestCall) {
  const Parsed p = parse(std::string(kHead) + "allow: [soket]\n");
  ASSERT_FALSE(p.diagnostics.all().empty());
  EXPECT_THAT(p.diagnostics.all()[0].hint, testing::HasSubstr("`socket`"));
}

TEST(Profile, NeedsADefault) {
  const Parsed p = parse("");
  EXPECT_FALSE(p.profile);
  Diagnostics diagnostics;
  EXPECT_FALSE(parse_profile(SourceText("p", "profile: p\nallow: [read]\n"), small_table(), diagnostics));
}

TEST(Expression, ExpandsToAlternatives) {
  const auto equals = [](unsigned argument, std::uint64_t value) {
    return Expression::compare({argument, Comparison::Kind::masked_equal, ~std::uint64_t{0}, value});
  };
  const Expression e = Expression::all_of({Expression::any_of({equals(0, 1), equals(0, 2)}), equals(1, 7)});
  const auto alternatives = e.alternatives(8);
  ASSERT_TRUE(alternatives);
  EXPECT_EQ(alternatives->size(), 2U);
  EXPECT_FALSE(e.alternatives(1));
  EXPECT_TRUE(e.evaluate({2, 7}));
  EXPECT_FALSE(e.evaluate({2, 8}));
  EXPECT_FALSE(Expression::any_of({}).evaluate({}));
  EXPECT_TRUE(Expression().is_always());
}

}  // namespace
}  // namespace gatehouse::hardening
