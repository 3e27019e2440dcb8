// The part of a TCP stream one inspection looks at.
#pragma once

#include "ids/match/flow_state.h"

namespace gatehouse::ids {

struct StreamView {
  ByteView data;           // what was inspected before and still overlaps, then what is new
  std::uint64_t base = 0;  // stream offset of data[0]
  std::size_t old = 0;     // bytes of data that were inspected before
};

// What `direction` has new for rules; empty when there is nothing. Steps over gaps.
StreamView take_stream(Flow* flow, const FlowDetect* state, Direction direction);
// All of `view` was inspected: the reassembly may drop all but what later data can overlap.
void finish_stream(Flow* flow, FlowDetect* state, Direction direction, const StreamView& view);
// Nobody will look at what is there.
void release_stream(Flow& flow, Direction direction);

}  // namespace gatehouse::ids
