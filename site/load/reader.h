// Shared by the section readers: small conversions from YAML nodes to model values.
#pragma once

#include <string>

#include "core/yaml.h"
#include "site/model/site.h"

namespace gatehouse::site {

using core::Diagnostics;
using core::MapReader;
using core::YamlNode;

// A name: letters, digits, `-`, `_`; starts with a letter; at most 64 bytes.
bool check_name(const YamlNode& key, const std::string& what, Diagnostics& diagnostics);
// "tcp/80", "udp/1000-2000".
std::optional<PortRange> read_port(const YamlNode& node, Diagnostics& diagnostics);
std::vector<PortRange> read_ports(MapReader& map, std::string_view key);
// "zone", "zone/host" or "gatehouse".
std::optional<Endpoint> read_endpoint(const YamlNode& node, Diagnostics& diagnostics);
std::vector<Endpoint> read_endpoints(MapReader& map, std::string_view key);
// A user of this machine by name, or any by number.
std::optional<std::uint32_t> read_user(const YamlNode& node, Diagnostics& diagnostics);
// The path of a control group. One that does not exist now is a warning.
std::optional<ControlGroup> read_control_group(const YamlNode& node, Diagnostics& diagnostics);
// An absolute path without `.`, `..`, empty components or control characters.
bool check_absolute_path(const YamlNode& node, Diagnostics& diagnostics);

// A `limit` mapping, of a service or of all; null: none.
std::optional<ConnectionLimit> read_limit(const YamlNode* node, const std::string& what, bool by_source,
                                          Diagnostics& diagnostics);

// A `syn-proxy` of a service: `true`, or a mapping of what it says; null or `false`: none.
std::optional<SynProxy> read_syn_proxy(const YamlNode* node, Diagnostics& diagnostics);
void check_syn_proxy(const Site& site, const Service& service, Diagnostics& diagnostics);

// The `nat` section, and what needs the whole model.
Nat read_nat(const YamlNode* node, Diagnostics& diagnostics);
void check_nat(const Site& site, Diagnostics& diagnostics);

// The `assert` list; `internet` stands for the untrusted zone.
std::vector<Assertion> read_assertions(const std::vector<const YamlNode*>& nodes,
                                       const std::vector<Zone>& zones, Diagnostics& diagnostics);

// What the files of `firewall.blocklists` hold.
void read_blocklists(Site& site, Diagnostics& diagnostics);

// The `mac` section.
Mac read_mac(const YamlNode& node, Diagnostics& diagnostics);

// The `detection` section.
Detection read_detection(const YamlNode* node, Diagnostics& diagnostics);
// Of exceptions that ended before `now_us`.
void warn_expired(const Detection& detection, std::int64_t now_us, Diagnostics& diagnostics);
// Names become networks; the names must have been checked.
void resolve_parties(Site& site);

// Everything that needs the whole model; see NOTES.md.
void cross_check(const Site& site, Diagnostics& diagnostics);

// Calls `each(key, value)` for the entries of a mapping whose keys are names of `what`.
template <class F>
void for_each_named(const YamlNode* node, const std::string& what, Diagnostics& diagnostics, F each) {
  if (node == nullptr) return;
  if (!node->is_map()) {
    diagnostics.error("bad-value", node->where, "expected a mapping of " + what + " names");
    return;
  }
  for (std::size_t i = 0; i < node->keys.size(); ++i) {
    if (check_name(node->keys[i], what, diagnostics)) each(node->keys[i], node->items[i]);
  }
}

}  // namespace gatehouse::site
