// RFC 5424 messages in RFC 5425 frames.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "soc/sinks/sink.h"

namespace gatehouse::soc {

// Facility local0. Severity by alert.severity: 1 critical, 2 error, 3 warning, 4 notice; anomalies
// are notices, all other events informational.
int syslog_priority(EventClass event_class, std::uint64_t alert_severity);

// "2026-11-21T20:30:00.123456+0000" to "...+00:00"; empty when it is not of that form.
std::string rfc5424_timestamp(std::string_view eve_timestamp);

// RFC 5424 6.3.3: quote, backslash and ] are escaped; at most `most_bytes` of the value are taken.
void append_sd_param(std::string& out, std::string_view name, std::string_view value,
                     std::size_t most_bytes = 128);

// Appends the frame `LEN SP MSG`; MSG has at most `most_bytes`.
void append_event_frame(std::string& out, const Event& event, std::string_view stream,
                        std::string_view host_name, std::size_t most_bytes);
void append_heartbeat_frame(std::string& out, const StreamMark& mark, std::string_view host_name);

}  // namespace gatehouse::soc
