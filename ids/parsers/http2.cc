// HTTP/2 over clear text: RFC 9113.
#include <algorithm>

#include "ids/parsers/http2_events.h"
#include "ids/parsers/http2_session.h"

namespace gatehouse::ids {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// A server begins with its settings (RFC 9113 3.4).
ProbeVerdict probe_settings(ByteView data) {
  if (data.size() >= 4 && data[3] != static_cast<std::uint8_t>(http2::FrameType::settings))
    return ProbeVerdict::no;
  if (!data.empty() && data[0] != 0) return ProbeVerdict::no;
  if (data.size() < http2::kFrameHeaderBytes) return ProbeVerdict::maybe;
  std::array<std::uint8_t, http2::kFrameHeaderBytes> head{};
  std::copy_n(data.begin(), head.size(), head.begin());
  const http2::Frame frame = http2::parse_frame_header(head);
  const bool fits = frame.stream == 0 && !frame.reserved && frame.length <= 16384 && frame.length % 6 == 0 &&
                    (frame.flags & ~http2::kFlagAck) == 0;
  return fits ? ProbeVerdict::yes : ProbeVerdict::no;
}

ProbeVerdict probe(ByteView data, Direction direction, AppTransport /*transport*/) {
  if (direction == Direction::to_client) return probe_settings(data);
  const std::size_t count = std::min(data.size(), kPreface.size());
  if (core::as_text(data.first(count)) != kPreface.substr(0, count)) return ProbeVerdict::no;
  // The first line tells it; what follows it may be wrong, and is an event then.
  constexpr std::size_t kFirstLine = 16;
  return count >= kFirstLine ? ProbeVerdict::yes : ProbeVerdict::maybe;
}

std::unique_ptr<Session> make_session(const ParserConfig& config, AppTransport /*transport*/) {
  return std::make_unique<http2::Http2Session>(config.http, config.http2);
}

bool ready_to_log(const Transaction& tx) {
  return tx.progress[0] == kHttpComplete && tx.progress[1] == kHttpComplete;
}

}  // namespace

extern const ParserDescriptor parser_http2;
const ParserDescriptor parser_http2 = {
    .name = "http2",
    .event_type = "http",
    .spec = "RFC 9113",
    .transport = AppTransport::tcp,
    .default_ports = {},
    .probe = probe,
    .make_session = make_session,
    .complete = {kHttpComplete, kHttpComplete},
    .event_names = http2::kHttp2EventNames,
    .first_data = std::nullopt,
    .any_order = true,
    .write_log = http2::write_http2_log,
    .log_records = http2::http2_log_records,
    .ready_to_log = ready_to_log,
};

}  // namespace gatehouse::ids
