// Builds EVE lines in a buffer of its own.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ids/alert/eve.h"

namespace gatehouse::ids::alert {

// begin(), then any members once each, then end(). Members of `object()` go through json().
class EveWriter {
 public:
  explicit EveWriter(EveOptions options);

  // Opens a line and writes the common members.
  void begin(const EventHeader& header);
  void alert(const AlertFields& fields, const EventHeader& header);
  // `flow` of an alert: the counters so far and the initiator's view of the endpoints.
  void flow_so_far(const FlowFields& fields);
  // `flow` of a flow event: with its end.
  void flow(const FlowFields& fields);
  void tcp(const TcpFields& fields);
  void netflow(const NetflowFields& fields);
  // `tcp` of a netflow event: one direction's flags.
  void tcp_one_way(std::uint8_t flags);
  void tunnel(const TunnelFields& fields);
  // `ether` of a flow event: every address seen.
  void ether_lists(std::span<const std::array<std::uint8_t, 6>> sources,
                   std::span<const std::array<std::uint8_t, 6>> destinations);
  void anomaly(const AnomalyFields& fields);
  void detection(const DetectionFields& fields);
  // payload, payload_printable, packet: what the options ask for.
  void payload(const PayloadFields& fields);
  // The raw packet, whatever the options say.
  void packet(const PayloadFields& fields);
  // A member whose value the caller writes through the result: one complete JSON value.
  core::JsonWriter& member(std::string_view name);
  // Closes the line; with its LF. The view lives until the next begin().
  std::string_view end();

  // A whole stats line; `write` fills the members of the `stats` object.
  template <class Write>
  std::string_view stats(std::int64_t time_us, Write&& write) {
    begin_stats(time_us);
    write(*json_);
    json_->end_object();
    return end();
  }

  const EveOptions& options() const { return options_; }

 private:
  void begin_stats(std::int64_t time_us);
  void open(std::int64_t time_us);
  void time_member(core::JsonName name, std::int64_t time_us);
  void address_member(core::JsonName name, const core::IpAddress& address);
  void protocol_member(std::uint8_t protocol);
  void flow_counters(const FlowFields& fields);
  void hex_member(core::JsonName name, std::uint8_t value);
  void mac_list(std::string_view name, std::span<const std::array<std::uint8_t, 6>> addresses);
  void base64_member(core::JsonName name, core::ByteView data);
  void address_list(std::string_view name, std::span<const core::IpAddress> addresses);

  EveOptions options_;
  std::string line_;
  std::string scratch_;
  std::optional<core::JsonWriter> json_;  // rebuilt for each line: keeps its comma state
};

// "syn": true and so on, only for the bits that are set.
void append_flag_names(core::JsonWriter& json, std::uint8_t tcp_flags);

}  // namespace gatehouse::ids::alert
