#include "soc/sinks/syslog_message.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "core/os.h"
#include "soc/sinks/eve_line.h"

namespace gatehouse::soc {

namespace {

constexpr int kFacilityLocal0 = 16;
// The number of RFC 5612, set aside for documentation and private use without registration.
constexpr std::string_view kSdId = "gatehouse@32473";

// A header field or "-". RFC 5424 6 allows all printable ASCII; what names and addresses are made of
// cannot confuse a receiver that parses loosely.
std::string header_field(std::string_view text, std::size_t most) {
  std::string out;
  for (const char c : text.substr(0, most)) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || c == '-' || c == '.' || c == '_' || c == ':') out += c;
  }
  return out.empty() ? "-" : out;
}

void append_header(std::string& out, int priority, std::string_view timestamp, std::string_view host,
                   std::string_view message_id) {
  out += fmt::format("<{}>1 {} {} gatehouse {} {} ", priority, timestamp, header_field(host, 255), ::getpid(),
                     header_field(message_id, 32));
}

void append_frame(std::string& out, std::string_view message) {
  out += fmt::format("{} ", message.size());
  out += message;
}

}  // namespace

int syslog_priority(EventClass event_class, std::uint64_t alert_severity) {
  int severity = 6;
  if (event_class == EventClass::alert)
    severity = static_cast<int>(std::clamp<std::uint64_t>(alert_severity, 1, 4)) + 1;
  if (event_class == EventClass::anomaly) severity = 5;
  return kFacilityLocal0 * 8 + severity;
}

std::string rfc5424_timestamp(std::string_view eve) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd.dddddd+dddd";
  if (eve.size() != kForm.size()) return {};
  for (std::size_t i = 0; i < eve.size(); ++i) {
    const bool ok = kForm[i] == 'd'   ? eve[i] >= '0' && eve[i] <= '9'
                    : kForm[i] == '+' ? eve[i] == '+' || eve[i] == '-'
                                      : eve[i] == kForm[i];
    if (!ok) return {};
  }
  return fmt::format("{}:{}", eve.substr(0, 29), eve.substr(29));
}

void append_sd_param(std::string& out, std::string_view name, std::string_view value,
                     std::size_t most_bytes) {
  if (value.empty()) return;
  out += fmt::format(" {}=\"", name);
  for (const char c : value.substr(0, most_bytes)) {
    if (c == '"' || c == '\\' || c == ']') out += '\\';
    // Views are raw JSON text; a byte outside ASCII may be half a character after the cut.
    if (static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7F) out += c;
  }
  out += '"';
}

void append_event_frame(std::string& out, const Event& event, std::string_view stream,
                        std::string_view host_name, std::size_t most_bytes) {
  const auto scanned = scan_eve(event.line);
  const EveFields fields = scanned.value_or(EveFields{});
  std::string timestamp = rfc5424_timestamp(fields.timestamp);
  if (timestamp.empty()) timestamp = core::rfc3339(event.appended_us);
  const auto head = [&](std::string_view removed) {
    std::string text;
    append_header(text, syslog_priority(event.event_class, fields.severity.value_or(3)), timestamp,
                  fields.host.empty() ? host_name : fields.host, fields.event_type);
    text += fmt::format("[{} id=\"{}\" stream=\"{}\" seq=\"{}\"", kSdId, event.id.to_string(), stream,
                        event.id.sequence);
    if (event.skipped > 0) text += fmt::format(" dropped=\"{}\"", event.skipped);
    if (fields.signature_id) text += fmt::format(" sid=\"{}\"", *fields.signature_id);
    if (fields.severity) text += fmt::format(" severity=\"{}\"", *fields.severity);
    append_sd_param(text, "src", fields.src_ip, 45);
    append_sd_param(text, "dst", fields.dest_ip, 45);
    append_sd_param(text, "community_id", fields.community_id, 64);
    append_sd_param(text, "truncated", removed);
    text += "] ";
    return text;
  };
  std::string message = head("");
  message += with_id_in_alert(event.line, fields, event.id);
  if (message.size() > most_bytes) {
    // Room for the head with the longest list of what went, and the identity inside the line.
    const std::size_t rest = most_bytes - std::min(most_bytes, head(std::string(128, 'x')).size() + 64);
    std::string removed;
    const std::string line = shorten_line(event.line, scanned, rest, removed);
    message = head(removed) + with_id_in_alert(line, scan_eve(line).value_or(EveFields{}), event.id);
  }
  append_frame(out, message);
}

void append_heartbeat_frame(std::string& out, const StreamMark& mark, std::string_view host_name) {
  std::string message;
  const std::int64_t now = core::wall_clock_us();
  append_header(message, kFacilityLocal0 * 8 + 6, core::rfc3339(now), host_name, "heartbeat");
  message += fmt::format("[{} stream=\"{}\" last=\"{}\" seq=\"{}\" lost=\"{}\" dropped=\"{}\"] ", kSdId,
                         mark.stream, mark.last.to_string(), mark.last.sequence, mark.lost, mark.dropped);
  std::string timestamp;
  core::append_eve_timestamp(timestamp, now);
  message += fmt::format("{{\"timestamp\":\"{}\",\"event_type\":\"stats\",\"stats\":{{\"uptime\":{}}}}}",
                         timestamp, core::monotonic_us() / 1'000'000);
  append_frame(out, message);
}

}  // namespace gatehouse::soc
