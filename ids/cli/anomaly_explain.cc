// ids anomaly explain: from the events of an attack to what was seen, what had to be, and what would have
// prevented the verdict.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/log.h"
#include "core/os.h"
#include "ids/anomaly/classes.h"
#include "ids/anomaly/reason.h"
#include "ids/cli/verbs.h"
#include "ids/triage/policy.h"

namespace gatehouse::ids::cli {
namespace {

using core::Errc;
using core::fail;
using core::Result;
using nlohmann::json;

constexpr std::size_t kLargestLog = std::size_t{1} << 30U;
constexpr std::size_t kLongestLine = 1U << 20U;
constexpr std::size_t kNamesShown = 8;

// The latest event of one attack, whichever form it was written in.
struct Attack {
  std::uint64_t id = 0;
  json detection, alert;
  std::string time;
  std::uint32_t sid = 0;
  std::size_t events = 0;
};

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}
std::uint64_t number_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

// gatehouse_* rows of alert.metadata (anomaly.strict-eve) back into the object they were.
json object_of_rows(const json& metadata) {
  json out = json::object();
  const auto rows = [&](const char* name) {
    const auto found = metadata.find(std::string("gatehouse_") + name);
    std::vector<std::string> values;
    if (found != metadata.end() && found->is_array()) {
      for (const json& value : *found) {
        if (value.is_string()) values.push_back(value.get<std::string>());
      }
    }
    return values;
  };
  const auto as_number = [](const std::string& text) {
    const json value = json::parse(text, nullptr, false);
    return value.is_number() ? value : json(0);
  };
  for (const char* name : {"class", "phase", "reason", "first_seen", "last_seen", "technique",
                           "source_prefix", "target_prefix"}) {
    if (const auto values = rows(name); !values.empty()) out[name] = values[0];
  }
  for (const char* name : {"id", "update", "sources_total", "targets_total", "window_ms", "confidence"}) {
    if (const auto values = rows(name); !values.empty()) out[name] = as_number(values[0]);
  }
  for (const char* name : {"sources", "targets"}) out[name] = rows(name);
  for (const char* name : {"evidence", "limits"}) {
    for (const std::string& row : rows(name)) {
      const std::size_t equals = std::min(row.find('='), row.size());
      out[name][row.substr(0, equals)] = as_number(row.substr(std::min(equals + 1, row.size())));
    }
  }
  if (const auto values = rows("spoofable"); !values.empty()) out["spoofable"] = values[0] == "true";
  return out;
}

const anomaly::AttackClass* class_named(std::string_view name, anomaly::Verdict& verdict) {
  const auto all = anomaly::attack_classes();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.klass == name; });
  if (found == all.end()) return nullptr;
  verdict = static_cast<anomaly::Verdict>(found - all.begin());
  return &*found;
}

// The attacks of a log, in the order in which they began. A log may hold several runs, each of which counts
// its attacks from one.
using Attacks = std::vector<Attack>;

Attack& attack_of(const json& detection, Attacks& attacks) {
  const std::uint64_t id = number_of(detection, "id");
  const auto known =
      std::find_if(attacks.rbegin(), attacks.rend(), [&](const Attack& a) { return a.id == id; });
  if (known != attacks.rend() && text_of(detection, "phase") != "start") return *known;
  attacks.emplace_back();
  attacks.back().id = id;
  return attacks.back();
}

void read_line(std::string_view line, Attacks& attacks) {
  if (line.find("detection") == line.npos && line.find("gatehouse_class") == line.npos) return;
  const json event = json::parse(line, nullptr, false);
  if (!event.is_object() || text_of(event, "event_type") != "alert") return;
  const auto alert = event.find("alert");
  if (alert == event.end() || !alert->is_object() || number_of(*alert, "gid") != anomaly::kDetectionGid)
    return;
  json detection;
  if (const auto own = event.find("detection"); own != event.end() && own->is_object()) {
    detection = *own;
  } else if (const auto rows = alert->find("metadata"); rows != alert->end() && rows->is_object()) {
    detection = object_of_rows(*rows);
  }
  anomaly::Verdict verdict{};
  if (!detection.is_object() || class_named(text_of(detection, "class"), verdict) == nullptr) return;
  Attack& attack = attack_of(detection, attacks);
  attack.detection = std::move(detection);
  attack.alert = *alert;
  attack.time = text_of(event, "timestamp");
  attack.sid = static_cast<std::uint32_t>(number_of(*alert, "signature_id"));
  ++attack.events;
}

