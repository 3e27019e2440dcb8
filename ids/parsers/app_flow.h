// The application layer of one flow: protocol detection, then the session that parses it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "ids/parsers/parser.h"

namespace gatehouse::ids {

// Hangs on Flow::app. Created by AppLayer on the first payload.
class AppFlow : public FlowAttachment {
 public:
  AppProto proto = kAppUnknown;        // what the flow was decided to be
  std::array<AppProto, 2> detected{};  // what each direction looked like
  std::unique_ptr<Session> session;    // null until detected, and after detection failed
  std::vector<AppEvent>
      detection_events;           // app_proto vocabulary: APPLAYER_MISMATCH_PROTOCOL_BOTH_DIRECTIONS, ...
  std::size_t events_logged = 0;   // of detection_events: kept by the engine
  std::array<bool, 2> stopped{};  // the session refused to go on in this direction
  std::array<std::vector<std::uint8_t>, 2> pending;  // bytes seen before detection, capped
};

inline AppFlow* app_flow(const Flow& flow) {
  return static_cast<AppFlow*>(flow.app.get());
}

// Feeds flows to sessions. One per worker; immutable configuration.
class AppLayer {
 public:
  explicit AppLayer(const ParserConfig& config);

  // TCP: chunks in order from reassembly (data, gap, end).
  void on_stream(Flow& flow, const StreamChunk& chunk, std::int64_t time_us);
  // UDP: one datagram.
  void on_datagram(Flow& flow, Direction direction, ByteView data, std::int64_t time_us);
  // The flow ends: close whatever is open.
  void on_flow_end(Flow& flow);
  // Drops transactions that are complete in both directions, logged, and inspected.
  static void drop_finished(Flow& flow);

 private:
  ParserConfig config_;
};

// The vocabulary of AppFlow::detection_events, as EVE anomaly.event writes it.
std::span<const std::string_view> detection_event_names();

}  // namespace gatehouse::ids
