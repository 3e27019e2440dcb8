#include "site/drill/lab.h"

#include <optional>

#include "core/os.h"
#include "core/yaml.h"

namespace gatehouse::drill {
namespace {

using core::Diagnostics;
using core::MapReader;
using core::YamlNode;

std::string first_of_version(const std::vector<core::IpAddress>& addresses, int version) {
  for (const auto& address : addresses) {
    if (address.version == version) return address.to_string();
  }
  return {};
}

std::vector<core::IpAddress> read_addresses(MapReader& map, std::string_view key) {
  std::vector<core::IpAddress> addresses;
  for (const YamlNode* item : map.list(key)) {
    if (auto address = core::yaml_address(*item, map.diagnostics())) addresses.push_back(*address);
  }
  return addresses;
}

std::vector<std::uint16_t> read_ports(MapReader& map, std::string_view key) {
  std::vector<std::uint16_t> ports;
  for (const YamlNode* item : map.list(key)) {
    if (auto port = core::yaml_uint(*item, 1, 65535, map.diagnostics())) {
      ports.push_back(static_cast<std::uint16_t>(*port));
    }
  }
  return ports;
}

void read_machines(const YamlNode& node, Lab& lab, Diagnostics& diagnostics) {
  if (!node.is_map()) {
    diagnostics.error("wrong-type", node.where, "`machines` must be a mapping");
    return;
  }
  for (std::size_t i = 0; i < node.keys.size(); ++i) {
    MapReader map(node.items[i], "machine `" + node.keys[i].text + "`", diagnostics);
    Machine machine;
    machine.name = node.keys[i].text;
    machine.enter = map.strings("enter");
    machine.addresses = read_addresses(map, "addresses");
    machine.more_addresses = read_addresses(map, "more-addresses");
    map.finish();
    if (machine.enter.empty()) {
      diagnostics.error("missing-key", node.items[i].where, "machine `" + machine.name + "` needs `enter`");
    }
    lab.machines.emplace(machine.name, std::move(machine));
  }
}

// A key whose value must name a machine that has addresses of both IP versions.
std::string read_role(MapReader& map, std::string_view key, const Lab& lab) {
  std::string name = map.required_string(key);
  auto found = lab.machines.find(name);
  if (found == lab.machines.end()) {
    map.diagnostics().error("unknown-machine", map.node().where,
                            "`" + std::string(key) + "` names no machine: `" + name + "`");
  } else if (found->second.address(4).empty() || found->second.address(6).empty()) {
    map.diagnostics().error("missing-address", map.node().where,
                            "machine `" + name + "` needs an IPv4 and an IPv6 address");
  }
  return name;
}

}  // namespace

std::string Machine::address(int version) const {
  return first_of_version(addresses, version);
}
std::string Machine::other_address(int version) const {
  return first_of_version(more_addresses, version);
}

std::optional<Lab> parse_lab(const core::SourceText& source, Diagnostics& diagnostics) {
  auto root = core::parse_yaml(source, diagnostics);
  if (!root) return std::nullopt;
  Lab lab;
  MapReader map(*root, "the lab", diagnostics);
  lab.site_file = map.required_string("site");
  if (const YamlNode* machines = map.required("machines")) read_machines(*machines, lab, diagnostics);
  lab.attacker = read_role(map, "attacker", lab);
  lab.target = read_role(map, "target", lab);
  lab.administration = read_role(map, "administration", lab);
  lab.decoy_tcp = read_ports(map, "decoy-tcp");
  lab.decoy_udp = read_ports(map, "decoy-udp");
  lab.attacker_listener = static_cast<std::uint16_t>(map.uint("attacker-listener", 0, 1, 65535));
  lab.web_process = map.strings("web-process");
  lab.sandboxed_process = map.strings("sandboxed-process");
  lab.web_file = map.required_string("web-file");
  lab.customer_file = map.required_string("customer-file");
  lab.shadow_file = map.required_string("shadow-file");
  lab.ssh_directory = map.required_string("ssh-directory");
  lab.ssh_password = map.required_string("ssh-password");
  lab.ca_file = map.required_string("ca-file");
  lab.server_name = map.required_string("server-name");
  lab.mail_domain = map.required_string("mail-domain");
  lab.mail_user = map.required_string("mail-user");
  lab.received_file = map.required_string("received-file");
  lab.ids_log = map.string("ids-log");
  map.finish();
  // A drill without them would pass rows it never tried.
  if (lab.decoy_tcp.empty() || lab.decoy_udp.empty() || lab.attacker_listener == 0) {
    diagnostics.error("missing-decoy", root->where,
                      "`decoy-tcp`, `decoy-udp` and `attacker-listener` must name at least one port each");
  }
  if (diagnostics.has_errors()) return std::nullopt;
  return lab;
}

core::Result<Lab> load_lab(const std::string& path, Diagnostics& diagnostics) {
  GH_TRY(std::string text, core::read_file(path, 1U << 20U));
  core::SourceText source(path, std::move(text));
  auto lab = parse_lab(source, diagnostics);
  diagnostics.attach(source);
  if (!lab) return tl::make_unexpected(diagnostics.first_error());
  return std::move(*lab);
}

}  // namespace gatehouse::drill
