#include "mac/ir/ir.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace gatehouse::mac {
namespace {

class Builder {
 public:
  Builder(const site::Site& site, core::Diagnostics& diagnostics) : site_(site), diagnostics_(diagnostics) {}

  Ir build() {
    for (const site::MacObject& object : site_.mac.objects) add_object(object);
    report_ties();
    for (const site::MacDomain& domain : site_.mac.domains) add_domain(domain);
    for (const IrDomain& domain : ir_.domains) check_transitions(domain);
    return std::move(ir_);
  }

 private:
  void add_object(const site::MacObject& object) {
    const std::size_t index = ir_.objects.size();
    ir_.objects.push_back({object.name, object.customer_data, object.where});
    by_name_.emplace(object.name, index);
    for (const std::string& text : object.paths) {
      core::Result<Pattern> pattern = Pattern::parse(text);
      if (pattern) {
        ir_.paths.push_back({std::move(*pattern), index});
      } else {
        diagnostics_.error("bad-pattern", object.where,
                           "object `" + object.name + "`: " + pattern.error().text);
      }
    }
    for (const site::PortRange& ports : object.ports) ir_.ports.push_back({ports, index});
  }

  void report_ties() {
    std::sort(ir_.paths.begin(), ir_.paths.end(), [](const PathLabel& a, const PathLabel& b) {
      return a.pattern.path != b.pattern.path ? a.pattern.path < b.pattern.path
                                              : a.pattern.kind < b.pattern.kind;
    });
    for (std::size_t i = 1; i < ir_.paths.size(); ++i) {
      const PathLabel& a = ir_.paths[i - 1];
      const PathLabel& b = ir_.paths[i];
      if (!(a.pattern == b.pattern) || a.object == b.object) continue;
      const IrObject& first = ir_.objects[std::min(a.object, b.object)];
      const IrObject& second = ir_.objects[std::max(a.object, b.object)];
      diagnostics_
          .error("mac-tie", second.where,
                 fmt::format("objects `{}` and `{}` both own {}", first.name, second.name,
                             a.pattern.to_string()))
          .hint = "a path belongs to one object; the other is at " + first.where.to_string();
    }
  }

  void add_domain(const site::MacDomain& domain) {
    IrDomain out;
    out.name = domain.name;
    out.where = domain.where;
    out.may_signal_outside = domain.may_signal_outside;
    out.exec = normalised_exec(domain.exec, domain.where);
    for (const site::MacGrant& grant : domain.grants) add_grant(grant, out);
    for (const site::MacTransition& t : domain.transitions) {
      out.transitions.push_back({normalised_exec(t.exec, t.where), t.domain, t.where});
    }
    ir_.domains.push_back(std::move(out));
  }

  std::string normalised_exec(const std::string& exec, const SourcePos& where) {
    if (exec.empty()) return {};
    core::Result<std::string> path = normalise_path(exec);
    if (path) return std::move(*path);
    diagnostics_.error("bad-path", where, path.error().text);
    return {};
  }

  void add_grant(const site::MacGrant& grant, IrDomain& domain) {
    PermissionSet permissions;
    for (const MacPermission p : grant.permissions) permissions.add(p);
    for (const std::string& name : grant.objects) {
      const auto at = by_name_.find(name);
      if (at == by_name_.end()) {
        std::vector<std::string> known;
        for (const IrObject& o : ir_.objects) known.push_back(o.name);
        diagnostics_.error("unknown-name", grant.where, "there is no object `" + name + "`").hint =
            core::did_you_mean(name, known);
        continue;
      }
      domain.grants.push_back({permissions.closure(), at->second, grant.where});
    }
  }

  void check_transitions(const IrDomain& domain) {
    for (const IrTransition& t : domain.transitions) {
      if (ir_.find_domain(t.domain) == nullptr) {
        diagnostics_.error("unknown-name", t.where, "there is no domain `" + t.domain + "`");
      }
    }
  }