std::string names(const json& detection, const char* key, const char* total_key) {
  const auto list = detection.find(key);
  std::string out;
  std::size_t shown = 0;
  if (list != detection.end() && list->is_array()) {
    for (const json& item : *list) {
      if (shown == kNamesShown || !item.is_string()) break;
      out += (shown++ == 0 ? "" : ", ") + item.get<std::string>();
    }
  }
  const std::uint64_t total = std::max<std::uint64_t>(number_of(detection, total_key), shown);
  if (shown == 0)
    return total == 0 ? "nobody" : fmt::format("{} addresses, none named: they look forged", total);
  if (total > shown) out += fmt::format(" and {} more", total - shown);
  return out;
}

// Figures and what some of them had to reach. `failed_percent` is not in the event: it follows.
struct Row {
  std::string name;
  std::uint64_t value = 0;
  std::optional<std::uint64_t> limit;
};
std::vector<Row> rows_of(const json& detection) {
  std::vector<Row> rows;
  const auto evidence = detection.find("evidence");
  if (evidence == detection.end() || !evidence->is_object()) return rows;
  for (const auto& [name, value] : evidence->items())
    rows.push_back({name, number_of(*evidence, name.c_str()), {}});
  const std::uint64_t failed = number_of(*evidence, "failed");
  const auto limits = detection.find("limits");
  if (limits == detection.end() || !limits->is_object()) return rows;
  for (const auto& [name, value] : limits->items()) {
    const std::uint64_t limit = number_of(*limits, name.c_str());
    const auto row =
        std::find_if(rows.begin(), rows.end(), [&n = name](const Row& r) { return r.name == n; });
    if (row != rows.end()) {
      row->limit = limit;
    } else if (name == "failed_percent" && failed != 0) {
      rows.push_back({name, failed * 100 / (failed + number_of(*evidence, "succeeded")), limit});
    }
  }
  std::stable_partition(rows.begin(), rows.end(), [](const Row& r) { return r.limit.has_value(); });
  return rows;
}

// What would have been too little, in figures.
std::string too_little(const std::vector<Row>& rows) {
  std::string out;
  for (const Row& row : rows) {
    if (!row.limit) continue;
    out += fmt::format("{}{} below {}", out.empty() ? "" : ", or ", row.name, *row.limit);
    if (row.name == "evidence") out += fmt::format(" ({} refusals)", (*row.limit + 7) / 8);
  }
  return out;
}

std::string settings_of(const anomaly::AttackClass& c, anomaly::Verdict verdict) {
  if (c.klass.starts_with("bruteforce.")) return "sensitivity of the zone";
  if (anomaly::is_scan(verdict))
    return "anomaly.scan.ports, anomaly.scan.hosts, anomaly.scan.window, sensitivity of the zone";
  if (c.klass == "dos.synflood") return "anomaly.flood.syn-per-second, sensitivity of the zone";
  if (verdict >= anomaly::Verdict::udp_flood && verdict <= anomaly::Verdict::amplification)
    return "anomaly.flood.packets-per-second, sensitivity of the zone";
  return "sensitivity of the zone";
}

std::string exception_for(const json& detection, std::string_view klass) {
  const auto first = [&](const char* key) -> std::string {
    const auto list = detection.find(key);
    return list != detection.end() && list->is_array() && !list->empty() && (*list)[0].is_string()
               ? (*list)[0].get<std::string>()
               : std::string();
  };
  std::string who = text_of(detection, "source_prefix");
  if (who.empty()) who = first("sources");
  const char* side = "source";
  if (who.empty()) {
    who = first("targets");
    side = "target";
  }
  if (who.empty()) return {};
  return fmt::format("{{{}: \"{}\", class: {}, until: YYYY-MM-DD, reason: \"...\"}}", side, who, klass);
}

