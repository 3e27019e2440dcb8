#include "site/load/reader.h"

namespace gatehouse::site {
namespace {

// Literal paths, `dir/*` and `dir/**`; a `*` anywhere else is refused, since no back end could keep it
// exactly.
bool check_pattern(const YamlNode& node, Diagnostics& diagnostics) {
  if (!check_absolute_path(node, diagnostics)) return false;
  std::string_view body = node.text;
  if (body.ends_with("/**")) {
    body.remove_suffix(3);
  } else if (body.ends_with("/*")) {
    body.remove_suffix(2);
  }
  if (body.find_first_of("*?[]{}") == std::string_view::npos) return true;
  diagnostics.error("bad-pattern", node.where, "`" + node.text + "`: only a trailing /* or /** is allowed");
  return false;
}

std::vector<MacPermission> read_permission_words(const YamlNode& node, Diagnostics& diagnostics) {
  std::vector<MacPermission> out;
  const auto add = [&](const YamlNode& word) {
    if (const auto permission = parse_mac_permission(word.text); permission && word.is_scalar()) {
      out.push_back(*permission);
      return;
    }
    std::vector<std::string> known;
    for (std::size_t i = 0; i < kMacPermissions; ++i)
      known.emplace_back(to_string(static_cast<MacPermission>(i)));
    diagnostics.error("unknown-permission", word.where, "`" + word.text + "` is not a permission").hint =
        core::did_you_mean(word.text, known);
  };
  if (node.is_sequence()) {
    for (const YamlNode& item : node.items) add(item);
  } else {
    add(node);
  }
  return out;
}

MacObject read_object(const YamlNode& key, const YamlNode& node, Diagnostics& diagnostics) {
  MapReader map(node, "object `" + key.text + "`", diagnostics);
  MacObject out;
  out.name = key.text;
  out.where = key.where;
  for (const YamlNode* path : map.list("paths")) {
    if (check_pattern(*path, diagnostics)) out.paths.push_back(path->text);
  }
  out.ports = read_ports(map, "ports");
  out.customer_data = map.boolean("customer-data", false);
  if (map.node().find("paths") == nullptr && map.node().find("ports") == nullptr) {
    diagnostics.error("missing-key", key.where, "object `" + key.text + "` names neither paths nor ports");
  }
  map.finish();
  return out;
}

// One `allow` entry maps permissions to objects: {read: [a, b], execute: a}.
void read_grants(const YamlNode& node, MacDomain& domain, Diagnostics& diagnostics) {
  if (!node.is_map()) {
    diagnostics.error("bad-value", node.where, "expected permission: objects");
    return;
  }
  MapReader map(node, "grant", diagnostics);
  for (const YamlNode& key : node.keys) {
    MacGrant grant;
    grant.where = key.where;
    grant.permissions = read_permission_words(key, diagnostics);
    grant.objects = map.strings(key.text);
    if (!grant.permissions.empty()) domain.grants.push_back(std::move(grant));
  }
}

MacDomain read_domain(const YamlNode& key, const YamlNode& node, Diagnostics& diagnostics) {
  MapReader map(node, "domain `" + key.text + "`", diagnostics);
  MacDomain out;
  out.name = key.text;
  out.where = key.where;
  if (const YamlNode* exec = map.optional("exec"); exec != nullptr && check_absolute_path(*exec, diagnostics))
    out.exec = exec->text;
  if (const YamlNode* allow = map.optional("allow")) {
    if (allow->is_sequence()) {
      for (const YamlNode& entry : allow->items) read_grants(entry, out, diagnostics);
    } else {
      diagnostics.error("bad-value", allow->where, "`allow` is a list of permission: objects entries");
    }
  }
  if (const YamlNode* enter = map.optional("enter"); enter != nullptr && enter->is_map()) {
    for (std::size_t i = 0; i < enter->keys.size(); ++i) {
      if (check_absolute_path(enter->keys[i], diagnostics))
        out.transitions.push_back({enter->keys[i].text, enter->items[i].text, enter->keys[i].where});
    }
  } else if (enter != nullptr) {
    diagnostics.error("bad-value", enter->where, "`enter` maps programs to domains");
  }
  out.may_signal_outside = map.boolean("signal-outside", false);
  map.finish();
  return out;
}

}  // namespace

Mac read_mac(const YamlNode& node, Diagnostics& diagnostics) {
  MapReader map(node, "mac", diagnostics);
  Mac out;
  for_each_named(map.optional("objects"), "object", diagnostics,
                 [&](const YamlNode& key, const YamlNode& value) {
                   out.objects.push_back(read_object(key, value, diagnostics));
                 });
  for_each_named(map.optional("domains"), "domain", diagnostics,
                 [&](const YamlNode& key, const YamlNode& value) {
                   out.domains.push_back(read_domain(key, value, diagnostics));
                 });
  for (const YamlNode* entry : map.list("never")) {
    MapReader fields(*entry, "never", diagnostics);
    MacNever never;
    never.where = entry->where;
    if (const YamlNode* permission = fields.required("permission"))
      never.permissions = read_permission_words(*permission, diagnostics);
    never.object = fields.required_string("object");
    never.except = fields.strings("except");
    fields.finish();
    out.nevers.push_back(std::move(never));
  }
  out.accept_gaps = map.strings("accept-gaps");
  map.finish();
  return out;
}

}  // namespace gatehouse::site
