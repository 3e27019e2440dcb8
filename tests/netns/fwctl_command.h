// Running fwctl and other programs inside a namespace, and what they say.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <optional>
#include <string>

#include "fwctl/compile/compile.h"
#include "fwctl/control/control.h"
#include "fwctl/model/build.h"
#include "tests/netns/fwctl_site.h"
#include "tests/netns/fwctl_topology.h"

namespace gatehouse::test {

using namespace fwctl;

struct Output {
  int status = -1;
  std::string text;  // standard output and standard error
};

// What `sh` does with the command, in the namespace of the calling thread.
inline Output run_here(const std::string& command) {
  Output out;
  FILE* pipe = popen(("{ " + command + "; } 2>&1").c_str(), "r");
  if (pipe == nullptr) return out;
  char buffer[4096];
  std::size_t got = 0;
  while ((got = fread(buffer, 1, sizeof buffer, pipe)) > 0) out.text.append(buffer, got);
  const int status = pclose(pipe);
  out.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return out;
}

// The same inside, with these variables.
inline Output run_inside(const Namespace& inside, const std::string& variables, const std::string& command) {
  Output out;
  inside.enter([&] { out = run_here("export " + variables + "; " + command); });
  return out;
}

inline std::string example(const std::string& name) {
  return std::string(GATEHOUSE_SOURCE_DIR) + "/rules/site/" + name;
}

// A test with an empty network namespace of its own, and commands run inside.
class CommandInNamespace : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string reason;
    if (!can_make_namespaces(reason)) GTEST_SKIP() << reason;
    auto made = Namespace::create();
    ASSERT_TRUE(made);
    inside_.emplace(std::move(*made));
    inside_->enter([&] {
      auto kernel = Kernel::open();
      ASSERT_TRUE(kernel) << kernel.error().to_string();
      kernel_.emplace(std::move(*kernel));
    });
  }

  static KernelTable full_table() { return compile(*build_ruleset(full_site())); }
  core::Result<ApplyReport> put(const KernelTable& table) { return apply_table(*kernel_, table, {}); }
  std::string differences(const KernelTable& wanted) {
    auto planned = plan_against(*kernel_, wanted);
    return planned ? print_plan(planned->plan) : planned.error().to_string();
  }
  Output shell(const std::string& command) {
    return run_inside(*inside_, "GATEHOUSE_STATE=/nowhere GATEHOUSE_RUN=/nowhere", command);
  }
  Output fwctl(const std::string& arguments) { return shell(std::string(GATEHOUSE_FWCTL) + " " + arguments); }

  std::optional<Namespace> inside_;
  std::optional<Kernel> kernel_;
};

}  // namespace gatehouse::test
