#include "soc/spool/event.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace gatehouse::soc {

std::string_view to_string(EventClass event_class) {
  switch (event_class) {
    case EventClass::stats:
      return "stats";
    case EventClass::flow:
      return "flow";
    case EventClass::transaction:
      return "transaction";
    case EventClass::anomaly:
      return "anomaly";
    case EventClass::activity:
      return "activity";
    case EventClass::alert:
      return "alert";
  }
  return "?";
}

EventClass classify(std::string_view line) {
  // Inside a JSON string a quote is escaped, so this text can only be a real key; EVE has it at the
  // top level only.
  constexpr std::string_view kKey = "\"event_type\":";
  std::size_t at = line.find(kKey);
  if (at == std::string_view::npos) return EventClass::transaction;
  at = line.find_first_not_of(' ', at + kKey.size());
  if (at == std::string_view::npos || line[at] != '"') return EventClass::transaction;
  const std::string_view rest = line.substr(at + 1);
  const std::string_view type = rest.substr(0, rest.find('"'));
  static constexpr std::pair<std::string_view, EventClass> kTypes[] = {
      {"alert", EventClass::alert},      {"flow", EventClass::flow},       {"netflow", EventClass::flow},
      {"stats", EventClass::stats},      {"anomaly", EventClass::anomaly}, {"drop", EventClass::activity},
      {"activity", EventClass::activity}};
  for (const auto& [name, event_class] : kTypes) {
    if (type == name) return event_class;
  }
  return EventClass::transaction;
}

std::string EventId::to_string() const {
  return fmt::format("{:016x}-{}", instance, sequence);
}

std::optional<EventId> EventId::parse(std::string_view text) {
  if (text.size() < 18 || text.size() > 37 || text[16] != '-') return std::nullopt;
  EventId id;
  const char* const end = text.data() + text.size();
  const auto a = std::from_chars(text.data(), text.data() + 16, id.instance, 16);
  const auto b = std::from_chars(text.data() + 17, end, id.sequence);
  if (a.ec != std::errc{} || a.ptr != text.data() + 16 || b.ec != std::errc{} || b.ptr != end)
    return std::nullopt;
  return id;
}

}  // namespace gatehouse::soc