std::string explain(const Attack& attack) {
  const json& d = attack.detection;
  anomaly::Verdict verdict{};
  const anomaly::AttackClass& c = *class_named(text_of(d, "class"), verdict);
  std::string out = fmt::format("attack {}: {}, {} ({}:{}), {} of {} event(s)\n", attack.id, c.klass,
                                text_of(attack.alert, "signature"), anomaly::kDetectionGid, c.sid,
                                text_of(d, "phase"), attack.events);
  const auto line = [&](std::string_view label, std::string_view text) {
    if (!text.empty()) out += fmt::format("  {:<11} {}\n", label, text);
  };
  const auto network = [&](const char* key) {
    const std::string prefix = text_of(d, key);
    return prefix.empty() ? prefix : fmt::format(" (all of {})", prefix);
  };
  line("by", names(d, "sources", "sources_total") + network("source_prefix"));
  line("against", names(d, "targets", "targets_total") + network("target_prefix"));
  line("seen", fmt::format("{} to {}, decided on {} ms", text_of(d, "first_seen"), text_of(d, "last_seen"),
                           number_of(d, "window_ms")));
  const auto confidence = d.find("confidence");
  if (confidence != d.end() && confidence->is_number())
    line("confidence", fmt::format("{:.2f}", confidence->get<double>()));
  line("because", text_of(d, "reason").empty() ? anomaly::reason_of(verdict) : text_of(d, "reason"));
  const std::vector<Row> rows = rows_of(d);
  for (const Row& row : rows) {
    out += fmt::format("  {:<11} {:<24} {:>9}", &row == rows.data() ? "figures" : "", row.name, row.value);
    if (row.limit) out += fmt::format("   had to reach {}", *row.limit);
    out += '\n';
  }
  line("prevented", fmt::format("by {}", anomaly::prevention_of(verdict)));
  line("", too_little(rows));
  line("settings", settings_of(c, verdict));
  line("spoofable", c.spoofable
                        ? "anybody could have sent this in the name of the sources: no ban rests on it"
                        : "no: the sources completed handshakes");
  line("exception", exception_for(d, c.klass));
  line("override", fmt::format("rules of gid {}, sid {}; suppress gen_id {}, sig_id {}",
                               anomaly::kDetectionGid, c.sid, anomaly::kDetectionGid, c.sid));
  return out;
}

json explain_json(const Attack& attack) {
  anomaly::Verdict verdict{};
  const anomaly::AttackClass& c = *class_named(text_of(attack.detection, "class"), verdict);
  json out = {{"id", attack.id},
              {"events", attack.events},
              {"time", attack.time},
              {"signature_id", c.sid},
              {"detection", attack.detection},
              {"prevented_by", anomaly::prevention_of(verdict)},
              {"settings", settings_of(c, verdict)}};
  json figures = json::array();
  for (const Row& row : rows_of(attack.detection)) {
    json figure = {{"name", row.name}, {"value", row.value}};
    if (row.limit) figure["had_to_reach"] = *row.limit;
    figures.push_back(std::move(figure));
  }
  out["figures"] = std::move(figures);
  return out;
}

// A log may hold anything: nothing of it commands the terminal.
std::string printable(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n') || byte == 0x7f) c = '?';
  }
  return text;
}

}  // namespace

Result<int> verb_anomaly_explain(const core::Args& args) {
  std::string path = args.positional()[0];
  std::optional<std::uint64_t> wanted;
  if (args.has("--log-dir")) {
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), id);
    if (error != std::errc{} || end != path.data() + path.size())
      return fail(Errc::invalid_input, "with --log-dir, EVENT is the id of an attack, not `" + path + "`");
    wanted = id;
    path = args.value("--log-dir") + "/eve.json";
  }
  GH_TRY(const std::string text, core::read_file(path, kLargestLog));
  Attacks attacks;
  std::size_t too_long = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line = std::string_view(text).substr(start, end - start);
    start = end + 1;
    if (line.size() > kLongestLine) {
      ++too_long;
    } else {
      read_line(line, attacks);
    }
  }
  if (too_long != 0) core::log_warning("{} lines of {} are too long to be events", too_long, path);
  // Of several runs the last.
  if (wanted) {
    std::erase_if(attacks, [&](const Attack& attack) { return attack.id != *wanted; });
    if (attacks.size() > 1) attacks.erase(attacks.begin(), attacks.end() - 1);
  }
  if (attacks.empty()) {
    core::log_error("{} has no detection{}", path, wanted ? fmt::format(" with the id {}", *wanted) : "");
    return core::kExitNo;
  }
  std::string out;
  json list = json::array();
  for (const Attack& attack : attacks) {
    if (args.json()) {
      list.push_back(explain_json(attack));
    } else {
      out += (out.empty() ? "" : "\n") + printable(explain(attack));
    }
  }
  // Bytes that are no UTF-8 were in the file: they are replaced, not fatal.
  if (args.json()) out = list.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  GH_CHECK(core::print_result(out));
  return core::kExitDone;
}

}  // namespace gatehouse::ids::cli