  const site::Site& site_;
  core::Diagnostics& diagnostics_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
  Ir ir_;
};

std::string article(MacPermission permission) {
  return "`" + std::string(site::to_string(permission)) + "`";
}

const IrGrant* grant_for(const IrDomain& domain, std::size_t object, MacPermission permission) {
  const auto at = std::find_if(domain.grants.begin(), domain.grants.end(), [&](const IrGrant& g) {
    return g.object == object && g.permissions.has(permission);
  });
  return at == domain.grants.end() ? nullptr : &*at;
}

Decision decide_object(const Ir& ir, const IrDomain& domain, MacPermission permission, std::size_t object,
                       const std::string& what) {
  Decision out;
  out.object = ir.objects[object].name;
  out.object_where = ir.objects[object].where;
  const std::string object_text =
      fmt::format("{} is in object `{}` ({})", what, out.object, out.object_where.to_string());
  if (const IrGrant* grant = grant_for(domain, object, permission)) {
    out.allowed = true;
    out.rule = grant->where;
    out.reason = fmt::format("{}; domain `{}` is granted {} on it at {}", object_text, domain.name,
                             article(permission), grant->where.to_string());
    return out;
  }
  out.reason = fmt::format("{}; domain `{}` ({}) has no {} on it", object_text, domain.name,
                           domain.where.to_string(), article(permission));
  return out;
}

}  // namespace

PermissionSet PermissionSet::closure() const {
  PermissionSet out = *this;
  if (has(MacPermission::write)) out.add(MacPermission::append);
  return out;
}

std::string PermissionSet::to_string() const {
  std::string out;
  for (std::size_t i = 0; i < site::kMacPermissions; ++i) {
    const auto p = static_cast<MacPermission>(i);
    if (!has(p)) continue;
    if (!out.empty()) out += ',';
    out += site::to_string(p);
  }
  return out;
}

std::vector<PermissionSet> IrDomain::on_objects(std::size_t count) const {
  std::vector<PermissionSet> out(count);
  for (const IrGrant& grant : grants) out.at(grant.object).merge(grant.permissions);
  return out;
}

const IrDomain* Ir::find_domain(std::string_view name) const {
  const auto at =
      std::find_if(domains.begin(), domains.end(), [&](const IrDomain& d) { return d.name == name; });
  return at == domains.end() ? nullptr : &*at;
}

const PathLabel* Ir::label_of(std::string_view normalised, MacPermission permission) const {
  const bool entry = permission == MacPermission::create || permission == MacPermission::remove;
  const PathLabel* best = nullptr;
  // Only the path itself and its ancestors can be a pattern's text: look each up in the sorted list.
  std::string_view prefix = normalised;
  while (true) {
    auto at = std::lower_bound(paths.begin(), paths.end(), prefix,
                               [](const PathLabel& l, std::string_view p) { return l.pattern.path < p; });
    for (; at != paths.end() && at->pattern.path == prefix; ++at) {
      if (!at->pattern.matches(normalised)) continue;
      if (entry && at->pattern.kind == Pattern::Kind::subtree && prefix == normalised) continue;
      if (best == nullptr || more_specific(at->pattern, best->pattern)) best = &*at;
    }
    if (prefix == "/") return best;
    const std::size_t slash = prefix.rfind('/');
    prefix = slash == 0 ? std::string_view("/") : prefix.substr(0, slash);
  }
}

std::optional<Ir> build_ir(const site::Site& site, core::Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.error_count();
  Ir ir = Builder(site, diagnostics).build();
  if (diagnostics.error_count() != before) return std::nullopt;
  return ir;
}

core::Result<Decision> decide_path(const Ir& ir, const IrDomain& domain, MacPermission permission,
                                   std::string_view path) {
  if (is_network(permission)) {
    return core::fail(core::Errc::invalid_input, article(permission) + " is about ports, not paths");
  }
  GH_TRY(const std::string normalised, normalise_path(path));
  const PathLabel* label = ir.label_of(normalised, permission);
  if (label == nullptr) {
    Decision out;
    out.reason = fmt::format("no object covers {}, and what no object covers is denied", normalised);
    return out;
  }
  return decide_object(ir, domain, permission, label->object,
                       fmt::format("{} (by {})", normalised, label->pattern.to_string()));
}

core::Result<Decision> decide_port(const Ir& ir, const IrDomain& domain, MacPermission permission,
                                   site::Transport transport, std::uint16_t port) {
  if (!is_network(permission)) {
    return core::fail(core::Errc::invalid_input, article(permission) + " is about paths, not ports");
  }
  const std::string what = fmt::format("{}/{}", site::to_string(transport), port);
  std::optional<Decision> denied;
  for (const PortLabel& label : ir.ports) {
    if (!label.ports.covers(transport, port)) continue;
    Decision decision = decide_object(ir, domain, permission, label.object, what);
    if (decision.allowed) return decision;
    if (!denied) denied = std::move(decision);
  }
  if (denied) return std::move(*denied);
  Decision out;
  out.reason = fmt::format("no object covers {}, and what no object covers is denied", what);
  return out;
}

}  // namespace gatehouse::mac
