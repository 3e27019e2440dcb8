#include "ids/engine/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/json.h"
#include "ids/anomaly/keyed_hash.h"
#include "ids/engine/anomaly_state.h"
#include "ids/engine/setting_keys.h"
#include "ids/lang/ast.h"
#include "ids/triage/overrides.h"

namespace gatehouse::ids::engine {
namespace {

using core::YamlNode;

// One leaf of a configuration tree: the dotted key and its value.
struct Leaf {
  std::string key;
  const YamlNode* name = nullptr;  // the last key, for positions; null: the site file's entry
  const YamlNode* value = nullptr;
};

std::vector<std::string_view> split(std::string_view key) {
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  for (;;) {
    const std::size_t dot = key.find('.', start);
    parts.push_back(key.substr(start, dot == std::string_view::npos ? dot : dot - start));
    if (dot == std::string_view::npos) return parts;
    start = dot + 1;
  }
}

void flatten(const YamlNode& node, const std::string& prefix, std::vector<Leaf>& out) {
  for (std::size_t i = 0; i < node.keys.size(); ++i) {
    const YamlNode& value = node.items[i];
    const std::string key = prefix.empty() ? node.keys[i].text : prefix + "." + node.keys[i].text;
    // `types: {dns: {}}` switches dns on: an empty mapping is a leaf of its own.
    if (value.is_map() && !value.keys.empty()) {
      flatten(value, key, out);
    } else {
      out.push_back({key, &node.keys[i], &value});
    }
  }
}

std::vector<Leaf> leaves_of(const YamlNode& root) {
  std::vector<Leaf> out;
  for (std::size_t i = 0; i < root.keys.size(); ++i) {
    const YamlNode& value = root.items[i];
    const std::string& name = root.keys[i].text;
    if (name == "settings" && (value.is_map() || value.is_null())) {
      flatten(value, "", out);
    } else if (name == "eve" && (value.is_null() || (value.is_map() && value.keys.empty()))) {
      continue;
    } else if (value.is_map() && !value.keys.empty()) {
      flatten(value, root.keys[i].text, out);
    } else {
      out.push_back({root.keys[i].text, &root.keys[i], &value});
    }
  }
  return out;
}

struct Table {
  std::vector<std::pair<std::vector<std::string_view>, const KeyRow*>> rows;

  Table() {
    for (const auto& part : {rule_keys(), list_keys(), file_keys(), protocol_keys(), traffic_keys(),
                             triage_keys(), eve_keys()}) {
      for (const KeyRow& row : part) rows.emplace_back(split(row.pattern), &row);
    }
  }

  const KeyRow* find(std::string_view key, std::vector<std::string_view>& stars) const {
    const std::vector<std::string_view> parts = split(key);
    for (const auto& [pattern, row] : rows) {
      if (pattern.size() != parts.size()) continue;
      stars.clear();
      bool fits = true;
      for (std::size_t i = 0; i < parts.size() && fits; ++i) {
        if (pattern[i] == "*") {
          stars.push_back(parts[i]);
        } else {
          fits = pattern[i] == parts[i];
        }
      }
      if (fits) return row;
    }
    return nullptr;
  }

  // The known keys, with the stars of a pattern filled from the parts the user wrote.
  std::vector<std::string> candidates(std::string_view key) const {
    const std::vector<std::string_view> parts = split(key);
    std::vector<std::string> out;
    for (const auto& [pattern, row] : rows) {
      std::string text;
      for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (i != 0) text += '.';
        text += pattern[i] == "*" && i < parts.size() ? parts[i] : pattern[i];
      }
      out.push_back(std::move(text));
    }
    return out;
  }
};

const Table& table() {
  static const Table t;
  return t;
}

// As JSON, which is YAML too.
std::string value_text(const YamlNode& node) {
  std::string out;
  if (node.is_scalar()) {
    core::append_json_string(out, node.text);
  } else if (node.is_sequence()) {
    for (const YamlNode& item : node.items) out += (out.empty() ? "" : ", ") + value_text(item);
    out = "[" + out + "]";
  } else if (node.is_map()) {
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      if (!out.empty()) out += ", ";
      core::append_json_string(out, node.keys[i].text);
      out += ": " + value_text(node.items[i]);
    }
    out = "{" + out + "}";
  } else {
    out = "null";
  }
  return out;
}

