// A domain as Landlock can say it: allow rules on directory trees and files, ports, scopes.
//
// Landlock grants by tree and cannot take away inside it, binds to what exists when it is applied,
// and checks creation and removal on the parent directory. So a tree in which another object lies
// that lacks the right ("hole") is applied by expansion: every present sibling on the way to the
// hole gets its own rule, the directories on the way get none. That never allows more than the
// policy; what it refuses beyond it is a residual.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "mac/backends/backend.h"

namespace gatehouse::mac {

struct LandlockRule {
  enum class Shape : std::uint8_t {
    tree,     // the directory and all below, without the holes
    entries,  // the files that are in the directory when applied, without the holes
    file,     // this one file; a directory of that name gets nothing, since a rule would reach below
  };

  std::string path;
  Shape shape = Shape::tree;
  std::uint64_t rights = 0;        // core::landlock::k...
  std::vector<std::string> holes;  // normalised paths, each with all that is below it
};

struct LandlockPort {
  std::uint16_t port = 0;
  std::uint64_t rights = 0;
};

struct LandlockPlan {
  int abi = 0;
  std::uint64_t filesystem = 0;
  std::uint64_t network = 0;
  std::uint64_t scopes = 0;
  std::vector<LandlockRule> rules;
  std::vector<LandlockPort> ports;
  std::vector<Residual> residuals;

  std::string to_text() const;
};

LandlockPlan plan_landlock(const Ir& ir, const IrDomain& domain, int abi);

// What happened to the rules on this machine.
struct LandlockApplied {
  std::size_t rules = 0;
  std::vector<std::string> left_out;  // sentences: not there, a symbolic link, a directory, ...
};

// Restricts the calling thread. Paths are opened without following symbolic links: the real file
// is governed by the object its real path belongs to.
core::Result<LandlockApplied> apply_landlock(const LandlockPlan& plan);

}  // namespace gatehouse::mac
