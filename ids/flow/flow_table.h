// All flows of one worker: found by 5-tuple, bounded in memory, ended by time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "ids/flow/flow.h"

namespace gatehouse::ids {

// Seconds without a packet after which a flow in this state ends.
struct StateTimeouts {
  std::uint32_t fresh = 30, established = 300, closed = 0;
};

struct FlowTimeouts {
  StateTimeouts other{30, 300, 0}, tcp{60, 600, 60}, udp{30, 300, 0}, icmp{30, 300, 0};
  StateTimeouts emergency_other{10, 100, 0}, emergency_tcp{10, 100, 20}, emergency_udp{10, 100, 0},
      emergency_icmp{10, 100, 0};
};

struct FlowTableOptions {
  std::uint64_t memcap_bytes = 128U << 20U;  // of the table itself; attachments are their owners' concern
  FlowTimeouts timeouts;
  bool use_vlan = true;          // equal 5-tuples in different VLANs are different flows
  bool use_tunnel_depth = true;  // decoder.recursion-level.use-for-tracking
  std::uint64_t hash_seed = 0;   // 0: random. Anything else is for tests
  std::uint8_t worker = 0;       // keeps ids of several workers apart
};

struct FlowTableCounters {
  std::uint64_t total = 0, active = 0;
  std::uint64_t tcp = 0, udp = 0, icmpv4 = 0, icmpv6 = 0, other = 0;  // flows created
  std::uint64_t memuse = 0;
  std::uint64_t memcap = 0;  // packets left without a flow because the table was full
  std::uint64_t evicted_fresh = 0, evicted_established = 0, evicted_closed = 0;
  std::uint64_t timed_out = 0, tcp_reuse = 0;
  std::uint64_t finished = 0;  // ended by finish(): total = active + all the ways to end
  std::uint64_t emerg_mode_entered = 0, emerg_mode_over = 0;
};

class FlowEndHandler {
 public:
  virtual ~FlowEndHandler() = default;
  // flow.end_reason is set. The flow is destroyed after the return. Must not call the table.
  virtual void on_flow_end(Flow& flow) = 0;
};

class FlowTable {
 public:
  // `handler` must outlive the table.
  FlowTable(FlowTableOptions options, FlowEndHandler& handler);
  ~FlowTable();  // destroys what finish() left, without callbacks
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  // Finds or creates the flow of `packet`, counts the packet on it, and sets packet.direction and
  // packet.established. Null: not a packet that belongs to a flow (not IP, a fragment, a cut
  // transport header, an ICMP error about an unknown flow) or no room. May end other flows (time-out,
  // eviction, TCP reuse). The pointer stays valid until the flow ends.
  Flow* handle(Packet& packet);
  // To be called after the layers above may have changed flow.state (TcpTracker does change it).
  void update(Flow& flow);
  // Ends the TCP flow that has been half open longest, for one that needs its session's room. False
  // when there is none but `keep`.
  bool end_oldest_half_open(const Flow& keep);
  // Ends every flow whose time is over at `now_us`. handle() does this too, as packets come.
  void expire(std::int64_t now_us);
  // Ends all flows, oldest first (FlowEndReason::shutdown at the end of a capture).
  void finish(FlowEndReason reason);

  const FlowTableCounters& counters() const;
  bool emergency() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// "new", "established", "closed"; "timeout", "forced", ...: as EVE writes them.
std::string_view to_string(FlowState state);
std::string_view to_string(FlowEndReason reason);

// The packet that stands in for the last one of `direction` when a flow ends: origin flow_end, no
// payload, number 0.
Packet make_flow_end_packet(const Flow& flow, Direction direction, std::int64_t time_us);

}  // namespace gatehouse::ids