// `eve.types.dns.version` also says that dns is wanted, and so does an entry for the type alone.
void switch_on_type(Settings& settings, std::string_view key) {
  constexpr std::string_view kPrefix = "eve.types.";
  if (!key.starts_with(kPrefix)) return;
  const std::string_view rest = key.substr(kPrefix.size());
  settings.eve.types.try_emplace(std::string(rest.substr(0, rest.find('.'))), true);
}

void apply(Settings& settings, const Leaf& leaf, Origin origin, core::Diagnostics& diagnostics) {
  const core::SourcePos where = leaf.name == nullptr ? leaf.value->where : leaf.name->where;
  SettingValue value{settings, *leaf.value, leaf.key, {}, diagnostics};
  const KeyRow* row = table().find(leaf.key, value.stars);
  if (row == nullptr) {
    core::Diagnostic& d = diagnostics.error("unknown-key", where, "unknown setting `" + leaf.key + "`");
    d.length = leaf.name == nullptr
                   ? 1
                   : static_cast<std::uint32_t>(std::max<std::size_t>(leaf.name->text.size(), 1));
    d.hint = core::did_you_mean(leaf.key, table().candidates(leaf.key));
    return;
  }
  switch_on_type(settings, leaf.key);
  if (row->apply != nullptr) row->apply(value);
  EffectiveSetting& entry = settings.effective[leaf.key];
  entry.value = value_text(*leaf.value);
  entry.origin = origin;
  if (origin != Origin::built_in) entry.where = leaf.value->where;
  entry.no_effect = row->no_effect;
}

// A configuration that lists event types replaces the default list as a whole.
void replace_types(Settings& settings, const std::vector<Leaf>& leaves) {
  const bool lists = std::any_of(leaves.begin(), leaves.end(),
                                 [](const Leaf& leaf) { return leaf.key.starts_with("eve.types"); });
  if (!lists) return;
  settings.eve.types.clear();
  // With the types go the options the default list gave them.
  settings.eve.log.http_extended = settings.eve.log.tls_extended = false;
  std::erase_if(settings.effective, [](const auto& entry) { return entry.first.starts_with("eve.types."); });
}

void apply_tree(Settings& settings, const core::SourceText& source, Origin origin,
                core::Diagnostics& diagnostics) {
  const std::optional<YamlNode> root = core::parse_yaml(source, diagnostics);
  if (!root || root->is_null()) return;
  if (!root->is_map()) {
    diagnostics.error("bad-value", root->where, "the configuration must be a mapping (key: value)");
    return;
  }
  const std::vector<Leaf> leaves = leaves_of(*root);
  if (origin == Origin::config) replace_types(settings, leaves);
  for (const Leaf& leaf : leaves) apply(settings, leaf, origin, diagnostics);
  diagnostics.attach(source);
}

std::string home_networks(const site::Site& site) {
  std::string out;
  for (const site::IpPrefix& prefix : site.detection.home_networks) {
    out += (out.empty() ? "[" : ",") + prefix.to_string();
  }
  return out.empty() ? "any" : out + "]";
}

YamlNode scalar(std::string text, const core::SourcePos& where) {
  YamlNode node;
  node.kind = YamlNode::Kind::scalar;
  node.text = std::move(text);
  node.where = where;
  return node;
}
YamlNode sequence(std::vector<YamlNode> items, const core::SourcePos& where) {
  YamlNode node;
  node.kind = YamlNode::Kind::sequence;
  node.items = std::move(items);
  node.where = where;
  return node;
}
void put_member(YamlNode& map, std::string name, YamlNode value) {
  map.kind = YamlNode::Kind::mapping;
  map.keys.push_back(scalar(std::move(name), value.where));
  map.items.push_back(std::move(value));
}
YamlNode networks(const std::vector<core::IpPrefix>& all, const core::SourcePos& where) {
  std::vector<YamlNode> items;
  for (const core::IpPrefix& prefix : all) items.push_back(scalar(prefix.to_string(), where));
  return sequence(std::move(items), where);
}
YamlNode words(const std::vector<site::PlacedWord>& all, const core::SourcePos& where) {
  std::vector<YamlNode> items;
  for (const site::PlacedWord& word : all) items.push_back(scalar(word.text, word.where));
  return sequence(std::move(items), where);
}

