// The part of a TCP stream one inspection looks at.
#pragma once

#include "ids/match/detector.h"
#include "ids/match/flow_state.h"

namespace gatehouse::ids {

struct StreamView {
  ByteView data;           // what was inspected before and still overlaps, then what is new
  std::uint64_t base = 0;  // stream offset of data[0]
  std::size_t old = 0;     // bytes of data that were inspected before

  ByteView fresh() const { return data.subspan(old); }
};

// Rules look at a stream chunk by chunk: when enough was acknowledged, when the parser finished a unit of
// its protocol, when the session closes. Is it time for those of the packet's direction? Notes what it has
// seen.
bool stream_due(const Packet& packet, const Flow& flow, FlowDetect& state, Direction direction,
                const std::array<std::uint32_t, 2>& chunk_bytes);
// What `direction` has new for rules, up to the next gap; empty when there is nothing.
StreamView take_stream(const Flow& flow, const FlowDetect& state, Direction direction);
// All of `view` was inspected. It stays until drop_seen(), for alerts that show it.
void finish_stream(FlowDetect& state, Direction direction, const StreamView& view);
// Lets reassembly drop what was inspected at earlier packets, all but what later data can overlap.
void drop_seen(Flow& flow, const FlowDetect& state, Direction direction);
// Nobody will look at what is there.
void release_stream(Flow& flow, Direction direction);

}  // namespace gatehouse::ids
