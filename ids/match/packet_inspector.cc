#include "ids/match/packet_inspector.h"

#include <algorithm>

#include "ids/flow/tcp.h"
#include "ids/match/rule_header.h"

namespace gatehouse::ids {
namespace {

template <class Table>
void add_event(Candidates& candidates, const Table& table, std::uint16_t event) {
  const auto found = table.find(event);
  if (found != table.end()) candidates.add_all(found->second, kOnPacket);
}

bool lists_hold(const RulePlan& plan, InspectContext& context, ByteView payload, std::uint64_t base) {
  for (const ListPlan& list : plan.lists) {
    BufferView view{payload, true};
    std::uint64_t from = base;
    if (list.buffer != kPayloadBuffer) {
      if (!buffer_table()[list.buffer].get_packet(context.packet, view)) return false;
      from = 0;
    }
    if (!holds_in(list, context, view.data, from)) return false;
  }
  return true;
}

// A chunk stands for itself: offset and depth count from its first byte, and what it holds is reported
// whatever came before. What lies across its border counts, too, unless it held before the chunk came.
bool matches_stream(const RulePlan& plan, InspectContext& context, const StreamView& stream) {
  if (lists_hold(plan, context, stream.fresh(), 0)) return true;
  return stream.old != 0 && lists_hold(plan, context, stream.data, stream.base) &&
         !lists_hold(plan, context, stream.data.first(stream.old), stream.base);
}

bool matches_packet(const RulePlan& plan, InspectContext& context) {
  const Rule& rule = *plan.rule;
  if (rule.rule_class == RuleClass::stream && context.packet.is_tcp()) {
    if (rule.stream_only || rule.flow.only_stream) return false;
    // The stream rule itself will see these bytes; the packet counts only as a place of its own.
    if (context.packet.payload_in_stream && !(rule.also_packet && counts_positions(rule))) return false;
  }
  return lists_hold(plan, context, context.packet.payload, 0);
}

}  // namespace

void PacketInspector::inspect(const Packet& packet, Flow* flow, FlowDetect* state, Direction direction,
                              const StreamView& stream) {
  shared_.begin();
  collect_packet(packet, flow, state, direction);
  collect_stream(packet, state, stream, direction);
  evaluate(packet, flow, state, direction, stream);
}

void PacketInspector::inspect_flow_end(const Packet& packet, Flow& flow, FlowDetect& state,
                                       Direction direction, const StreamView& stream) {
  shared_.begin();
  collect_stream(packet, &state, stream, direction);
  collect_detection(flow, state, direction);
  evaluate(packet, &flow, &state, direction, stream);
}

void PacketInspector::inspect_after_gaps(const Packet& packet, Flow& flow, FlowDetect& state,
                                         Direction direction) {
  for (;;) {
    // There is nothing when the last window is seen.
    const StreamView stream = take_stream(flow, state, direction);
    if (stream.data.empty()) return;
    shared_.begin();
    collect_stream(packet, &state, stream, direction);
    evaluate(packet, &flow, &state, direction, stream);
    finish_stream(state, direction, stream);
  }
}

void PacketInspector::collect_packet(const Packet& packet, Flow* flow, FlowDetect* state,
                                     Direction direction) {
  const EngineImpl& e = *shared_.engine;
  Candidates& candidates = shared_.candidates;
  const auto kind = static_cast<std::size_t>(kind_of(packet));
  const std::size_t d = index(direction);
  const auto add_all = [&](std::span<const PlanId> plans) { candidates.add_all(plans, kOnPacket); };
  add_all(e.any_packet);
  for (std::size_t i = 0; i < packet.event_count; ++i)
    add_event(candidates, e.by_decode_event, packet.events[i]);
  for (std::size_t i = 0; i < packet.stream_event_count; ++i)
    add_event(candidates, e.by_stream_event, packet.stream_events[i]);
  if (packet.ip_version == 0) return;
  if (state == nullptr || !state->once_done[d]) {
    if (state != nullptr) state->once_done[d] = true;
    e.once.find(packet, add_all);
  }
  if (state != nullptr) collect_detection(*flow, *state, direction);
  e.packet_without_literal[kind][d].find(packet, add_all);
  const bool opaque = state != nullptr && state->opaque;
  if (!packet.payload.empty() && !opaque) collect_payload(packet, kind, d);
}

void PacketInspector::collect_payload(const Packet& packet, std::size_t kind, std::size_t direction) {
  const EngineImpl& e = *shared_.engine;
  Candidates& candidates = shared_.candidates;
  const auto on_packet = [this](const Preselected& rule) { add(rule.plan, rule.of_transaction, kOnPacket); };
  const ScanView view{packet.payload, 0, 0, false, false};
  e.scan(EngineImpl::packet_slot(kind, direction), view, packet, shared_.scratch, on_packet);
  // TCP data that reassembly did not take is all that stream rules will see of it.
  if (packet.is_tcp() && !packet.payload_in_stream) {
    e.scan(EngineImpl::stream_slot(direction), view, packet, shared_.scratch, on_packet);
    e.stream_without_literal[direction].find(
        packet, [&](std::span<const PlanId> plans) { candidates.add_all(plans, kOnPacket); });
  }
}

void PacketInspector::collect_detection(Flow& flow, FlowDetect& state, Direction direction) {
  const AppFlow* app = app_flow(flow);
  if (app == nullptr) return;
  // Once, when it is settled what this direction speaks. A server that agrees to another protocol in its
  // first words speaks that one.
  bool& done = state.detection_done[index(direction)];
  const bool changing = direction == Direction::to_client && app->session && app->session->upgrade;
  if (!done && app->searched[index(direction)] && !changing) {
    done = true;
    shared_.candidates.add_all(shared_.engine->on_detection[index(direction)], kOnPacket);
  }
  for (; state.detection_events < app->detection_events.size(); ++state.detection_events) {
    add_event(shared_.candidates, shared_.engine->by_detection_event,
              app->detection_events[state.detection_events]);
  }
}

void PacketInspector::collect_stream(const Packet& packet, FlowDetect* state, const StreamView& stream,
                                     Direction direction) {
  if (stream.data.empty()) return;
  Candidates& candidates = shared_.candidates;
  const std::size_t d = index(direction);
  shared_.engine->scan(EngineImpl::stream_slot(d), {stream.data, stream.old, stream.base, true, false},
                       packet, shared_.scratch, [&](const Preselected& rule) {
                         add(rule.plan, rule.of_transaction, kOnStream);
                         // Its transaction may be complete only when more of the stream came.
                         if (rule.of_transaction)
                           state->wait(rule.plan, direction, stream.base + stream.data.size(), true);
                       });
  shared_.engine->stream_without_literal[d].find(
      packet, [&](std::span<const PlanId> plans) { candidates.add_all(plans, kOnStream); });
  for (const FlowDetect::Waiting& w : state->waiting[index(direction)]) {
    if (w.until > stream.base) add(w.plan, shared_.engine->plans[w.plan].payload_literal, kOnStream);
  }
}

// Rules about transactions are asked after those about packets.
void PacketInspector::add(PlanId plan, bool of_transaction, std::uint8_t mode) {
  if (of_transaction) {
    shared_.payload_hits.push_back(plan);
  } else {
    shared_.candidates.add(plan, mode);
  }
}

// The rule was preselected by the stream and did not match: another part of it may still come.
void PacketInspector::keep_waiting(FlowDetect& state, PlanId id, Direction direction,
                                   const StreamView& stream) const {
  const RulePlan& plan = shared_.engine->plans[id];
  if (plan.lists.size() == 1 && plan.lists[0].ops.size() < 2) return;
  state.wait(id, direction, stream.base + stream.data.size(), false);
}

// `on_stream` tells whether it was the stream that did.
bool PacketInspector::holds(const RulePlan& plan, PlanId id, const Packet& packet, Flow* flow,
                            FlowDetect* state, Direction direction, const StreamView& stream,
                            bool& on_stream) {
  const Rule& rule = *plan.rule;
  const std::uint8_t mode = shared_.candidates.mode(id);
  if (!plan.header.holds(rule, packet, flow, direction, shared_.engine->addresses, shared_.addresses))
    return false;
  if (plan.has_flowbit_tests && !flowbits_hold(rule, flow)) {
    // What it waits for may be set while its literal is in sight.
    if ((mode & kOnStream) != 0) keep_waiting(*state, id, direction, stream);
    return false;
  }
  InspectContext context = shared_.context(packet, flow, direction, nullptr);
  if (plan.has_conditions && !conditions_hold(rule, context)) return false;
  on_stream = (mode & kOnStream) != 0 && matches_stream(plan, context, stream);
  if (!on_stream && (mode & kOnStream) != 0) keep_waiting(*state, id, direction, stream);
  return on_stream || ((mode & kOnPacket) != 0 && matches_packet(plan, context));
}

void PacketInspector::evaluate(const Packet& packet, Flow* flow, FlowDetect* state, Direction direction,
                               const StreamView& stream) {
  const std::span<const PlanId> candidates = shared_.candidates.sorted();
  shared_.counters.candidates += candidates.size();
  for (const PlanId id : candidates) {
    const RulePlan& plan = shared_.engine->plans[id];
    if (plan.needs_stream && state != nullptr && state->opaque) continue;
    bool on_stream = false;
    const bool matches = shared_.costs.measure(id, [&](CostSamples* costs) {
      const bool yes = holds(plan, id, packet, flow, state, direction, stream, on_stream);
      if (costs != nullptr) costs->hits += yes ? 1U : 0U;
      return yes;
    });
    if (!matches) continue;
    shared_.reporter.accept(*shared_.engine, {id, direction, nullptr, on_stream}, packet, flow,
                            shared_.findings, shared_.captures);
  }
}

}  // namespace gatehouse::ids
