// Settings of what becomes of detections: zones, exceptions, response.
#include <algorithm>

#include "core/os.h"
#include "ids/anomaly/classes.h"
#include "ids/engine/setting_keys.h"

namespace gatehouse::ids::engine {
namespace {

using core::MapReader;
using core::YamlNode;

void strict_eve(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.triage.strict_eve = *on;
}

std::vector<core::IpPrefix> read_networks(MapReader& map, std::string_view key) {
  std::vector<core::IpPrefix> out;
  for (const YamlNode* item : map.list(key)) {
    if (const auto prefix = core::yaml_prefix(*item, map.diagnostics())) out.push_back(*prefix);
  }
  return out;
}

void check_class(const YamlNode& node, core::Diagnostics& diagnostics) {
  if (triage::is_class_pattern(node.text)) return;
  std::vector<std::string> known;
  for (const anomaly::AttackClass& c : anomaly::attack_classes()) known.emplace_back(c.klass);
  core::Diagnostic& d =
      diagnostics.error("unknown-class", node.where, "no detection has the class `" + node.text + "`");
  d.hint = core::did_you_mean(node.text, known);
  if (d.hint.empty()) d.hint = "`ids anomaly classes` lists them; `scan.*` means all that begin so";
}

std::vector<const YamlNode*> items_of(const SettingValue& v) {
  std::vector<const YamlNode*> out;
  if (v.node.is_null()) return out;
  if (!v.node.is_sequence()) {
    v.wrong("a list");
    return out;
  }
  for (const YamlNode& item : v.node.items) out.push_back(&item);
  return out;
}

// anomaly.zones: [{zone: dmz, networks: [10.1.0.0/16], sensitivity: high}]
void zones(const SettingValue& v) {
  v.settings.anomaly.zones.clear();
  v.settings.triage.zones.clear();
  for (const YamlNode* item : items_of(v)) {
    MapReader map(*item, "a zone", v.diagnostics);
    (void)map.string("zone");
    const std::vector<core::IpPrefix> networks = read_networks(map, "networks");
    const std::string level = map.required_string("sensitivity");
    map.finish();
    constexpr std::uint32_t kLow = 200, kNormal = 100, kHigh = 50;
    if (level != "low" && level != "normal" && level != "high" && level != "off" && !level.empty())
      v.diagnostics.error("bad-value", item->where, "a sensitivity is low, normal, high or off");
    const std::uint32_t percent = level == "low" ? kLow : level == "high" ? kHigh : kNormal;
    for (const core::IpPrefix& network : networks) {
      v.settings.anomaly.zones.push_back({network, percent});
      v.settings.triage.zones.push_back({network, level == "off"});
    }
  }
}

void warn_expired(const SettingValue& v, const YamlNode& until, const std::string& reason) {
  const auto& told = v.diagnostics.all();
  // The policy's own checks may have said so.
  if (std::any_of(told.begin(), told.end(), [&](const core::Diagnostic& d) {
        return d.code == "exception-expired" && d.where == until.where;
      }))
    return;
  v.diagnostics
      .warning("exception-expired", until.where, "this exception ended " + until.text + ": " + reason)
      .hint = "take it out, or give it another day";
}

// anomaly.exceptions: [{source: 192.0.2.0/24, class: scan.*, until: 2027-01-31, reason: "..."}]
void exceptions(const SettingValue& v) {
  v.settings.triage.exceptions.clear();
  for (const YamlNode* item : items_of(v)) {
    MapReader map(*item, "an exception", v.diagnostics);
    triage::Exception e;
    e.where = item->where;
    e.sources = read_networks(map, "source");
    e.targets = read_networks(map, "target");
    if (item->is_map() && e.sources.empty() && e.targets.empty())
      v.diagnostics.error("missing-key", item->where, "an exception needs `source` or `target`");
    for (const YamlNode* word : map.list("class")) {
      check_class(*word, v.diagnostics);
      e.classes.push_back(word->text);
    }
    if (item->is_map() && e.classes.empty())
      v.diagnostics.error("missing-key", item->where, "an exception needs `class`").hint = "class: scan.*";
    e.reason = map.required_string("reason");
    if (item->find("reason") != nullptr && e.reason.empty())
      v.diagnostics.error("bad-value", item->find("reason")->where, "an exception needs a reason");
    if (const YamlNode* until = map.required("until")) {
      e.until_us = core::yaml_time_us(*until, v.diagnostics).value_or(0);
      if (e.until_us != 0 && e.until_us < core::wall_clock_us()) warn_expired(v, *until, e.reason);
    }
    map.finish();
    v.settings.triage.exceptions.push_back(std::move(e));
  }
}

void response_mode(const SettingValue& v) {
  const auto text = v.text();
  if (!text) return;
  if (*text != "off" && *text != "no" && *text != "dry-run" && *text != "enforce")
    return v.wrong("off, dry-run or enforce");
  v.settings.triage.response.on = *text == "dry-run" || *text == "enforce";
  v.settings.triage.response.enforce = *text == "enforce";
}

// A pattern that fits only what anybody can forge would never act.
void response_classes(const SettingValue& v) {
  auto& classes = v.settings.triage.response.classes;
  classes.clear();
  const auto take = [&](const YamlNode& node) {
    check_class(node, v.diagnostics);
    const auto all = anomaly::attack_classes();
    const auto fits = [&](const anomaly::AttackClass& c) { return triage::class_fits(node.text, c.klass); };
    if (std::any_of(all.begin(), all.end(), fits) &&
        std::none_of(all.begin(), all.end(),
                     [&](const anomaly::AttackClass& c) { return fits(c) && triage::may_be_banned(c); }))
      v.diagnostics.error("spoofable-class", node.where,
                          "`" + node.text + "` rests on packets anybody could have sent: no ban may");
    classes.push_back(node.text);
  };
  if (v.node.is_scalar()) return take(v.node);
  for (const YamlNode* item : items_of(v)) take(*item);
}

void response_confidence(const SettingValue& v) {
  if (auto n = core::yaml_double(v.node, 0.5, 1, v.diagnostics)) v.settings.triage.response.confidence = *n;
}
template <std::int64_t triage::Response::*member>
void response_time(const SettingValue& v) {
  constexpr std::uint64_t kSecond = 1'000'000, kMost = 30 * 86'400 * kSecond;
  const auto us = core::yaml_duration_us(v.node, v.diagnostics);
  if (!us) return;
  if (*us < kSecond || *us > kMost) return v.wrong("between 1s and 30d");
  v.settings.triage.response.*member = static_cast<std::int64_t>(*us);
}
void response_escalation(const SettingValue& v) {
  if (auto n = v.uint(1, 100)) v.settings.triage.response.escalation = static_cast<std::uint32_t>(*n);
}
void response_never(const SettingValue& v) {
  auto& never = v.settings.triage.response.never;
  never.clear();
  for (const YamlNode* item : items_of(v)) {
    if (const auto prefix = core::yaml_prefix(*item, v.diagnostics)) never.push_back(*prefix);
  }
}
void response_socket(const SettingValue& v) {
  constexpr std::size_t kMostPath = 107;  // sun_path
  const auto text = v.text();
  if (!text) return;
  if (text->empty() || (*text)[0] != '/' || text->size() > kMostPath)
    return v.wrong("an absolute path of at most 107 bytes");
  v.settings.triage.response.socket = *text;
}

constexpr KeyRow kRows[] = {
    {"anomaly.strict-eve", strict_eve},
    {"anomaly.zones", zones},
    {"anomaly.exceptions", exceptions},
    {"anomaly.response.mode", response_mode},
    {"anomaly.response.classes", response_classes},
    {"anomaly.response.confidence", response_confidence},
    {"anomaly.response.ban", response_time<&triage::Response::ban_us>},
    {"anomaly.response.longest", response_time<&triage::Response::longest_us>},
    {"anomaly.response.escalation", response_escalation},
    {"anomaly.response.never", response_never},
    {"anomaly.response.socket", response_socket},
};

}  // namespace

std::span<const KeyRow> triage_keys() {
  return kRows;
}

}  // namespace gatehouse::ids::engine
