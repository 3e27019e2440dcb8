// Rules about packets, reassembled streams and events: everything outside of transactions.
#pragma once

#include "ids/match/flow_state.h"
#include "ids/match/inspection.h"
#include "ids/match/stream_window.h"

namespace gatehouse::ids {

class PacketInspector {
 public:
  explicit PacketInspector(Inspection& shared) : shared_(shared) {}

  // Rules the packet itself, its events or its flow's protocol make a candidate, and those of `stream`.
  void inspect(const Packet& packet, Flow* flow, FlowDetect* state, Direction direction,
               const StreamView& stream);
  // The same without the packet, at the end of a flow.
  void inspect_flow_end(const Packet& packet, Flow& flow, FlowDetect& state, Direction direction,
                        const StreamView& stream);
  // Lost bytes split the stream into windows: those after the first.
  void inspect_after_gaps(const Packet& packet, Flow& flow, FlowDetect& state, Direction direction);

 private:
  void collect_packet(const Packet& packet, Flow* flow, FlowDetect* state, Direction direction);
  void collect_payload(const Packet& packet, std::size_t kind, std::size_t direction);
  void collect_detection(Flow& flow, FlowDetect& state, Direction direction);
  void add(PlanId plan, bool of_transaction, std::uint8_t mode);
  void collect_stream(const Packet& packet, FlowDetect* state, const StreamView& stream, Direction direction);
  void evaluate(const Packet& packet, Flow* flow, FlowDetect* state, Direction direction,
                const StreamView& stream);
  bool holds(const RulePlan& plan, PlanId id, const Packet& packet, Flow* flow, FlowDetect* state,
             Direction direction, const StreamView& stream, bool& on_stream);
  void keep_waiting(FlowDetect& state, PlanId id, Direction direction, const StreamView& stream) const;

  Inspection& shared_;
};

}  // namespace gatehouse::ids
