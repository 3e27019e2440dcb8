// The policy in the form every back end compiles from, and its evaluator: the reference that each
// back end is tested against. Immutable after build_ir().
//
// Meaning
// - Every path belongs to at most one object: the one with the most specific pattern (pattern.h).
//   Two objects with the same pattern are an error. A path no object covers may not be touched.
// - A domain may do to a path what it is granted on the path's object, and nothing else; `write`
//   includes `append` and truncation.
// - `list` is reading a directory's entries; `read` is reading a file's content.
// - `create` and `remove` are about an entry of a directory (file, directory, link, socket, pipe);
//   `dir/**` covers all entries below `dir`, not `dir` itself, which is an entry of its parent.
//   Renaming removes the old name and creates the new one.
// - Ports may belong to several objects; any grant on one of them allows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/diag.h"
#include "mac/ir/pattern.h"
#include "site/model/site.h"

namespace gatehouse::mac {

using site::MacPermission;
using site::SourcePos;

class PermissionSet {
 public:
  constexpr PermissionSet() = default;
  void add(MacPermission p) { bits_ = static_cast<std::uint16_t>(bits_ | bit(p)); }
  void merge(PermissionSet other) { bits_ = static_cast<std::uint16_t>(bits_ | other.bits_); }
  bool has(MacPermission p) const { return (bits_ & bit(p)) != 0; }
  bool empty() const { return bits_ == 0; }
  // What `granted` allows beyond its own words: write includes append.
  PermissionSet closure() const;
  std::string to_string() const;  // "read,write"
  friend bool operator==(PermissionSet, PermissionSet) = default;

 private:
  static constexpr std::uint16_t bit(MacPermission p) {
    return static_cast<std::uint16_t>(1U << static_cast<unsigned>(p));
  }
  std::uint16_t bits_ = 0;
};

struct IrObject {
  std::string name;
  bool customer_data = false;
  SourcePos where;
};

struct PathLabel {
  Pattern pattern;
  std::size_t object = 0;  // index into Ir::objects
};

struct PortLabel {
  site::PortRange ports;
  std::size_t object = 0;
};

struct IrGrant {
  PermissionSet permissions;  // closed
  std::size_t object = 0;
  SourcePos where;
};

struct IrTransition {
  std::string exec;  // normalised
  std::string domain;
  SourcePos where;
};

struct IrDomain {
  std::string name;
  std::string exec;  // normalised; may be empty
  std::vector<IrGrant> grants;
  std::vector<IrTransition> transitions;
  bool may_signal_outside = false;
  SourcePos where;

  // All that is granted, by object; `count` objects.
  std::vector<PermissionSet> on_objects(std::size_t count) const;
};

struct Ir {
  std::vector<IrObject> objects;
  std::vector<PathLabel> paths;  // by path text, then kind
  std::vector<PortLabel> ports;
  std::vector<IrDomain> domains;

  const IrDomain* find_domain(std::string_view name) const;
  // The label a path belongs to; for create and remove, that of the entry (see above).
  const PathLabel* label_of(std::string_view normalised, MacPermission permission) const;
};

// Ties, unknown names and unusable patterns are diagnostics; nothing when there is an error.
std::optional<Ir> build_ir(const site::Site& site, core::Diagnostics& diagnostics);

struct Decision {
  bool allowed = false;
  std::string reason;  // one sentence naming object and position
  std::string object;  // empty: none covers it
  SourcePos object_where;
  SourcePos rule;  // the grant that decided; empty position when denied
};

// `path` may be written loosely; an unusable one is an error. Permissions bind and connect are for
// decide_port, the others for decide_path.
core::Result<Decision> decide_path(const Ir& ir, const IrDomain& domain, MacPermission permission,
                                   std::string_view path);
core::Result<Decision> decide_port(const Ir& ir, const IrDomain& domain, MacPermission permission,
                                   site::Transport transport, std::uint16_t port);

inline bool is_network(MacPermission p) {
  return p == MacPermission::bind || p == MacPermission::connect;
}

}  // namespace gatehouse::mac
