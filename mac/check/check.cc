#include "mac/check/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace gatehouse::mac {
namespace {

bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

void check_never(const site::MacNever& never, const Ir& ir, core::Diagnostics& diagnostics) {
  const auto object = std::find_if(ir.objects.begin(), ir.objects.end(),
                                   [&](const IrObject& o) { return o.name == never.object; });
  if (object == ir.objects.end()) {
    diagnostics.error("unknown-name", never.where, "`never` names no object `" + never.object + "`");
    return;
  }
  const auto index = static_cast<std::size_t>(object - ir.objects.begin());
  for (const IrDomain& domain : ir.domains) {
    if (contains(never.except, domain.name)) continue;
    for (const IrGrant& grant : domain.grants) {
      if (grant.object != index) continue;
      for (const MacPermission p : never.permissions) {
        if (!grant.permissions.has(p)) continue;
        diagnostics
            .error("mac-never", grant.where,
                   fmt::format("domain `{}` is granted `{}` on `{}`, which must never be", domain.name,
                               site::to_string(p), never.object))
            .hint = "the `never` is at " + never.where.to_string();
      }
    }
  }
}

void check_executable(const Ir& ir, const IrDomain& domain, const std::string& exec, const SourcePos& where,
                      const char* what, core::Diagnostics& diagnostics) {
  if (exec.empty()) return;
  const auto decision = decide_path(ir, domain, MacPermission::execute, exec);
  if (!decision || decision->allowed) return;
  diagnostics
      .error("mac-entry", where,
             fmt::format("domain `{}` may not execute its {} {}", domain.name, what, exec))
      .hint = decision->reason;
}

}  // namespace

void check_policy(const site::Site& site, const Ir& ir, core::Diagnostics& diagnostics) {
  for (const site::MacNever& never : site.mac.nevers) check_never(never, ir, diagnostics);
  for (const IrDomain& domain : ir.domains) {
    check_executable(ir, domain, domain.exec, domain.where, "entry program", diagnostics);
    for (const IrTransition& t : domain.transitions)
      check_executable(ir, domain, t.exec, t.where, "transition program", diagnostics);
  }
}

core::Result<std::vector<Residual>> check_backend(const site::Site& site, const Ir& ir,
                                                  const Backend& backend, const BackendOptions& options,
                                                  core::Diagnostics& diagnostics) {
  std::vector<Residual> all;
  std::set<std::string> seen;
  std::set<std::string> reported;  // a gap of every domain is one finding, not one for each
  for (const IrDomain& domain : ir.domains) {
    GH_TRY(Compiled compiled, backend.compile(ir, domain, options));
    for (Residual& r : compiled.residuals) {
      seen.insert(r.code);
      const bool accepted = contains(site.mac.accept_gaps, r.code);
      if (!accepted && reported.insert(r.code + "\n" + r.subject).second) {
        diagnostics
            .error(r.code, r.where,
                   fmt::format("{} is {} than the policy: {}", backend.name, to_string(r.kind), r.message))
            .hint = "change the policy, or accept it: mac.accept-gaps: [" + r.code + "]";
      }
      all.push_back(std::move(r));
    }
  }
  const std::string prefix = std::string(backend.name) + "-";
  for (const std::string& code : site.mac.accept_gaps) {
    if (code.rfind(prefix, 0) != 0 || seen.count(code) != 0) continue;
    diagnostics.warning("stale-gap", {site.file, 0, 0},
                        "`accept-gaps` lists `" + code + "`, but nothing has this gap now");
  }
  return all;
}

}  // namespace gatehouse::mac
