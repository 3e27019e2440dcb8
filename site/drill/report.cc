#include "site/drill/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/json.h"
#include "core/os.h"

namespace gatehouse::drill {
namespace {

struct Cells {
  std::string safeguard, attack, stopped, seen_by, seconds, verdict, fact;
};

std::string stopped_cell(const Row& row) {
  if (row.error) return "not tried";
  switch (row.attack.expect) {
    case Expect::stopped:
      return row.outcome.held ? "stopped" : "NOT STOPPED";
    case Expect::works:
      return row.outcome.held ? "works" : "DOES NOT WORK";
    case Expect::seen:
      return row.outcome.held ? "passive" : "NOT TRIED";
  }
  return "";
}

Cells cells(const Row& row) {
  Cells c;
  c.safeguard = fmt::format("{} {}", row.attack.safeguard, row.attack.control);
  c.attack = std::string(row.attack.title);
  c.stopped = stopped_cell(row);
  c.seen_by = !row.report_wanted ? "-" : row.seen ? row.seen_by : "NOT SEEN";
  c.seconds = !row.report_wanted ? "-" : row.reported ? fmt::format("{:.2f}", row.seconds_to_soc) : "NEVER";
  c.verdict = row.holds() ? "holds" : "FAILS";
  c.fact = row.error ? *row.error : row.outcome.fact;
  return c;
}

const std::array<std::string_view, 6> kHeadings = {"safeguard", "attack",      "stopped?",
                                                   "seen by",   "SOC after s", "verdict"};

std::array<std::string, 6> columns(const Cells& c) {
  return {c.safeguard, c.attack, c.stopped, c.seen_by, c.seconds, c.verdict};
}

std::size_t count_holding(const DrillResult& result) {
  return static_cast<std::size_t>(
      std::count_if(result.rows.begin(), result.rows.end(), [](const Row& row) { return row.holds(); }));
}

std::string summary(const DrillResult& result) {
  return fmt::format("{} of {} hold, in {:.1f} s", count_holding(result), result.rows.size(), result.seconds);
}

void append_html_escaped(std::string& out, std::string_view text) {
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
}

std::string escaped(std::string_view text) {
  std::string out;
  append_html_escaped(out, text);
  return out;
}

constexpr std::string_view kStyle =
    R"(body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1150px;padding:0 1em;
color:#1b1f24;background:#fff}h1{font-size:1.4em}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.45em .7em;border-bottom:1px solid #d5dae0;vertical-align:top}
th{background:#f2f4f7}td small{color:#57606a;display:block}.n{text-align:right}
.yes{color:#116329;font-weight:600}.no{color:#b3261e;font-weight:700;background:#fdeceb}
@media(prefers-color-scheme:dark){body{color:#e6e8eb;background:#15181c}th{background:#22272d}
th,td{border-color:#353b43}td small{color:#9aa4af}.yes{color:#5fd381}.no{color:#ff9b94;background:#3a1d1c}})";

}  // namespace

std::string to_text(const DrillResult& result) {
  std::vector<std::array<std::string, 6>> lines;
  std::array<std::size_t, 6> widths{};
  for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = kHeadings[i].size();
  for (const Row& row : result.rows) {
    lines.push_back(columns(cells(row)));
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], lines.back()[i].size());
  }
  std::string text;
  auto append = [&](const auto& values) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) line += fmt::format("{:<{}}  ", values[i], widths[i]);
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  append(kHeadings);
  std::array<std::string, 6> rule;
  for (std::size_t i = 0; i < widths.size(); ++i) rule[i] = std::string(widths[i], '-');
  append(rule);
  for (const auto& line : lines) append(line);
  text += "\n" + summary(result) + "\n";
  for (const Row& row : result.rows) {
    if (!row.holds())
      text += fmt::format("FAILS {}: {} ({})\n", row.attack.id, row.problem(), cells(row).fact);
  }
  return text;
}

std::string to_json(const DrillResult& result) {
  std::string out;
  core::JsonWriter json(out);
  json.begin_object();
  json.field("site", result.site).field("started", core::rfc3339(result.started_us));
  json.field("seconds", result.seconds).field("holds", result.holds());
  json.key("rows").begin_array();
  for (const Row& row : result.rows) {
    json.begin_object();
    json.field("id", row.attack.id).field("safeguard", row.attack.safeguard);
    json.field("control", row.attack.control).field("attack", row.attack.title);
    json.field("expect", to_string(row.attack.expect)).field("held", row.outcome.held);
    json.field("fact", row.outcome.fact).field("seconds", row.seconds);
    if (row.report_wanted) {
      json.field("wanted", row.wanted).field("seen", row.seen).field("reported", row.reported);
      if (row.seen) json.field("seen_by", row.seen_by);
      if (row.reported) json.field("seconds_to_soc", row.seconds_to_soc);
    }
    json.field("holds", row.holds());
    if (!row.holds()) json.field("problem", row.problem());
    json.end_object();
  }
  json.end_array().end_object();
  out += '\n';
  return out;
}

std::string to_html(const DrillResult& result) {
  std::string out = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n";
  out += "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n";
  out += fmt::format("<title>Drill of {}</title>\n<style>{}</style>\n", escaped(result.site), kStyle);
  out += fmt::format("<h1>Drill of {}: <span class=\"{}\">{}</span></h1>\n<p>Started {}.</p>\n",
                     escaped(result.site), result.holds() ? "yes" : "no", escaped(summary(result)),
                     core::rfc3339(result.started_us));
  out += "<table>\n<tr>";
  for (auto heading : kHeadings) out += fmt::format("<th>{}</th>", heading);
  out += "</tr>\n";
  for (const Row& row : result.rows) {
    const Cells c = cells(row);
    out += fmt::format(
        "<tr><td>{}</td><td>{}<small>{}</small></td><td class=\"{}\">{}</td><td>{}</td><td "
        "class=\"n\">{}</td>"
        "<td class=\"{}\">{}<small>{}</small></td></tr>\n",
        escaped(c.safeguard), escaped(c.attack), escaped(c.fact),
        row.outcome.held && !row.error ? "yes" : "no", c.stopped, escaped(c.seen_by), c.seconds,
        row.holds() ? "yes" : "no", c.verdict, escaped(row.problem()));
  }
  out += "</table>\n</html>\n";
  return out;
}

}  // namespace gatehouse::drill
