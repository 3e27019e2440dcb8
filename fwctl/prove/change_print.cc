#include <fmt/format.h>

#include "core/json.h"
#include "fwctl/prove/change.h"

namespace gatehouse::fwctl::prove {
namespace {

std::string_view heading(Shift::Kind kind) {
  switch (kind) {
    case Shift::Kind::opened:
      return "becomes reachable";
    case Shift::Kind::closed:
      return "is no longer reachable";
    case Shift::Kind::limited:
      return "stays reachable, at another rate";
    case Shift::Kind::answered:
      return "stays unreachable, but the sender is told, or no longer told";
    case Shift::Kind::proxied:
      return "is answered by the SYN proxy from now on: the gatehouse in the host's place";
    case Shift::Kind::unproxied:
      return "is no longer answered by the SYN proxy, but by the host";
    case Shift::Kind::reworded:
      return "stays answered by the SYN proxy, in other words";
    case Shift::Kind::undecided:
      break;
  }
  return "cannot be decided: rules that this version does not know decide about it";
}

std::string families(const Shift& s) {
  return s.families.size() == 2 ? "IPv4 and IPv6" : s.families[0] == 4 ? "IPv4" : "IPv6";
}
std::string fate(const Trace& trace) {
  std::string out = trace.verdict == kAccept ? "accept" : trace.verdict == kDrop ? "drop" : "reject";
  if (!trace.steps.empty()) out += ", " + trace.steps.back().to_string();
  return out;
}

void shift_json(core::JsonWriter& json, const Shift& s) {
  const auto list = [&](const char* name, const std::vector<std::string>& all) {
    json.key(name).begin_array();
    for (const std::string& x : all) json.string(x);
    json.end_array();
  };
  json.begin_object().field("change", to_string(s.kind)).field("from", s.from).field("to", s.to);
  json.key("families").begin_array();
  for (const std::uint8_t f : s.families) json.number(static_cast<unsigned>(f));
  json.end_array().field("new_connections", s.begins);
  list("what", s.what);
  list("sources", s.sources);
  list("destinations", s.destinations);
  json.field("packet", s.packet.to_string()).field("before", fate(s.before)).field("after", fate(s.after));
  json.end_object();
}

}  // namespace

std::string_view to_string(Shift::Kind kind) {
  switch (kind) {
    case Shift::Kind::opened:
      return "opened";
    case Shift::Kind::closed:
      return "closed";
    case Shift::Kind::limited:
      return "limited";
    case Shift::Kind::answered:
      return "answered";
    case Shift::Kind::proxied:
      return "proxied";
    case Shift::Kind::unproxied:
      return "unproxied";
    case Shift::Kind::reworded:
      return "reworded";
    case Shift::Kind::undecided:
      break;
  }
  return "undecided";
}

std::string print_change(const Change& change) {
  std::string out;
  const Shift* last = nullptr;
  for (const Shift& s : change.shifts) {
    if (last == nullptr || last->kind != s.kind) out += fmt::format("{}:\n", heading(s.kind));
    last = &s;
    out += fmt::format("  {} to {}: {} ({}{})\n", s.from, s.to, fmt::join(s.what, ", "), families(s),
                       s.begins ? "" : "; packets of known connections");
    if (!s.sources.empty()) out += fmt::format("    from {}\n", fmt::join(s.sources, ", "));
    if (!s.destinations.empty()) out += fmt::format("    to {}\n", fmt::join(s.destinations, ", "));
    out += fmt::format("    packet  {}\n    before  {}\n    after   {}\n", s.packet.to_string(),
                       fate(s.before), fate(s.after));
  }
  for (const std::string& g : change.gaps) out += "cannot compare: " + g + '\n';
  return out;
}

void append_change_json(std::string& out, const Change& change) {
  core::JsonWriter json(out);
  json.begin_object().key("shifts").begin_array();
  for (const Shift& s : change.shifts) shift_json(json, s);
  json.end_array().key("cannot_compare").begin_array();
  for (const std::string& g : change.gaps) json.string(g);
  json.end_array().field("seconds", change.seconds).end_object();
}

}  // namespace gatehouse::fwctl::prove
