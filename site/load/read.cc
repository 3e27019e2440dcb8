#include <filesystem>

#include "core/os.h"

#include "site/load/load.h"
#include "site/load/reader.h"

namespace gatehouse::site {
namespace {

constexpr std::size_t kMaxInterfaceName = 15;  // IFNAMSIZ - 1

void read_hosts(const YamlNode* node, Zone& zone, Diagnostics& diagnostics) {
  for_each_named(node, "host", diagnostics, [&](const YamlNode& key, const YamlNode& value) {
    Host host{key.text, {}, key.where};
    const auto add = [&](const YamlNode& item) {
      if (const auto address = core::yaml_address(item, diagnostics)) host.addresses.push_back(*address);
    };
    if (value.is_sequence()) {
      for (const YamlNode& item : value.items) add(item);
    } else {
      add(value);
    }
    if (host.addresses.empty())
      diagnostics.error("missing-address", key.where, "host `" + key.text + "` has no address").hint =
          "write its addresses: `" + key.text + ": [10.1.0.5]`";
    zone.hosts.push_back(std::move(host));
  });
}

Zone read_zone(const YamlNode& key, const YamlNode& node, Diagnostics& diagnostics) {
  MapReader map(node, "zone `" + key.text + "`", diagnostics);
  Zone zone;
  zone.name = key.text;
  zone.where = key.where;
  if (zone.name == kGatehouse)
    diagnostics
        .error("reserved-name", key.where,
               "`gatehouse` names the firewall machine itself and cannot be a zone")
        .hint = "choose another name";
  zone.interface = map.required_string("interface");
  if (zone.interface.size() > kMaxInterfaceName ||
      zone.interface.find_first_of("/ \t*\"") != std::string::npos) {
    diagnostics
        .error("bad-value", map.node().find("interface")->where,
               "`" + zone.interface + "` is not an interface name")
        .hint = "1 to 15 bytes, without spaces, quotes, `/` and `*`";
  }
  const YamlNode* networks = map.required("networks");
  if (networks != nullptr && networks->is_scalar() && networks->text == "any") {
    zone.untrusted = true;
  } else if (networks != nullptr) {
    for (const YamlNode* item : map.list("networks")) {
      if (const auto prefix = core::yaml_prefix(*item, diagnostics)) zone.networks.push_back(*prefix);
    }
  }
  read_hosts(map.optional("hosts"), zone, diagnostics);
  map.finish();
  return zone;
}

Service read_service(const YamlNode& key, const YamlNode& node, Diagnostics& diagnostics) {
  MapReader map(node, "service `" + key.text + "`", diagnostics);
  Service service;
  service.name = key.text;
  service.where = key.where;
  if (const YamlNode* host = map.required("host")) {
    if (auto endpoint = read_endpoint(*host, diagnostics)) service.host = std::move(*endpoint);
  }
  service.exec = map.required_string("exec");
  if (const YamlNode* exec = map.node().find("exec"); exec != nullptr)
    check_absolute_path(*exec, diagnostics);
  service.user = map.string("user", "root");
  service.ports = read_ports(map, "ports");
  service.exposed_to = read_endpoints(map, "expose");
  service.limit = read_limit(map.optional("limit"), "limit of service `" + key.text + "`", true, diagnostics);
  service.syn_proxy = read_syn_proxy(map.optional("syn-proxy"), diagnostics);
  service.domain = map.string("domain");
  service.seccomp = map.string("seccomp");
  service.ssh = map.boolean("remote-administration", false);
  map.finish();
  return service;
}

Flow read_flow(const YamlNode& node, Diagnostics& diagnostics) {
  MapReader map(node, "flow", diagnostics);
  Flow flow;
  flow.where = node.where;
  if (const YamlNode* from = map.required("from")) {
    if (auto endpoint = read_endpoint(*from, diagnostics)) flow.from = std::move(*endpoint);
  }
  if (const YamlNode* to = map.required("to")) {
    if (auto endpoint = read_endpoint(*to, diagnostics)) flow.to = std::move(*endpoint);
  }
  map.required("ports");
  flow.ports = read_ports(map, "ports");
  flow.comment = map.string("comment");
  if (const YamlNode* user = map.optional("user")) flow.user = read_user(*user, diagnostics);
  if (const YamlNode* group = map.optional("cgroup")) flow.group = read_control_group(*group, diagnostics);
  map.finish();
  return flow;
}

// One of two words; `first` is true.
bool read_choice(MapReader& map, std::string_view key, const char* first, const char* second, bool fallback) {
  const YamlNode* node = map.optional(key);
  if (node == nullptr) return fallback;
  if (node->is_scalar() && node->text == first) return true;
  if (node->is_scalar() && node->text == second) return false;
  map.diagnostics()
      .error("bad-value", node->where, "expected `" + std::string(first) + "` or `" + second + "`")
      .hint = "it is `" + std::string(fallback ? first : second) + "` when it is not said";
  return fallback;
}

Guard read_guard(const YamlNode* node, Diagnostics& diagnostics) {
  Guard out;
  if (node == nullptr) return out;
  MapReader map(*node, "firewall.guard", diagnostics);
  out.repair = read_choice(map, "on-drift", "repair", "alert", out.repair);
  out.remove_tables = read_choice(map, "foreign-tables", "remove", "alert", out.remove_tables);
  out.ban_group = map.string("ban-group");
  out.most_bans = static_cast<std::uint32_t>(map.uint("most-bans", out.most_bans, 1, 1'000'000));
  map.finish();
  return out;
}

Firewall read_firewall(const YamlNode* node, Diagnostics& diagnostics) {
  Firewall out;
  if (node == nullptr) return out;
  MapReader map(*node, "firewall", diagnostics);
  for (const YamlNode* path : map.list("blocklists")) {
    if (path->is_scalar())
      out.blocklists.push_back({path->text, path->where});
    else
      diagnostics.error("bad-value", path->where, "expected the path of a list of addresses").hint =
          "write the path as text";
  }
  out.guard = read_guard(map.optional("guard"), diagnostics);
  out.registry_bogons = read_choice(map, "bogons", "registry", "impossible", out.registry_bogons);
  out.ping_from = read_endpoints(map, "ping-from");
  out.log_group = static_cast<std::uint16_t>(map.uint("log-group", out.log_group, 0, 65535));
  out.log_per_second =
      static_cast<std::uint32_t>(map.uint("log-per-second", out.log_per_second, 1, 1'000'000));
  out.syn_per_second =
      static_cast<std::uint32_t>(map.uint("syn-per-second", out.syn_per_second, 0, 10'000'000));
  out.syn_burst = static_cast<std::uint32_t>(map.uint("syn-burst", out.syn_burst, 1, 10'000'000));
  out.limit = read_limit(map.optional("limit"), "firewall.limit", false, diagnostics);
  out.sources_remembered =
      static_cast<std::uint32_t>(map.uint("sources-remembered", out.sources_remembered, 16, 1'000'000));
  map.finish();
  return out;
}

std::optional<Administration> read_administration(const YamlNode* node, Diagnostics& diagnostics) {
  if (node == nullptr) return std::nullopt;
  MapReader map(*node, "administration", diagnostics);
  Administration out;
  out.where = node->where;
  if (const YamlNode* host = map.required("host")) {
    if (auto endpoint = read_endpoint(*host, diagnostics)) out.host = std::move(*endpoint);
  }
  out.certificate_authority = map.string("certificate-authority", "/etc/gatehouse/ssh/user-ca.pub");
  map.finish();
  return out;
}

void read_people(const YamlNode* node, Site& site, Diagnostics& diagnostics) {
  if (node == nullptr) return;
  MapReader map(*node, "people", diagnostics);
  if (const YamlNode* groups = map.optional("groups"); groups != nullptr && groups->is_map()) {
    MapReader members(*groups, "people.groups", diagnostics);
    for_each_named(groups, "group", diagnostics, [&](const YamlNode& key, const YamlNode&) {
      site.groups.push_back({key.text, members.strings(key.text), key.where});
    });
  } else if (groups != nullptr) {
    diagnostics.error("bad-value", groups->where, "`groups` must map group names to lists of people");
  }
  for_each_named(map.optional("roles"), "role", diagnostics, [&](const YamlNode& key, const YamlNode& value) {
    MapReader fields(value, "role `" + key.text + "`", diagnostics);
    Role role;
    role.name = key.text;
    role.where = key.where;
    role.group = fields.string("group");
    role.domain = fields.string("domain");
    role.account = fields.required_string("account");
    role.may_read = fields.strings("may-read");
    fields.finish();
    site.roles.push_back(std::move(role));
  });
  map.finish();
}

Receiver read_receiver(const YamlNode& key, const YamlNode& node, Diagnostics& diagnostics) {
  MapReader map(node, "receiver `" + key.text + "`", diagnostics);
  Receiver out;
  out.name = key.text;
  out.where = key.where;
  const std::string kind = map.required_string("kind");
  if (kind == "file") {
    out.kind = ReceiverKind::file;
    out.path = map.required_string("path");
  } else if (kind == "syslog-tls") {
    out.kind = ReceiverKind::syslog_tls;
    if (const YamlNode* host = map.required("host")) {
      if (auto endpoint = read_endpoint(*host, diagnostics)) out.host = std::move(*endpoint);
    }
    out.port = static_cast<std::uint16_t>(map.uint("port", 6514, 1, 65535));
    out.server_name = map.required_string("server-name");
    out.ca = map.required_string("ca");
    out.certificate = map.required_string("certificate");
    out.key = map.required_string("key");
    out.max_frame_bytes = map.size("max-frame", out.max_frame_bytes);
  } else if (!kind.empty()) {
    const std::vector<std::string> kinds = {"file", "syslog-tls"};
    diagnostics.error("bad-value", map.node().find("kind")->where, "unknown receiver kind `" + kind + "`")
        .hint = core::did_you_mean(kind, kinds);
    return out;  // the other keys depend on the kind
  }
  map.finish();
  return out;
}

Soc read_soc(const YamlNode* node, Diagnostics& diagnostics) {
  Soc out;
  if (node == nullptr) return out;
  MapReader map(*node, "soc", diagnostics);
  out.spool = map.string("spool", out.spool);
  out.spool_cap_bytes = map.size("spool-cap", out.spool_cap_bytes);
  for_each_named(map.optional("receivers"), "receiver", diagnostics,
                 [&](const YamlNode& key, const YamlNode& value) {
                   out.receivers.push_back(read_receiver(key, value, diagnostics));
                 });
  map.finish();
  return out;
}

Hardening read_hardening(const YamlNode* node, Diagnostics& diagnostics) {
  Hardening out;
  if (node == nullptr) return out;
  MapReader map(*node, "hardening", diagnostics);
  out.sshd = map.boolean("sshd", out.sshd);
  out.sandbox_daemons = map.boolean("sandbox-daemons", out.sandbox_daemons);
  out.kernel_needs = map.strings("kernel-needs");
  map.finish();
  return out;
}

Site read_site(const YamlNode& root, Diagnostics& diagnostics) {
  MapReader map(root, "the site", diagnostics);
  Site site;
  site.name = map.required_string("site");
  if (map.uint("version", 1, 1, 1) != 1) return site;
  for_each_named(map.required("zones"), "zone", diagnostics, [&](const YamlNode& key, const YamlNode& value) {
    site.zones.push_back(read_zone(key, value, diagnostics));
  });
  for_each_named(map.optional("services"), "service", diagnostics,
                 [&](const YamlNode& key, const YamlNode& value) {
                   site.services.push_back(read_service(key, value, diagnostics));
                 });
  for (const YamlNode* flow : map.list("flows")) site.flows.push_back(read_flow(*flow, diagnostics));
  site.nat = read_nat(map.optional("nat"), diagnostics);
  site.assertions = read_assertions(map.list("assert"), site.zones, diagnostics);
  site.firewall = read_firewall(map.optional("firewall"), diagnostics);
  site.administration = read_administration(map.optional("administration"), diagnostics);
  read_people(map.optional("people"), site, diagnostics);
  if (const YamlNode* mac = map.optional("mac")) site.mac = read_mac(*mac, diagnostics);
  site.detection = read_detection(map.optional("detection"), diagnostics);
  site.soc = read_soc(map.optional("soc"), diagnostics);
  site.hardening = read_hardening(map.optional("hardening"), diagnostics);
  map.finish();
  return site;
}

}  // namespace

std::optional<Site> load_site(const core::SourceText& source, Diagnostics& diagnostics) {
  const std::size_t errors_before = diagnostics.error_count();
  const auto root = core::parse_yaml(source, diagnostics);
  if (!root) return std::nullopt;
  Site site = read_site(*root, diagnostics);
  site.file = source.name();
  read_blocklists(site, diagnostics);
  warn_expired(site.detection, core::wall_clock_us(), diagnostics);
  // References only make sense in a site whose parts were all read.
  if (diagnostics.error_count() == errors_before) cross_check(site, diagnostics);
  if (site.detection.home_networks.empty()) {
    for (const Zone& zone : site.zones) {
      site.detection.home_networks.insert(site.detection.home_networks.end(), zone.networks.begin(),
                                          zone.networks.end());
    }
  }
  diagnostics.attach(source);
  diagnostics.sort();
  if (diagnostics.error_count() != errors_before) return std::nullopt;
  resolve_parties(site);
  return site;
}

core::Result<std::optional<Site>> load_site_file(const std::string& path, Diagnostics& diagnostics) {
  constexpr std::size_t kLimit = 16U << 20U;
  GH_TRY(std::string text, core::read_file(path, kLimit));
  return load_site(core::SourceText(path, std::move(text)), diagnostics);
}

std::string resolve_path(const Site& site, const std::string& path) {
  const std::filesystem::path given(path);
  if (given.is_absolute()) return path;
  return (std::filesystem::path(site.file).parent_path() / given).lexically_normal().string();
}

}  // namespace gatehouse::site
