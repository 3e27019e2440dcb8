#include "site/load/reader.h"

#include <pwd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/control_group.h"

namespace gatehouse::site {
namespace {

bool name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

std::optional<std::uint16_t> parse_port_number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0 || value > 65535)
    return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

void bad_port(const YamlNode& node, Diagnostics& diagnostics) {
  core::Diagnostic& d = diagnostics.error("bad-port", node.where, "`" + node.text + "` is not a port");
  d.length = static_cast<std::uint32_t>(std::max<std::size_t>(node.text.size(), 1));
  d.hint = "write tcp/443, udp/53 or tcp/8000-8010";
}

}  // namespace

bool check_name(const YamlNode& key, const std::string& what, Diagnostics& diagnostics) {
  const bool good = !key.text.empty() && key.text.size() <= 64 &&
                    std::all_of(key.text.begin(), key.text.end(), name_byte) &&
                    !(key.text[0] >= '0' && key.text[0] <= '9') && key.text[0] != '-';
  if (!good) {
    diagnostics.error("bad-name", key.where, "`" + key.text + "` is not a name for a " + what).hint =
        "letters, digits, - and _, starting with a letter";
  }
  return good;
}

std::optional<PortRange> read_port(const YamlNode& node, Diagnostics& diagnostics) {
  const std::string_view text = node.text;
  const std::size_t slash = text.find('/');
  PortRange out;
  out.where = node.where;
  const std::string_view transport = text.substr(0, slash);
  if (!node.is_scalar() || slash == std::string_view::npos || (transport != "tcp" && transport != "udp")) {
    bad_port(node, diagnostics);
    return std::nullopt;
  }
  out.transport = transport == "tcp" ? Transport::tcp : Transport::udp;
  const std::string_view numbers = text.substr(slash + 1);
  const std::size_t dash = numbers.find('-');
  const auto first = parse_port_number(numbers.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_port_number(numbers.substr(dash + 1));
  if (!first || !last || *last < *first) {
    bad_port(node, diagnostics);
    return std::nullopt;
  }
  out.first = *first;
  out.last = *last;
  return out;
}

std::vector<PortRange> read_ports(MapReader& map, std::string_view key) {
  std::vector<PortRange> out;
  for (const YamlNode* item : map.list(key)) {
    if (const auto port = read_port(*item, map.diagnostics())) out.push_back(*port);
  }
  return out;
}

std::optional<Endpoint> read_endpoint(const YamlNode& node, Diagnostics& diagnostics) {
  if (!node.is_scalar()) {
    diagnostics.error("bad-value", node.where, "expected a zone, zone/host or gatehouse");
    return std::nullopt;
  }
  const std::size_t slash = node.text.find('/');
  Endpoint out;
  out.zone = node.text.substr(0, slash);
  if (slash != std::string::npos) out.host = node.text.substr(slash + 1);
  out.where = node.where;
  const bool empty_part = out.zone.empty() || (slash != std::string::npos && out.host.empty());
  if (empty_part || (out.is_gatehouse() && slash != std::string::npos)) {
    diagnostics.error("bad-value", node.where, "`" + node.text + "` is not a zone, zone/host or gatehouse");
    return std::nullopt;
  }
  return out;
}

std::vector<Endpoint> read_endpoints(MapReader& map, std::string_view key) {
  std::vector<Endpoint> out;
  for (const YamlNode* item : map.list(key)) {
    if (auto endpoint = read_endpoint(*item, map.diagnostics())) out.push_back(std::move(*endpoint));
  }
  return out;
}

std::optional<std::uint32_t> read_user(const YamlNode& node, Diagnostics& diagnostics) {
  std::uint32_t number = 0;
  const char* end = node.text.data() + node.text.size();
  const auto [stop, error] = std::from_chars(node.text.data(), end, number);
  constexpr std::uint32_t kNobody = 0xffff'ffff;  // the kernel's "no such user"
  if (node.is_scalar() && !node.text.empty() && error == std::errc{} && stop == end && number != kNobody)
    return number;
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16'384> buffer{};
  if (node.is_scalar() && getpwnam_r(node.text.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr)
    return found->pw_uid;
  diagnostics.error("unknown-user", node.where, "there is no user `" + node.text + "` on this machine").hint =
      "for a user of another machine write its number";
  return std::nullopt;
}

std::optional<ControlGroup> read_control_group(const YamlNode& node, Diagnostics& diagnostics) {
  if (!node.is_scalar() || !core::is_control_group_path(node.text)) {
    diagnostics
        .error("bad-value", node.where,
               (node.is_scalar() ? "`" + node.text + "`" : std::string("this")) +
                   " is not the path of a control group")
        .hint = "as /proc/PID/cgroup says it behind `0::/`: `updates.slice`";
    return std::nullopt;
  }
  ControlGroup out{node.text, 0};
  const std::vector<std::uint64_t> ids = core::control_group_ids(out.path);
  if (!ids.empty()) out.id = ids.back();
  if (ids.empty()) {
    diagnostics
        .warning("no-control-group", node.where,
                 "there is no control group `" + out.path + "` now: the flow opens nothing")
        .hint = "apply the policy again when there is one";
  }
  return out;
}

bool check_absolute_path(const YamlNode& node, Diagnostics& diagnostics) {
  const std::string& p = node.text;
  const bool control = std::any_of(p.begin(), p.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  const bool odd = p.find("//") != std::string::npos || (p + "/").find("/./") != std::string::npos ||
                   (p + "/").find("/../") != std::string::npos;
  if (node.is_scalar() && !p.empty() && p[0] == '/' && !control && !odd) return true;
  diagnostics.error("bad-path", node.where, "`" + p + "` is not an absolute path without `.`, `..` and `//`")
      .hint = "write the whole path, beginning with `/`";
  return false;
}

}  // namespace gatehouse::site
