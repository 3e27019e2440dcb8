// Configuration and counters of TCP tracking.
#pragma once

#include <cstdint>

#include "ids/flow/os_policy.h"

namespace gatehouse::ids {

// What becomes of the byte that an urgent pointer marks (RFC 6093): most systems take it out of the
// stream.
enum class UrgentPolicy : std::uint8_t { out_of_band, in_line };

struct TcpOptions {
  bool midstream = false;                           // pick up sessions whose handshake was not seen
  bool async_oneside = false;                       // expect to see one direction only
  std::uint64_t depth_bytes = 1U << 20U;            // per direction; 0: no limit
  std::uint64_t session_memcap_bytes = 64U << 20U;  // sessions
  std::uint64_t memcap_bytes = 256U << 20U;         // bytes held for reassembly
  std::uint64_t direction_cap_bytes = 4U << 20U;    // held at once in one direction
  unsigned max_segments = 1'024;                    // out of order, per direction
  unsigned max_synack_queued = 5;
  unsigned max_syn_queued = 10;  // SYNs with other numbers, of which one may be answered
  UrgentPolicy urgent = UrgentPolicy::out_of_band;
  bool check_overlap = true;  // compare overlapping bytes and report differences
  // Keep acknowledged bytes until TcpSession::release_inspected() says they are done with.
  bool retain_for_inspection = false;
  OsPolicyMap policies;
};

struct TcpCounters {
  std::uint64_t sessions = 0, active_sessions = 0, midstream_pickups = 0;
  std::uint64_t syn = 0, synack = 0, rst = 0;
  std::uint64_t ssn_memcap_drop = 0, ssn_from_pool = 0;
  std::uint64_t pkt_on_wrong_thread = 0;
  std::uint64_t invalid_checksum = 0, no_flow = 0;
  std::uint64_t segment_memcap_drop = 0, segment_limit_drop = 0;
  std::uint64_t stream_depth_reached = 0, reassembly_gap = 0, overlap = 0, overlap_diff_data = 0;
  std::uint64_t insert_data_normal_fail = 0, insert_data_overlap_fail = 0;
  std::uint64_t ack_unseen_data = 0;
  std::uint64_t memuse = 0, reassembly_memuse = 0;
};

}  // namespace gatehouse::ids
