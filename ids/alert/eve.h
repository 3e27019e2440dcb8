// EVE JSON: one event, one line. Knows values, not the engine: the caller fills plain records and
// hands over protocol objects as ready JSON text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ip.h"
#include "core/json.h"

namespace gatehouse::ids::alert {

// What every event but stats carries. Endpoints in the order the event type asks for.
struct EventHeader {
  std::int64_t time_us = 0;
  std::string_view event_type;
  core::IpAddress source, destination;  // version 0: not written
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint8_t protocol = 0;
  bool has_ports = false;
  std::uint8_t icmp_type = 0, icmp_code = 0;
  bool has_icmp = false;
  // Of a flow: what the other side answered with.
  bool has_icmp_response = false;
  std::uint8_t icmp_response_type = 0, icmp_response_code = 0;
  std::optional<std::uint32_t> spi;  // ESP
  std::uint64_t flow_id = 0;         // 0: no flow
  std::uint64_t pcap_cnt = 0;        // 0: live
  std::span<const std::uint16_t> vlan;
  std::string_view pkt_src;  // "wire/pcap"; empty: not written
  std::string_view in_iface;
  std::string_view app_proto;
  std::string_view direction;  // alert only: "to_server"
  std::optional<std::uint64_t> tx_id;
  // Link addresses of the packet; written when EveOptions::ethernet. Null: not known.
  const std::array<std::uint8_t, 6>* ether_source = nullptr;
  const std::array<std::uint8_t, 6>* ether_destination = nullptr;
  std::uint16_t ether_type = 0;  // 0: not written
};

struct AlertFields {
  std::string_view action = "allowed";
  std::uint32_t gid = 1, sid = 0, rev = 0;
  std::string_view signature, category;
  std::uint8_t severity = 3;
  std::span<const std::pair<std::string, std::string>* const> metadata;
  std::optional<bool> target_is_source;
  std::string_view forwarded_for = {};  // the client behind a proxy; empty: not written
  std::string_view context = {};        // members of an object, JSON; empty: not written
};

struct FlowFields {
  std::uint64_t packets_to_server = 0, packets_to_client = 0, bytes_to_server = 0, bytes_to_client = 0;
  std::int64_t start_us = 0, end_us = 0;
  std::string_view state, reason;
  bool alerted = false;
  std::string_view action;              // "drop", "pass"; empty: not acted on
  std::uint64_t transactions = 0;       // 0: not written
  std::string_view exception_target;    // "stream_midstream": what its start was exempt from; empty: nothing
  core::IpAddress source, destination;  // initiator first
  std::uint16_t source_port = 0, destination_port = 0;
  bool has_ports = false;
};

struct TcpFields {
  std::uint8_t flags_to_server = 0, flags_to_client = 0;  // union of the flags seen
  std::string_view state;
  // Parts the bytes of a direction were held in, at most, because much was missing between them.
  unsigned regions_to_server = 1, regions_to_client = 1;
};

// One direction of a flow.
struct NetflowFields {
  std::uint64_t packets = 0, bytes = 0;
  std::int64_t start_us = 0, end_us = 0;
  std::uint8_t min_ttl = 0, max_ttl = 0;
};

// The packet an alerting packet travelled in.
struct TunnelFields {
  core::IpAddress source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
  bool has_ports = false;
  std::uint8_t protocol = 0;
  std::uint8_t depth = 0;
  std::uint64_t pcap_cnt = 0;  // 0: live
  std::string_view pkt_src;
};

struct AnomalyFields {
  std::string_view type;  // "decode", "stream", "applayer"
  std::string_view event;
  std::string_view layer;           // "proto_parser", "proto_detect"; empty: not written
  std::string_view app_proto = {};  // applayer only
};

// Bytes that an alert may carry, as the options ask.
struct PayloadFields {
  core::ByteView payload;  // reassembled or of the packet
  core::ByteView frame;    // of the packet
  bool from_stream = false;
  int link_type = 1;
  std::string_view link_name;  // "EN10MB"
};

// What a scan or flood detector says about its event.
struct DetectionFields {
  std::string_view klass;  // "scan.syn.vertical"
  std::span<const core::IpAddress> sources, targets;
  std::uint64_t sources_total = 0, targets_total = 0;                    // may be more than listed
  std::span<const std::pair<std::string_view, std::uint64_t>> evidence;  // "unanswered" -> 17
  std::span<const std::pair<std::string_view, std::uint64_t>> limits;    // what of it had to be reached
  std::int64_t window_us = 0;                                            // time the evidence spans
  double confidence = 0;                                                 // 0 .. 1
  std::uint32_t update = 0;                  // 0: first event of this attack, then counting up
  std::string_view phase;                    // "start", "update", "end"
  std::uint64_t id = 0;                      // the same for all events of one attack
  std::int64_t first_us = 0, last_us = 0;    // of the evidence
  std::string_view reason;                   // one sentence
  std::string_view technique;                // MITRE ATT&CK; empty: none
  bool spoofable = true;                     // the sources may be forged
  std::string source_prefix, target_prefix;  // the network all sources (targets) are of; empty: none
};

// Rows of alert.metadata; a name may come several times: its values become one array.
using MetadataRows = std::vector<std::pair<std::string, std::string>>;
// The same as the `detection` object, in words, for receivers whose schema is closed: gatehouse_class,
// gatehouse_sources ...
void append_detection(MetadataRows& rows, const DetectionFields& fields);

struct EveOptions {
  std::string host;  // sensor name; empty: not written
  bool community_id = true;
  std::uint16_t community_id_seed = 0;
  bool payload = false, payload_printable = false, payload_length = false, packet = false;
  bool ethernet = false;
};

// "1:" + base64(sha1(...)), see the Community ID specification v1.
struct CommunityId {
  std::array<char, 30> bytes;
  std::string_view text() const { return {bytes.data(), bytes.size()}; }
};
// None when it does not apply.
std::optional<CommunityId> community_id(const EventHeader& header, std::uint16_t seed);

}  // namespace gatehouse::ids::alert