// All zones: the outside means every address, so those inside are named beside it.
YamlNode zones_of(const site::Site& site) {
  static const std::vector<core::IpPrefix> kAll = {*core::IpPrefix::parse("0.0.0.0/0"),
                                                   *core::IpPrefix::parse("::/0")};
  std::vector<YamlNode> zones;
  const auto& levels = site.detection.sensitivity;
  for (const site::Zone& zone : site.zones) {
    const auto given = std::find_if(levels.begin(), levels.end(),
                                    [&](const site::ZoneSensitivity& s) { return s.zone == zone.name; });
    const core::SourcePos& where = given == levels.end() ? zone.where : given->where;
    const auto level = given == levels.end() ? site::Sensitivity::normal : given->level;
    YamlNode node;
    node.where = where;
    put_member(node, "zone", scalar(zone.name, where));
    put_member(node, "networks", networks(zone.untrusted ? kAll : zone.networks, where));
    put_member(node, "sensitivity", scalar(std::string(to_string(level)), where));
    zones.push_back(std::move(node));
  }
  return sequence(std::move(zones), site.detection.where);
}

YamlNode exceptions_of(const site::Site& site) {
  std::vector<YamlNode> exceptions;
  for (const site::DetectionException& e : site.detection.exceptions) {
    YamlNode node;
    node.where = e.where;
    if (!e.source.empty()) put_member(node, "source", networks(e.source.networks, e.where));
    if (!e.target.empty()) put_member(node, "target", networks(e.target.networks, e.where));
    put_member(node, "class", words(e.classes, e.where));
    put_member(node, "until", scalar(e.until, e.until_where));
    put_member(node, "reason", scalar(e.reason, e.where));
    exceptions.push_back(std::move(node));
  }
  return sequence(std::move(exceptions), site.detection.where);
}

// Whom no detection may ever ban, whatever the policy lists beside them.
std::vector<core::IpPrefix> never_banned(const site::Site& site) {
  std::vector<core::IpPrefix> out = site.detection.response->never.networks;
  const auto add = [&](const std::vector<core::IpPrefix>& more) {
    out.insert(out.end(), more.begin(), more.end());
  };
  for (const site::Zone& zone : site.zones) add(zone.networks);
  add(site.detection.home_networks);
  if (site.administration) add(site.networks_of(site.administration->host));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void apply_site(Settings& settings, const site::Site& site, core::Diagnostics& diagnostics) {
  const auto put_node = [&](const std::string& key, const YamlNode& node) {
    Leaf leaf;
    leaf.key = key;
    leaf.value = &node;
    apply(settings, leaf, Origin::site, diagnostics);
  };
  const auto put = [&](const std::string& key, const std::string& text, const core::SourcePos& where) {
    put_node(key, scalar(text, where));
  };
  const site::Detection& detection = site.detection;
  put("vars.address-groups.HOME_NET", home_networks(site), detection.where);
  put("anomaly.scan.ports", std::to_string(detection.scan.ports), detection.where);
  put("anomaly.scan.hosts", std::to_string(detection.scan.hosts), detection.where);
  put("anomaly.scan.window", std::to_string(detection.scan.window_us / 1000) + "ms", detection.where);
  put("anomaly.flood.syn-per-second", std::to_string(detection.flood.syn_per_second), detection.where);
  if (!detection.sensitivity.empty()) put_node("anomaly.zones", zones_of(site));
  if (!detection.exceptions.empty()) put_node("anomaly.exceptions", exceptions_of(site));
  if (const auto& response = detection.response) {
    const core::SourcePos& where = response->where;
    const auto seconds = [](std::uint64_t us) { return std::to_string(us / 1'000'000) + "s"; };
    put("anomaly.response.mode", response->enforce ? "enforce" : "dry-run", where);
    put_node("anomaly.response.classes", words(response->classes, where));
    put("anomaly.response.confidence", fmt::format("{}", response->confidence), where);
    put("anomaly.response.ban", seconds(response->ban_us), where);
    put("anomaly.response.longest", seconds(response->longest_us), where);
    put("anomaly.response.escalation", std::to_string(response->escalation), where);
    put_node("anomaly.response.never", networks(never_banned(site), where));
    put("anomaly.response.socket", response->socket, where);
  }
  for (const auto& [key, entry] : detection.engine) put(key, entry.first, entry.second);
}

// "80", "[80, 8080]", "$NAME", a short range; what the tunnel decoders can use.
bool resolve_ports(const Settings& settings, const lang::GroupExpr& expr, unsigned depth,
                   std::vector<std::uint16_t>& out) {
  using Kind = lang::GroupExpr::Kind;
  constexpr unsigned kMaxDepth = 16;      // variables may name each other, even in a circle
  constexpr std::size_t kMaxPorts = 256;  // the decoders look them up one by one
  if (expr.negated || depth > kMaxDepth) return false;
  const auto number = [](const std::string& text) -> std::optional<std::uint16_t> {
    std::uint16_t value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc{} || result.ptr != text.data() + text.size()) return std::nullopt;
    return value;
  };
  if (expr.kind == Kind::literal || expr.kind == Kind::range) {
    const auto first = number(expr.text);
    const auto last = expr.kind == Kind::literal ? first : number(expr.text_last);
    if (!first || !last || *last < *first || out.size() + (*last - *first) >= kMaxPorts) return false;
    for (unsigned port = *first; port <= *last; ++port) out.push_back(static_cast<std::uint16_t>(port));
    return true;
  }
  if (expr.kind == Kind::variable) {
    const auto found = settings.environment.port_variables.find(expr.text);
    if (found == settings.environment.port_variables.end()) return false;
    const auto inner = lang::parse_group(found->second, {}, lang::GroupKind::port);
    return inner && resolve_ports(settings, *inner, depth + 1, out);
  }
  if (expr.kind != Kind::list) return false;
  return std::all_of(expr.items.begin(), expr.items.end(), [&](const lang::GroupExpr& item) {
    return resolve_ports(settings, item, depth + 1, out);
  });
}

