// What every back end offers: compile one domain of the IR into its own form and say exactly what
// that form cannot express. One .cc and one gatehouse_add_backend(name) line each.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "mac/ir/ir.h"

namespace gatehouse::mac {

// One thing the back end does otherwise than the IR says.
struct Residual {
  enum class Kind : std::uint8_t {
    stronger,  // refuses what the policy allows
    weaker,    // allows what the policy refuses
  };

  std::string code;  // stable, "landlock-udp"; what `accept-gaps` names
  Kind kind = Kind::weaker;
  std::string domain;
  std::string subject;  // the path pattern or port it is about; empty: the whole domain
  std::string message;  // one sentence
  SourcePos where;
};
std::string_view to_string(Residual::Kind kind);

struct BackendOptions {
  int abi = 0;  // Landlock ABI to compile for; 0: the running kernel's
};

struct Compiled {
  std::string text;  // the artefact, or its readable form where the artefact is a kernel object
  std::vector<Residual> residuals;
};

struct Backend {
  std::string_view name;
  std::string_view summary;       // what it can express, one line
  std::string_view version_note;  // kernel or tool version it is for
  core::Result<Compiled> (*compile)(const Ir& ir, const IrDomain& domain, const BackendOptions& options);
  // Starts a program confined and does not return on success; null: this back end only compiles.
  core::Result<int> (*run)(const Ir& ir, const IrDomain& domain, const BackendOptions& options,
                           const std::vector<std::string>& accepted_gaps, bool strict,
                           const std::vector<std::string>& command);
};

std::span<const Backend* const> backends();
const Backend* find_backend(std::string_view name);

}  // namespace gatehouse::mac
