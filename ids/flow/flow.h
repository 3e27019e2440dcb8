// A flow: both directions of one conversation, and what the layers above keep about it.
// Owned by the flow table of one worker; never shared between workers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ids/decode/packet.h"

namespace gatehouse::ids {

// The 5-tuple as the initiator sent it, plus what keeps equal tuples apart.
struct FlowKey {
  IpAddress client, server;
  std::uint16_t client_port = 0, server_port = 0;  // ICMP: type/code of the pair, see flow/NOTES.md
  std::uint8_t protocol = 0;
  std::uint8_t tunnel_depth = 0;
  std::array<std::uint16_t, 3> vlan{};

  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

enum class FlowState : std::uint8_t { fresh, established, closed };  // EVE: new, established, closed
enum class FlowEndReason : std::uint8_t { none, timeout, forced, shutdown, tcp_reuse };

// State of the TCP session as EVE `tcp.state` names it.
enum class TcpState : std::uint8_t {
  none,
  syn_sent,
  syn_recv,
  established,
  fin_wait1,
  fin_wait2,
  time_wait,
  last_ack,
  close_wait,
  closing,
  closed
};

struct DirectionCounters {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  // wire bytes
};

// State that a later layer hangs on a flow; destroyed with it.
class FlowAttachment {
 public:
  virtual ~FlowAttachment() = default;
};

class TcpSession;  // flow/tcp.h

// What few flows have. A flood makes flows by the million: what it does not need costs it one pointer.
struct FlowExtras {
  std::unique_ptr<FlowAttachment> facts;      // engine: what some events tell besides
  std::unique_ptr<FlowAttachment> captures;   // what regexes took: keywords/captures.h
  std::unique_ptr<FlowAttachment> variables;  // state/flow_variables.h: flowints, tags
  std::vector<std::uint32_t> flowbits;        // ids of the set bits, sorted
};

struct Flow {
  FlowKey key;
  std::uint64_t id = 0;  // nonzero, below 2^51, unique per flow instance: EVE flow_id
  std::int64_t first_us = 0, last_us = 0;
  std::array<DirectionCounters, 2> counters;  // by index(Direction)
  FlowState state = FlowState::fresh;
  FlowEndReason end_reason = FlowEndReason::none;
  bool alerted = false;
  bool pass = false;  // a pass rule matched: no more alerts
  bool drop = false;
  bool bypassed = false;  // a rule wants no more of it: neither parsed nor inspected

  std::uint8_t ip_version = 0;
  // ICMP only: type and code of the first packet of each direction.
  std::array<std::uint8_t, 2> icmp_type{}, icmp_code{};

  // TCP only.
  std::array<std::uint8_t, 2> tcp_flags{};  // union of the flags seen, per direction
  std::unique_ptr<TcpSession> tcp;

  std::unique_ptr<FlowAttachment> app;     // parsers: ids/parsers/app_flow.h
  std::unique_ptr<FlowAttachment> detect;  // match: per-flow detection state
  std::unique_ptr<FlowExtras> extras;      // usually absent

  FlowExtras& extra() {
    if (extras == nullptr) extras = std::make_unique<FlowExtras>();
    return *extras;
  }
  std::span<const std::uint32_t> flowbits() const {
    return extras == nullptr ? std::span<const std::uint32_t>{} : std::span(extras->flowbits);
  }

  Flow();
  ~Flow();
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  Direction direction_of(const Packet& packet) const {
    return packet.source == key.client && packet.source_port == key.client_port &&
                   packet.destination == key.server
               ? Direction::to_server
               : Direction::to_client;
  }
};

// Who was taken for the client is the server: the first packet seen was an answer. Swaps the key
// and everything kept per direction but `app` and `detect`.
void swap_direction(Flow& flow);

// What TCP reassembly tells the layer above, in order, per direction. Bytes are handed over once,
// when the receiver acknowledged them (or the session ended).
struct StreamChunk {
  Direction direction = Direction::to_server;
  ByteView data;               // valid during the call; empty for a gap or the end alone
  std::uint64_t offset = 0;    // of data[0] in the direction's byte stream
  std::uint64_t gap = 0;       // bytes that were lost before `data`
  bool end = false;            // no more bytes will come in this direction
  bool depth_reached = false;  // with `end`: bytes go on, but beyond the configured depth
};

class StreamSink {
 public:
  virtual ~StreamSink() = default;
  virtual void on_stream(Flow& flow, const StreamChunk& chunk) = 0;
  // `event` indexes the stream vocabulary of flow/stream_events.h.
  virtual void on_stream_event(Flow& flow, const Packet& packet, std::uint16_t event) = 0;
};

}  // namespace gatehouse::ids