void resolve_tunnel_ports(Settings& settings, core::Diagnostics& diagnostics) {
  const auto resolve = [&](const char* key, const std::string& text, std::vector<std::uint16_t>& out) {
    std::vector<std::uint16_t> ports;
    const auto expr = lang::parse_group(text, {}, lang::GroupKind::port);
    if (expr && resolve_ports(settings, *expr, 0, ports)) {
      out = std::move(ports);
      return;
    }
    const auto found = settings.effective.find(key);
    diagnostics.error("bad-value",
                      found == settings.effective.end() ? core::SourcePos{} : found->second.where,
                      std::string("`") + key + "`: `" + text + "` is no list of at most 256 ports");
  };
  resolve("decoder.teredo.ports", settings.tunnel_ports.teredo, settings.decoder.teredo_ports);
  resolve("decoder.vxlan.ports", settings.tunnel_ports.vxlan, settings.decoder.vxlan_ports);
  resolve("decoder.geneve.ports", settings.tunnel_ports.geneve, settings.decoder.geneve_ports);
}

// Bans rest on handshakes that completed before our eyes.
void check_response(const Settings& settings, core::Diagnostics& diagnostics) {
  const triage::Response& response = settings.triage.response;
  if (!response.on) return;
  const auto mode = settings.effective.find("anomaly.response.mode");
  const core::SourcePos where = mode == settings.effective.end() ? core::SourcePos{} : mode->second.where;
  if (settings.tcp.midstream || settings.tcp.async_oneside)
    diagnostics.error(
        "spoofable-evidence", where,
        "no bans while sessions without a handshake count (stream.midstream, stream.async-oneside)");
  if (response.classes.empty())
    diagnostics.error("missing-key", where, "anomaly.response.classes says what is answered to").hint =
        "classes: [bruteforce.*]";
  if (response.longest_us < response.ban_us)
    diagnostics.error("bad-value", where, "anomaly.response.longest is below anomaly.response.ban");
}

// What is switched on explicitly and never comes: the reader of the events would wait for it.
void note_what_is_missing(Settings& settings) {
  std::string protocols;
  for (const ProtocolSwitch& s : settings.parsers.protocols) {
    if (!s.enabled || s.detection_only || find_parser(s.name) != kAppUnknown) continue;
    protocols += (protocols.empty() ? "" : ", ") + s.name;
  }
  if (!protocols.empty()) add_note(settings, "protocols not supported by this build: " + protocols);
  std::string types;
  for (const auto& [type, on] : settings.eve.types) {
    constexpr std::string_view kOwn[] = {"alert", "anomaly", "arp",   "files",
                                         "flow",  "netflow", "stats", "stream"};
    if (!on || std::find(std::begin(kOwn), std::end(kOwn), type) != std::end(kOwn)) continue;
    const auto parsers = parser_table();
    const bool written =
        std::any_of(parsers.begin(), parsers.end(),
                    [&type = type](const ParserDescriptor* p) { return p->event_type == type; });
    if (!written) types += (types.empty() ? "" : ", ") + type;
  }
  if (!types.empty()) add_note(settings, "event types not written by this build: " + types);
}

// One sentence instead of one for every key: a long configuration names many of them.
void note_keys_without_effect(Settings& settings) {
  std::string keys;
  for (const auto& [key, entry] : settings.effective) {
    if (entry.no_effect.empty() || entry.origin == Origin::built_in) continue;
    if (!keys.empty()) keys += ", ";
    keys += key;
  }
  if (!keys.empty())
    add_note(settings, "settings that change nothing in this build (see `ids config`): " + keys);
}

}  // namespace

