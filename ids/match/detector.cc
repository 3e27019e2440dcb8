// One worker's detection: preselect by literals, evaluate the candidates in report order.
#include "ids/match/detector.h"

#include "core/log.h"
#include "ids/flow/flow_table.h"
#include "ids/match/packet_inspector.h"
#include "ids/match/transaction_inspector.h"

namespace gatehouse::ids {
namespace {

class DetectorImpl : public Detector {
 public:
  explicit DetectorImpl(std::shared_ptr<const Engine> engine) : packets_(shared_), transactions_(shared_) {
    replace(std::move(engine));
  }

  void inspect(const Packet& packet, Flow* flow, std::vector<Match>& out) override {
    ++shared_.counters.inspected_packets;
    tagged_ = false;
    if (flow != nullptr && silenced(*flow)) {
      if (flow->tcp) release_stream(*flow, packet.direction);
      return;
    }
    shared_.reporter.begin();
    shared_.addresses.begin(packet);
    const Direction direction = flow == nullptr ? Direction::to_server : packet.direction;
    FlowDetect* state = flow == nullptr ? nullptr : &state_of(*flow);
    StreamView stream;
    bool due = false;
    if (flow != nullptr) {
      drop_seen(*flow, *state, direction);
      if (state->opaque && flow->tcp) release_stream(*flow, direction);
      due =
          !state->opaque && stream_due(packet, *flow, *state, direction, shared_.engine->stream_chunk_bytes);
      if (due) stream = take_stream(*flow, *state, direction);
    }
    packets_.inspect(packet, flow, state, direction, stream);
    if (flow != nullptr) transactions_.inspect(packet, *flow, direction, stream);
    if (due) {
      finish_stream(*state, direction, stream);
      packets_.inspect_after_gaps(packet, *flow, *state, direction);
    }
    if (flow != nullptr) state->opaque = is_opaque(*flow);
    shared_.reporter.report(*shared_.engine, packet, flow, shared_.counters, out);
    tagged_ = count_tags(*shared_.engine->rules().resources, packet, flow);
  }

  void finish_flow(const Packet& packet, Flow& flow, std::vector<Match>& out) override {
    if (silenced(flow)) return;
    FlowDetect& state = state_of(flow);
    const Direction direction = packet.direction;
    shared_.reporter.begin();
    shared_.addresses.begin(packet);
    const StreamView stream = state.opaque ? StreamView{} : take_stream(flow, state, direction);
    packets_.inspect_flow_end(packet, flow, state, direction, stream);
    transactions_.inspect(packet, flow, direction, stream);
    if (!state.opaque) {
      finish_stream(state, direction, stream);
      packets_.inspect_after_gaps(packet, flow, state, direction);
    }
    shared_.reporter.report(*shared_.engine, packet, &flow, shared_.counters, out);
  }

  bool has_rest(const Flow& flow, Direction direction) const override {
    if (silenced(flow)) return false;
    const AppFlow* app = app_flow(flow);
    const auto* state = static_cast<const FlowDetect*>(flow.detect.get());
    if (state == nullptr || state->engine_id != shared_.engine->id)
      return app != nullptr || flow.tcp != nullptr;
    if (app != nullptr && (app->session != nullptr || detection_open(*app, *state, direction))) return true;
    return !state->opaque && !take_stream(flow, *state, direction).data.empty();
  }

  void replace(std::shared_ptr<const Engine> engine) override {
    shared_.engine = std::static_pointer_cast<const EngineImpl>(std::move(engine));
    shared_.engine->prepare(shared_.scratch);  // allocates here, not on the packet path
    shared_.candidates.resize(shared_.engine->plans.size());
    shared_.costs.resize(shared_.engine->plans.size());
    shared_.scratch.costs.resize(shared_.engine->slot_names.size() * Prefilter::kinds());
  }

  std::span<const Capture> packet_captures() const override { return shared_.reporter.packet_captures(); }
  const DetectorCounters& counters() const override { return shared_.counters; }
  bool tagged() const override { return tagged_; }
  DetectorCosts costs() const override {
    DetectorCosts out;
    const auto& rules = shared_.costs.samples();
    for (PlanId id = 0; id < rules.size(); ++id) {
      if (rules[id].count != 0) out.rules.push_back({shared_.engine->plans[id].rule, rules[id]});
    }
    const auto& sets = shared_.scratch.costs.samples();
    for (std::size_t i = 0; i < sets.size(); ++i) {
      if (sets[i].count == 0) continue;
      const std::string& slot = shared_.engine->slot_names[i / Prefilter::kinds()];
      out.sets.push_back({slot + std::string(Prefilter::kind_name(i % Prefilter::kinds())), sets[i]});
    }
    return out;
  }

 private:
  // Nothing of this flow can be reported any more.
  static bool silenced(const Flow& flow) { return flow.drop || flow.bypassed || flow.pass; }

  static bool detection_open(const AppFlow& app, const FlowDetect& state, Direction direction) {
    const std::size_t side = index(direction);
    return (app.searched[side] && !state.detection_done[side]) ||
           state.detection_events < app.detection_events.size();
  }

  // From the next packet on: what made the flow opaque was still readable.
  static bool is_opaque(const Flow& flow) {
    const AppFlow* app = app_flow(flow);
    return app != nullptr && app->session && app->session->opaque;
  }

  FlowDetect& state_of(Flow& flow) const {
    auto* state = static_cast<FlowDetect*>(flow.detect.get());
    if (state == nullptr || state->engine_id != shared_.engine->id) {
      const std::array<std::uint64_t, 2> scanned =
          state == nullptr ? std::array<std::uint64_t, 2>{} : state->scanned_to;
      flow.detect = std::make_unique<FlowDetect>(shared_.engine->id);
      state = static_cast<FlowDetect*>(flow.detect.get());
      state->scanned_to = scanned;
    }
    return *state;
  }

  Inspection shared_;
  bool tagged_ = false;
  PacketInspector packets_;
  TransactionInspector transactions_;
};

}  // namespace

std::unique_ptr<Detector> Detector::make(std::shared_ptr<const Engine> engine) {
  return std::make_unique<DetectorImpl>(std::move(engine));
}

}  // namespace gatehouse::ids
