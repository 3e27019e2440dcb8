#include "mac/backends/landlock_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "core/landlock.h"

namespace gatehouse::mac {
namespace {

namespace landlock = core::landlock;
using Kind = Residual::Kind;

// Every TCP port written out costs a rule; a range wider than this would be a mistake anyway.
constexpr std::size_t kMaxPorts = 4096;

// The Landlock rights that carry one permission. A device's ioctls belong to whoever may both read
// and write it (see rights_of), REFER to whoever may both create and remove.
std::uint64_t rights_for(MacPermission permission) {
  switch (permission) {
    case MacPermission::read:
      return landlock::kReadFile;
    case MacPermission::write:
      return landlock::kWriteFile | landlock::kTruncate;
    case MacPermission::append:
      return landlock::kWriteFile;
    case MacPermission::create:
      return landlock::kMakeReg | landlock::kMakeDir | landlock::kMakeSym | landlock::kMakeSock |
             landlock::kMakeFifo;
    case MacPermission::remove:
      return landlock::kRemoveFile | landlock::kRemoveDir;
    case MacPermission::execute:
      return landlock::kExecute;
    case MacPermission::list:
      return landlock::kReadDir;
    case MacPermission::bind:
    case MacPermission::connect:
      break;
  }
  return 0;
}

std::uint64_t rights_of(PermissionSet permissions) {
  std::uint64_t rights = 0;
  for (std::size_t i = 0; i < site::kMacPermissions; ++i) {
    const auto p = static_cast<MacPermission>(i);
    if (permissions.has(p)) rights |= rights_for(p);
  }
  if (permissions.has(MacPermission::read) && permissions.has(MacPermission::write))
    rights |= landlock::kIoctlDev;
  if (permissions.has(MacPermission::create) && permissions.has(MacPermission::remove))
    rights |= landlock::kRefer;
  return rights;
}

constexpr std::uint64_t kEntryRights = landlock::kMakeReg | landlock::kMakeDir | landlock::kMakeSym |
                                       landlock::kMakeSock | landlock::kMakeFifo | landlock::kRemoveFile |
                                       landlock::kRemoveDir | landlock::kRefer;

class Planner {
 public:
  Planner(const Ir& ir, const IrDomain& domain, int abi)
      : ir_(ir), domain_(domain), granted_(domain.on_objects(ir.objects.size())) {
    plan_.abi = abi;
    plan_.filesystem = landlock::filesystem_rights(abi);
    if (abi >= 4) plan_.network = landlock::kBindTcp | landlock::kConnectTcp;
    if (abi >= 6)
      plan_.scopes = landlock::kScopeAbstractUnix | (domain.may_signal_outside ? 0 : landlock::kScopeSignal);
  }

  LandlockPlan plan() {
    for (const PathLabel& label : ir_.paths) add_label(label);
    add_ports();
    add_kernel_residuals();
    add_general_residuals();
    return std::move(plan_);
  }

 private:
  void residual(const char* code, Kind kind, std::string subject, std::string message, SourcePos where) {
    plan_.residuals.push_back(
        {code, kind, domain_.name, std::move(subject), std::move(message), std::move(where)});
  }

  void add_label(const PathLabel& label) {
    const PermissionSet permissions = granted_[label.object];
    const std::uint64_t rights = rights_of(permissions) & plan_.filesystem;
    const std::string text = label.pattern.to_string();
    const SourcePos& where = ir_.objects[label.object].where;
    if (permissions.has(MacPermission::append) && !permissions.has(MacPermission::write)) {
      residual("landlock-append", Kind::weaker, text,
               "appending cannot be told from overwriting: " + text + " can be overwritten", where);
    }
    // The kernel opens a program for reading too (open_exec), and Landlock asks for both rights.
    if (permissions.has(MacPermission::execute) && !permissions.has(MacPermission::read)) {
      residual("landlock-execute-read", Kind::stronger, text,
               "programs in " + text + " cannot be executed without `read` on them", where);
    }
    if (rights == 0) return;
    switch (label.pattern.kind) {
      case Pattern::Kind::subtree:
        add_tree(label, rights);
        return;
      case Pattern::Kind::entries:
        add_entries(label, rights, text, where);
        return;
      case Pattern::Kind::literal:
        add_literal(label, rights, text, where);
        return;
    }
  }

