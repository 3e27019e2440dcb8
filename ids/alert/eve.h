// EVE JSON: one event, one line. Knows values, not the engine: the caller fills plain records and
// hands over protocol objects as ready JSON text.
#pragma once

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
  std::uint64_t flow_id = 0;            // 0: no flow
  std::uint64_t pcap_cnt = 0;           // 0: live
  std::span<const std::uint16_t> vlan;
  std::string_view pkt_src;             // "wire/pcap"; empty: not written
  std::string_view in_iface;
  std::string_view app_proto;
  std::string_view direction;           // alert only: "to_server"
  std::optional<std::uint64_t> tx_id;
};

struct AlertFields {
  std::string_view action = "allowed";
  std::uint32_t gid = 1, sid = 0, rev = 0;
  std::string_view signature, category;
  std::uint8_t severity = 3;
  std::span<const std::pair<std::string, std::string>> metadata;
  std::optional<bool> target_is_source;
};

struct FlowFields {
  std::uint64_t packets_to_server = 0, packets_to_client = 0, bytes_to_server = 0, bytes_to_client = 0;
  std::int64_t start_us = 0, end_us = 0;
  std::string_view state, reason;
  bool alerted = false;
  core::IpAddress source, destination;  // initiator first
  std::uint16_t source_port = 0, destination_port = 0;
};

struct EveOptions {
  std::string host;                     // sensor name; empty: not written
  bool community_id = true;
  std::uint16_t community_id_seed = 0;
  bool payload = false, payload_printable = false, packet = false;
  bool ethernet = false;
};

// "1:" + base64(sha1(...)), see the Community ID specification v1; empty when it does not apply.
std::string community_id(const EventHeader& header, std::uint16_t seed);

}  // namespace gatehouse::ids::alert
