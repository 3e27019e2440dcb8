// Exhaustive where it can be, boundary values where it cannot: a filter only compares 32-bit words
// of the arguments with constants, so trying each constant, its neighbours and single flipped bits,
// in every combination over the arguments a rule looks at, meets every branch of the program.
#include <algorithm>
#include <numeric>
#include <set>

#include "hardening/seccomp/compile.h"

namespace gatehouse::hardening {
namespace {

constexpr std::size_t kMaxKept = 10;
constexpr std::size_t kMaxCombinations = 40'000;  // a rule; of more, a sample

void add_neighbours(std::set<std::uint64_t>& values, std::uint64_t value) {
  for (const std::uint64_t v : {value - 1, value, value + 1}) {
    values.insert(v);
    values.insert(v ^ (std::uint64_t{1} << 32U));
    values.insert(v | 0xffffffff00000000U);
    values.insert(v & 0xffffffffU);
  }
}

// The values of one argument that can make a difference.
std::vector<std::uint64_t> interesting(const std::vector<Conjunction>& alternatives, unsigned argument) {
  std::set<std::uint64_t> values{0, ~std::uint64_t{0}, 0x80000000U, 0x7fffffffU, std::uint64_t{1} << 63U};
  for (const Conjunction& alternative : alternatives) {
    for (const Comparison& c : alternative) {
      if (c.argument != argument) continue;
      add_neighbours(values, c.value);
      if (c.kind == Comparison::Kind::at_most) continue;
      add_neighbours(values, c.mask);
      values.insert(~c.mask | c.value);
      // Each bit of the mask by itself; a plain equality is covered by a few of them.
      const bool dense = c.mask == ~std::uint64_t{0} || c.mask == 0xffffffffU;
      for (unsigned bit = 0; bit < 64; bit += dense ? 7 : 1)
        values.insert(c.value ^ (std::uint64_t{1} << bit));
    }
  }
  return {values.begin(), values.end()};
}

class Prover {
 public:
  Prover(const Profile& profile, const CompileOptions& options, const Program& program)
      : profile_(profile), options_(options), program_(program) {}

  core::Result<Proof> run() {
    const int past = std::max(profile_.newest, native_syscalls().newest) + 64;
    for (int number = -2; number <= past; ++number) GH_CHECK(try_number(number));
    for (const int number : {kMaxSyscall - 1, kMaxSyscall, kMaxSyscall + 1, kMaxSyscall + 60, 0x7fffffff}) {
      GH_CHECK(try_number(number));
    }
    for (const std::uint32_t arch : {0U, 0x40000003U, 0xc00000b7U, 0xc000003eU, 0xffffffffU}) {
      for (int number = 0; number <= past; ++number) GH_CHECK(try_call({number, arch, 0, {}}));
    }
    return std::move(proof_);
  }

 private:
  core::Status try_call(const CallData& call) {
    ++proof_.calls_tried;
    GH_TRY(const std::uint32_t got, evaluate(program_, call));
    const std::uint32_t want = expected_return(profile_, options_, call);
    if (got != want && proof_.disagreements.size() < kMaxKept)
      proof_.disagreements.push_back({call, got, want});
    return {};
  }

  core::Status try_number(int number) {
    GH_CHECK(try_call({number, native_arch(), 0, {}}));
    const std::uint64_t all = ~std::uint64_t{0};
    GH_CHECK(try_call({number, native_arch(), 0, {all, all, all, all, all, all}}));
    const auto rule = profile_.rules.find(number);
    if (rule == profile_.rules.end() || rule->second.when.is_always()) return {};
    GH_TRY(const std::vector<Conjunction> alternatives, rule->second.when.alternatives(256));
    std::array<std::vector<std::uint64_t>, 6> values;
    std::size_t combinations = 1;
    for (unsigned i = 0; i < 6; ++i) {
      const bool used = std::any_of(alternatives.begin(), alternatives.end(), [&](const Conjunction& a) {
        return std::any_of(a.begin(), a.end(), [&](const Comparison& c) { return c.argument == i; });
      });
      values.at(i) = used ? interesting(alternatives, i) : std::vector<std::uint64_t>{0};
      combinations *= values.at(i).size();
    }
    // A stride without a common factor with the number of combinations meets every value of every
    // argument also when it does not meet every combination of them.
    const std::size_t tries = std::min(combinations, kMaxCombinations);
    std::size_t stride = combinations / tries;
    while (std::gcd(stride, combinations) != 1) ++stride;
    for (std::size_t tried = 0, index = 0; tried < tries; ++tried, index = (index + stride) % combinations) {
      CallData call{number, native_arch(), 0, {}};
      std::size_t rest = index;
      for (unsigned i = 0; i < 6; ++i) {
        call.arguments.at(i) = values.at(i)[rest % values.at(i).size()];
        rest /= values.at(i).size();
      }
      GH_CHECK(try_call(call));
    }
    return {};
  }

  const Profile& profile_;
  const CompileOptions& options_;
  const Program& program_;
  Proof proof_;
};

}  // namespace

core::Result<Proof> prove(const Profile& profile, const CompileOptions& options, const Program& program) {
  return Prover(profile, options, program).run();
}

}  // namespace gatehouse::hardening
