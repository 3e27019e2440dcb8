// The application layer of one flow: protocol detection, then the session that parses it.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/recycled.h"
#include "ids/parsers/parser.h"

namespace gatehouse::ids {

// Index into detection_event_names().
enum DetectionEvent : AppEvent {
  kMismatchProtocolBothDirections,
  kWrongDirectionFirstData,
  kDetectProtocolOnlyOneDirection,
  kProtoDetectionSkipped,
  kNoTlsAfterStarttls,
  kUnexpectedProtocol,
  kDetectionEventCount,
};

// Hangs on Flow::app. Created by AppLayer on the first payload.
class AppFlow : public FlowAttachment, public core::Recycled<AppFlow> {
 public:
  AppProto proto = kAppUnknown;     // what the flow was decided to be
  AppProto original = kAppUnknown;  // what it was before an upgrade (EVE app_proto_orig)
  std::array<AppProto, 2>
      detected{};  // what each direction looked like (app_proto_ts, app_proto_tc); kAppFailed: like nothing
  std::unique_ptr<Session> session;                  // null until detected, and after detection failed
  std::vector<AppEvent> detection_events;            // DetectionEvent, each at most once
  std::size_t events_logged = 0;                     // of detection_events: kept by the engine
  std::array<bool, 2> stopped{};                     // the session refused to go on in this direction
  std::array<std::vector<std::uint8_t>, 2> pending;  // bytes seen before detection, capped

  // Kept by AppLayer.
  std::array<bool, 2> searched{};  // detection is over in this direction
  std::array<bool, 2> ended{};
  AppTransport transport = AppTransport::tcp;
  std::optional<Direction> first_direction;  // who spoke first
  std::string_view expected;                 // after an upgrade: the parser that must be found
  std::unique_ptr<Session> heir;             // what takes over when it is found
};

inline AppFlow* app_flow(const Flow& flow) {
  return static_cast<AppFlow*>(flow.app.get());
}

// Feeds flows to sessions. One per worker; immutable configuration.
class AppLayer {
 public:
  explicit AppLayer(const ParserConfig& config);

  // Do the rules look at SSH fingerprints? Counts where the configuration leaves it open; for flows
  // that begin from now on.
  void ask_for_hassh(bool asked);

  // Has a session announced flows that did not come yet?
  bool expects_flows() const { return !config_.expected_flows->empty(); }

  // TCP: chunks in order from reassembly (data, gap, end).
  void on_stream(Flow& flow, const StreamChunk& chunk, std::int64_t time_us);
  // UDP: one datagram.
  void on_datagram(Flow& flow, Direction direction, ByteView data, std::int64_t time_us);
  // The flow ends: close whatever is open.
  void on_flow_end(Flow& flow);
  // What rules and configuration ask of files, for flows that begin from now on.
  void use_file_policy(std::shared_ptr<const FilePolicy> policy) { file_policy_ = std::move(policy); }
  // Drops transactions that are complete in both directions, logged and inspected, from the front.
  // To be called once a packet is inspected.
  static void drop_finished(Flow& flow);

 private:
  // One parser as configured. `ports` are for configuration; a search asks on_ports().
  struct Candidate {
    AppProto proto = kAppUnknown;
    const ParserDescriptor* parser = nullptr;
    std::array<std::vector<std::uint16_t>, 2> ports;  // [0]: TCP, [1]: UDP
    unsigned transports = 0;                          // bits of AppTransport
    bool detection_only = false;
  };
  struct Search {
    AppProto proto = kAppUnknown;
    bool undecided = false;  // a parser needs more bytes
  };

  // Which candidates have `port` among their ports; by transport as Candidate::ports.
  using PortMask = std::bitset<256>;
  void note_ports();
  PortMask on_port(std::size_t transport, std::uint16_t port) const;

  AppFlow& attach(Flow& flow, AppTransport transport, std::int64_t time_us);
  std::unique_ptr<Session> make_session(const ParserDescriptor& parser, AppTransport transport) const;
  // The flow was announced: its protocol is known.
  void begin_expected(AppFlow& app, const ExpectedFlow& expected) const;
  // Passes on what the session announced.
  void announce(const Flow& flow, AppFlow& app, std::int64_t time_us);
  Search search(const Flow& flow, AppTransport transport, Direction direction, ByteView data) const;
  void feed(Flow& flow, AppFlow& app, Direction direction, ByteView data, std::int64_t time_us);
  void detect(Flow& flow, AppFlow& app, Direction direction, std::int64_t time_us, bool final);
  void found(AppFlow& app, Direction direction, AppProto proto, std::int64_t time_us);
  void not_found(AppFlow& app, Direction direction);
  void deliver(AppFlow& app, Direction direction, ByteView data, std::int64_t time_us);
  void rename(AppFlow& app) const;
  void deliver_pending(AppFlow& app, std::int64_t time_us);
  void try_upgrade(Flow& flow, AppFlow& app, std::int64_t time_us);

  ParserConfig config_;
  const bool hassh_by_rules_;
  std::shared_ptr<const FilePolicy> file_policy_;
  std::vector<Candidate> candidates_;
  struct PortUse {
    std::uint16_t port = 0;
    std::uint16_t candidate = 0;
  };
  std::array<std::vector<PortUse>, 2> port_uses_;           // sorted by port
  std::array<std::vector<std::uint16_t>, 2> by_transport_;  // the candidates of each
};

// The vocabulary of AppFlow::detection_events, as EVE anomaly.event writes it.
std::span<const std::string_view> detection_event_names();

}  // namespace gatehouse::ids
