// What sinks need to know of an EVE line, found in one pass without building a tree.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "soc/spool/event.h"

namespace gatehouse::soc {

// Views into the line, JSON escapes still in place; empty when absent.
struct EveFields {
  std::string_view timestamp, event_type, host, src_ip, dest_ip, community_id;
  std::optional<std::uint64_t> signature_id, severity;
  std::size_t alert_open = 0;           // offset just behind the { of `alert`; 0: no such object
  std::size_t alert_metadata_open = 0;  // the same of `alert.metadata`
  std::size_t depth = 0;                // deepest nesting
};

// Nothing when the line is not one JSON object (strings and brackets are checked, not every token).
std::optional<EveFields> scan_eve(std::string_view line);

// The alert line with `alert.metadata.gatehouse_event_id`, where the EVE schema allows it.
// Other lines come back as they are.
std::string with_id_in_alert(std::string_view line, const EveFields& fields, const EventId& id);
// The same, and other lines with a top-level `gatehouse_event_id`.
std::string with_id(std::string_view line, const EveFields& fields, const EventId& id);

// At most `most_bytes`, still one JSON object: payload, packet and bodies go first, then long
// strings, then all but what identifies the event. `removed` names what went, comma-separated; it is
// also in the line as gatehouse_truncated. For most_bytes of at least 512.
std::string shorten_line(std::string_view line, const std::optional<EveFields>& fields,
                         std::size_t most_bytes, std::string& removed);

}  // namespace gatehouse::soc