  void add_literal(const PathLabel& label, std::uint64_t rights, const std::string& text,
                   const SourcePos& where) {
    if ((rights & kEntryRights) != 0) {
      residual("landlock-create-literal", Kind::stronger, text,
               "creating and removing are decided by directory: the single name " + text + " gets neither",
               where);
    }
    if ((rights & landlock::kReadDir) != 0) {
      residual("landlock-list-literal", Kind::stronger, text,
               "listing " + text + " would include all directories below it: not granted", where);
    }
    add_rule(label.pattern.path, LandlockRule::Shape::file, rights & landlock::kFileRights, {});
  }

  void add_entries(const PathLabel& label, std::uint64_t rights, const std::string& text,
                   const SourcePos& where) {
    residual("landlock-entries", Kind::stronger, text,
             "only files that are there at the start are covered by " + text +
                 ", and creating, removing and listing in it are not granted",
             where);
    add_rule(label.pattern.path, LandlockRule::Shape::entries, rights & landlock::kFileRights,
             holes_of_entries(label));
  }

  // The labels on a directory and on everything below it. They stand together: what is below `/a`
  // sorts from `/a/` to before `/a0`, `0` being the character after `/`. `/a` itself is apart.
  std::vector<const PathLabel*> labels_within(const std::string& directory) const {
    const auto before = [](const PathLabel& l, const std::string& path) { return l.pattern.path < path; };
    const std::string prefix = directory == "/" ? "" : directory;
    std::vector<const PathLabel*> out;
    auto at = std::lower_bound(ir_.paths.begin(), ir_.paths.end(), directory, before);
    for (; at != ir_.paths.end() && at->pattern.path == directory; ++at) out.push_back(&*at);
    at = std::lower_bound(ir_.paths.begin(), ir_.paths.end(), prefix + "/", before);
    const auto end = std::lower_bound(ir_.paths.begin(), ir_.paths.end(), prefix + "0", before);
    for (; at != end; ++at) {
      if (at->pattern.path != directory) out.push_back(&*at);
    }
    return out;
  }

  // Literal names among the entries belong to other objects.
  std::vector<std::string> holes_of_entries(const PathLabel& label) const {
    std::vector<std::string> out;
    for (const PathLabel* other : labels_within(label.pattern.path)) {
      if (label.pattern.matches(other->pattern.path)) out.push_back(other->pattern.path);
    }
    return out;
  }

  // Rights with the same holes share a rule.
  void add_tree(const PathLabel& label, std::uint64_t rights) {
    const std::vector<const PathLabel*> within = labels_within(label.pattern.path);
    std::map<std::vector<std::string>, std::uint64_t> by_holes;
    for (std::uint64_t bit = 1; bit != 0 && bit <= rights; bit <<= 1U) {
      if ((rights & bit) != 0) by_holes[holes_for(label, within, bit)] |= bit;
    }
    const std::string text = label.pattern.to_string();
    const SourcePos& where = ir_.objects[label.object].where;
    for (const auto& [holes, shared] : by_holes) {
      // Another object owns the entries of this very directory: what is left are the contents of its
      // subdirectories, and no rule reaches those without the subdirectories themselves.
      if (!holes.empty() && holes.front() == label.pattern.path) {
        residual(
            "landlock-hole", Kind::stronger, text,
            fmt::format("the entries of {} belong to another object: nothing below is granted either ({})",
                        label.pattern.path, landlock::right_names(shared)),
            where);
        continue;
      }
      add_rule(label.pattern.path, LandlockRule::Shape::tree, shared, holes);
      if (holes.empty()) continue;
      residual(
          "landlock-hole", Kind::stronger, text,
          fmt::format(
              "{} without {}: the directories on the way and what is created in them after the start are "
              "not covered ({})",
              text, fmt::join(holes, ", "), landlock::right_names(shared)),
          where);
    }
  }

  std::vector<std::string> holes_for(const PathLabel& label, const std::vector<const PathLabel*>& within,
                                     std::uint64_t right) const {
    std::vector<std::string> out;
    for (const PathLabel* other : within) {
      if (other->object == label.object || !more_specific(other->pattern, label.pattern)) continue;
      if ((rights_of(granted_[other->object]) & right) != 0) continue;
      const std::string& path = other->pattern.path;
      // What is below a hole comes after it; siblings may stand between, then it is listed again.
      if (!out.empty() && (out.back() == path || is_below(path, out.back()))) continue;
      out.push_back(path);
    }
    return out;
  }

  void add_rule(const std::string& path, LandlockRule::Shape shape, std::uint64_t rights,
                std::vector<std::string> holes) {
    if (rights != 0) plan_.rules.push_back({path, shape, rights, std::move(holes)});
  }

