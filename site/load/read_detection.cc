// The `detection` section.
#include <algorithm>

#include "site/load/reader.h"

namespace gatehouse::site {
namespace {

// Networks, addresses, zones and hosts of zones.
Party read_party(MapReader& map, std::string_view key) {
  Party out;
  for (const YamlNode* item : map.list(key)) {
    const std::string& text = item->text;
    const bool digits = !text.empty() && text[0] >= '0' && text[0] <= '9';
    if (digits || text.find(':') != std::string::npos) {
      if (const auto prefix = core::yaml_prefix(*item, map.diagnostics())) out.networks.push_back(*prefix);
    } else if (auto endpoint = read_endpoint(*item, map.diagnostics())) {
      out.endpoints.push_back(std::move(*endpoint));
    }
  }
  return out;
}

std::vector<PlacedWord> read_words(MapReader& map, std::string_view key) {
  std::vector<PlacedWord> out;
  for (const YamlNode* item : map.list(key)) {
    if (item->is_scalar()) out.push_back({item->text, item->where});
  }
  return out;
}

void read_sensitivity(const YamlNode* node, Detection& out, Diagnostics& diagnostics) {
  static const std::vector<std::string> kLevels = {"low", "normal", "high", "off"};
  for_each_named(node, "zone", diagnostics, [&](const YamlNode& key, const YamlNode& value) {
    const auto at = std::find(kLevels.begin(), kLevels.end(), value.is_scalar() ? value.text : "");
    if (at == kLevels.end()) {
      diagnostics.error("bad-value", value.where, "the sensitivity of a zone is low, normal, high or off")
          .hint = core::did_you_mean(value.text, kLevels);
      return;
    }
    out.sensitivity.push_back({key.text, static_cast<Sensitivity>(at - kLevels.begin()), key.where});
  });
}

void read_exception(const YamlNode& node, Detection& out, Diagnostics& diagnostics) {
  MapReader map(node, "an exception", diagnostics);
  DetectionException e;
  e.where = node.where;
  e.source = read_party(map, "source");
  e.target = read_party(map, "target");
  e.classes = read_words(map, "class");
  if (map.node().is_map() && map.node().find("class") == nullptr) {
    diagnostics.error("missing-key", node.where, "an exception needs `class`").hint = "class: scan.*";
  } else if (e.classes.empty() && map.node().is_map()) {
    diagnostics.error("bad-value", node.where, "`class` names no class");
  }
  if (const YamlNode* until = map.required("until")) {
    if (const auto us = core::yaml_time_us(*until, diagnostics)) {
      e.until_us = *us;
      e.until = until->text;
      e.until_where = until->where;
    }
  }
  e.reason = map.required_string("reason");
  if (const YamlNode* reason = map.node().find("reason"); reason != nullptr && e.reason.empty())
    diagnostics.error("bad-value", reason->where, "an exception needs a reason: who asked for it, and why");
  if (map.node().is_map() && e.source.empty() && e.target.empty())
    diagnostics.error("missing-key", node.where, "an exception needs `source` or `target`");
  map.finish();
  out.exceptions.push_back(std::move(e));
}

std::optional<DetectionResponse> read_response(const YamlNode* node, Diagnostics& diagnostics) {
  if (node == nullptr) return std::nullopt;
  MapReader map(*node, "detection.response", diagnostics);
  DetectionResponse out;
  out.where = node->where;
  const std::string mode = map.string("mode", "dry-run");
  out.enforce = mode == "enforce";
  if (mode != "enforce" && mode != "dry-run")
    diagnostics.error("bad-value", node->find("mode")->where, "the mode is dry-run or enforce");
  out.classes = read_words(map, "classes");
  if (out.classes.empty() && node->is_map())
    diagnostics.error("missing-key", node->where, "a response needs `classes`: what it answers to").hint =
        "classes: [bruteforce.*]";
  out.confidence = map.number("confidence", out.confidence, 0.5, 1);
  out.ban_us = map.duration_us("ban", out.ban_us);
  out.longest_us = map.duration_us("longest", out.longest_us);
  out.escalation = static_cast<std::uint32_t>(map.uint("escalation", out.escalation, 1, 100));
  out.never = read_party(map, "never");
  out.socket = map.string("socket", out.socket);
  if (const YamlNode* socket = node->find("socket")) check_absolute_path(*socket, diagnostics);
  constexpr std::uint64_t kSecond = 1'000'000, kMostUs = 30 * 86'400 * kSecond;
  if (out.ban_us < kSecond || out.longest_us < out.ban_us || out.longest_us > kMostUs)
    diagnostics.error("bad-value", node->where, "a ban lasts from 1s up to `longest`, at most 30d");
  map.finish();
  return out;
}

void read_thresholds(MapReader& map, Detection& out, Diagnostics& diagnostics) {
  if (const YamlNode* scan = map.optional("scan")) {
    MapReader fields(*scan, "detection.scan", diagnostics);
    out.scan.ports = static_cast<std::uint32_t>(fields.uint("ports", out.scan.ports, 3, 65535));
    out.scan.hosts = static_cast<std::uint32_t>(fields.uint("hosts", out.scan.hosts, 3, 65535));
    out.scan.window_us = fields.duration_us("window", out.scan.window_us);
    fields.finish();
  }
  if (const YamlNode* flood = map.optional("flood")) {
    MapReader fields(*flood, "detection.flood", diagnostics);
    out.flood.syn_per_second =
        static_cast<std::uint32_t>(fields.uint("syn-per-second", out.flood.syn_per_second, 1, 10'000'000));
    fields.finish();
  }
}

}  // namespace

Detection read_detection(const YamlNode* node, Diagnostics& diagnostics) {
  Detection out;
  if (node == nullptr) return out;
  MapReader map(*node, "detection", diagnostics);
  out.where = node->where;
  for (const YamlNode* item : map.list("home-networks")) {
    if (const auto prefix = core::yaml_prefix(*item, diagnostics)) out.home_networks.push_back(*prefix);
  }
  out.interfaces = map.strings("watch");
  out.rule_files = map.strings("rules");
  read_thresholds(map, out, diagnostics);
  read_sensitivity(map.optional("sensitivity"), out, diagnostics);
  for (const YamlNode* item : map.list("exceptions")) read_exception(*item, out, diagnostics);
  out.response = read_response(map.optional("response"), diagnostics);
  if (const YamlNode* engine = map.optional("engine")) {
    if (engine->is_map()) {
      for (std::size_t i = 0; i < engine->keys.size(); ++i) {
        if (!engine->items[i].is_scalar()) {
          diagnostics.error("bad-value", engine->items[i].where, "an engine setting is one value");
          continue;
        }
        out.engine[engine->keys[i].text] = {engine->items[i].text, engine->keys[i].where};
      }
    } else {
      diagnostics.error("bad-value", engine->where, "`engine` must map dotted setting names to values");
    }
  }
  map.finish();
  return out;
}

void warn_expired(const Detection& detection, std::int64_t now_us, Diagnostics& diagnostics) {
  for (const DetectionException& e : detection.exceptions) {
    if (e.until_us >= now_us) continue;
    diagnostics
        .warning("exception-expired", e.until_where, "this exception ended " + e.until + ": " + e.reason)
        .hint = "take it out, or give it another day";
  }
}

}  // namespace gatehouse::site