std::optional<Settings> load_settings(const SettingsInput& input, core::Diagnostics& diagnostics) {
  const std::size_t errors_before = diagnostics.error_count();
  Settings settings;
  settings.environment.classifications = default_classifications();
  settings.environment.detectors = triage::detectors_of_build();
  apply_tree(settings, core::SourceText("built-in", std::string(kDefaultSettings)), Origin::built_in,
             diagnostics);
  if (input.site != nullptr) apply_site(settings, *input.site, diagnostics);
  if (input.config != nullptr) apply_tree(settings, *input.config, Origin::config, diagnostics);
  if (diagnostics.error_count() == errors_before) resolve_tunnel_ports(settings, diagnostics);
  check_response(settings, diagnostics);
  if (diagnostics.error_count() != errors_before) return std::nullopt;
  if (!input.anomaly_state.empty()) settings.anomaly.state_path = input.anomaly_state;
  adopt_state_seed(settings);
  // One seed for all workers and the detectors they share.
  if (settings.anomaly.hash_seed == 0) settings.anomaly.hash_seed = anomaly::random_seed();
  settings.tcp.policies = settings.defrag.policies;
  settings.environment.resources = std::make_shared<RuleResources>(settings.lists.limits);
  note_what_is_missing(settings);
  note_keys_without_effect(settings);
  return settings;
}

std::string_view to_string(Origin origin) {
  constexpr std::string_view kNames[] = {"built in", "site file", "configuration"};
  return kNames[static_cast<std::size_t>(origin)];
}

std::string print_settings(const Settings& settings) {
  std::string out;
  for (const auto& [key, entry] : settings.effective) {
    out += key + ": ";
    out += entry.value + "  # " + std::string(to_string(entry.origin));
    if (entry.where.line != 0) out += " " + entry.where.to_string();
    if (!entry.no_effect.empty()) out += "; no effect: " + entry.no_effect;
    out += '\n';
  }
  return out;
}

void append_settings_json(core::JsonWriter& json, const Settings& settings) {
  json.begin_array();
  for (const auto& [key, entry] : settings.effective) {
    json.begin_object();
    json.field("key", key);
    json.key("value").raw(entry.value);
    json.field("origin", to_string(entry.origin));
    if (entry.where.line != 0) json.field("where", entry.where.to_string());
    if (!entry.no_effect.empty()) json.field("no_effect", entry.no_effect);
    json.end_object();
  }
  json.end_array();
}

void add_note(Settings& settings, const std::string& sentence) {
  if (std::find(settings.notes.begin(), settings.notes.end(), sentence) == settings.notes.end())
    settings.notes.push_back(sentence);
}

std::optional<std::string> SettingValue::text() const {
  if (node.is_scalar()) return node.text;
  wrong("a word or text");
  return std::nullopt;
}

std::vector<std::string> SettingValue::words() const {
  std::vector<std::string> out;
  if (node.is_null()) return out;
  if (node.is_sequence()) {
    for (const YamlNode& item : node.items) {
      if (item.is_scalar()) {
        out.push_back(item.text);
      } else {
        wrong("a list of words");
      }
    }
    return out;
  }
  if (!node.is_scalar()) {
    wrong("a list of words");
    return out;
  }
  std::string_view rest = node.text;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    std::string_view word = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    while (word.starts_with(' ') || word.starts_with('[')) word.remove_prefix(1);
    while (word.ends_with(' ') || word.ends_with(']')) word.remove_suffix(1);
    if (!word.empty()) out.emplace_back(word);
  }
  return out;
}

std::optional<std::string> SettingValue::group() const {
  if (node.is_scalar()) return node.text;
  if (node.is_sequence()) {
    std::string out = "[";
    for (const YamlNode& item : node.items) {
      if (!item.is_scalar()) break;
      if (out.size() > 1) out += ',';
      out += item.text;
    }
    return out + "]";
  }
  wrong("an address or port expression");
  return std::nullopt;
}

void SettingValue::unsupported(std::string_view what) const {
  diagnostics.error("unsupported-setting", node.where,
                    "`" + std::string(key) + "`: this build does not support " + std::string(what));
}

void SettingValue::wrong(std::string_view expected) const {
  diagnostics.error("bad-value", node.where, "`" + std::string(key) + "` must be " + std::string(expected));
}

}  // namespace gatehouse::ids::engine