  void add_ports() {
    std::map<std::uint16_t, std::uint64_t> rights;
    for (const PortLabel& label : ir_.ports) {
      const PermissionSet permissions = granted_[label.object];
      std::uint64_t bits = 0;
      if (permissions.has(MacPermission::bind)) bits |= landlock::kBindTcp;
      if (permissions.has(MacPermission::connect)) bits |= landlock::kConnectTcp;
      if (bits == 0 || label.ports.transport != site::Transport::tcp || plan_.network == 0) continue;
      const std::size_t count = static_cast<std::size_t>(label.ports.last) - label.ports.first + 1U;
      if (rights.size() + count > kMaxPorts) {
        residual("landlock-port-range", Kind::stronger, label.ports.to_string(),
                 fmt::format("{} is more ports than are written out one by one ({}): none of them is granted",
                             label.ports.to_string(), kMaxPorts),
                 ir_.objects[label.object].where);
        continue;
      }
      for (std::uint32_t port = label.ports.first; port <= label.ports.last; ++port) {
        rights[static_cast<std::uint16_t>(port)] |= bits;
      }
    }
    for (const auto& [port, bits] : rights) plan_.ports.push_back({port, bits});
  }

  // What older kernels cannot mediate.
  void add_kernel_residuals() {
    const auto below = [&](int abi, const char* code, Kind kind, const char* message) {
      if (plan_.abi < abi)
        residual(code, kind, "", fmt::format("{} (Landlock ABI {}; needs {})", message, plan_.abi, abi),
                 domain_.where);
    };
    below(2, "landlock-no-refer", Kind::stronger, "moving files between directories is always refused");
    below(3, "landlock-no-truncate", Kind::weaker, "files can be truncated without `write`");
    below(4, "landlock-no-tcp", Kind::weaker, "TCP ports are not mediated");
    below(5, "landlock-no-ioctl", Kind::weaker, "device ioctls are not mediated");
    if (plan_.abi < 6)
      below(6, "landlock-no-scope", Kind::weaker,
            "signals and abstract sockets to other processes are not mediated");
  }

  // Measured on Linux 6.12 and 6.18, all ABIs up to 7.
  void add_general_residuals() {
    residual("landlock-udp", Kind::weaker, "udp", "UDP and raw sockets are not mediated", domain_.where);
    if (plan_.abi >= 4) {
      residual("landlock-tcp-paths", Kind::weaker, "tcp",
               "TCP ports are mediated in bind and connect only: not in sendto with MSG_FASTOPEN, not for "
               "MPTCP, not for listen without bind",
               domain_.where);
    }
    for (const IrTransition& t : domain_.transitions) {
      residual(
          "landlock-transition", Kind::weaker, t.exec,
          fmt::format(
              "{} keeps the restrictions of `{}` instead of entering `{}`; started by `mac run` it has both",
              t.exec, domain_.name, t.domain),
          t.where);
    }
  }

  const Ir& ir_;
  const IrDomain& domain_;
  std::vector<PermissionSet> granted_;  // by object
  LandlockPlan plan_;
};

std::string_view shape_name(LandlockRule::Shape shape) {
  switch (shape) {
    case LandlockRule::Shape::tree:
      return "tree";
    case LandlockRule::Shape::entries:
      return "entries";
    case LandlockRule::Shape::file:
      break;
  }
  return "file";
}

}  // namespace

LandlockPlan plan_landlock(const Ir& ir, const IrDomain& domain, int abi) {
  return Planner(ir, domain, abi).plan();
}

std::string LandlockPlan::to_text() const {
  std::string out = fmt::format("landlock abi {}\nhandle {}\n", abi, landlock::right_names(filesystem));
  if (network != 0) out += fmt::format("handle {}\n", landlock::port_right_names(network));
  if ((scopes & landlock::kScopeAbstractUnix) != 0) out += "scope abstract_unix_socket\n";
  if ((scopes & landlock::kScopeSignal) != 0) out += "scope signal\n";
  for (const LandlockRule& rule : rules) {
    out +=
        fmt::format("allow {} {} {}", shape_name(rule.shape), rule.path, landlock::right_names(rule.rights));
    if (!rule.holes.empty()) out += fmt::format(" without {}", fmt::join(rule.holes, ","));
    out += '\n';
  }
  for (const LandlockPort& port : ports)
    out += fmt::format("allow port {} {}\n", port.port, landlock::port_right_names(port.rights));
  return out;
}

}  // namespace gatehouse::mac
