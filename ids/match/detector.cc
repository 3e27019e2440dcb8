// One worker's detection: preselect by literals, evaluate the candidates in report order.
#include "ids/match/detector.h"

#include <algorithm>

#include "core/log.h"
#include "ids/flow/flow_table.h"
#include "ids/flow/tcp.h"
#include "ids/match/flow_state.h"
#include "ids/match/plan.h"
#include "ids/match/threshold_table.h"

namespace gatehouse::ids {
namespace {

// Inspected stream bytes that stay in the window, so that contents across a chunk border meet.
constexpr std::size_t kOverlap = 2560;

// On what a candidate outside of transactions is evaluated; bits.
constexpr std::uint8_t kOnPacket = 1, kOnStream = 2;

struct Found {
  PlanId plan = 0;
  Direction direction = Direction::to_server;
  const Transaction* tx = nullptr;
  bool from_stream = false;
};

// The stream data one inspection looks at.
struct StreamView {
  ByteView data;           // what was inspected before and still overlaps, then what is new
  std::uint64_t base = 0;  // stream offset of data[0]
  std::size_t old = 0;     // bytes of data that were inspected before
};

enum class Verdict : std::uint8_t { match, reject, undecided };

class DetectorImpl : public Detector {
 public:
  explicit DetectorImpl(std::shared_ptr<const Engine> engine) { replace(std::move(engine)); }

  void inspect(const Packet& packet, Flow* flow, std::vector<Match>& out) override {
    ++counters_.inspected_packets;
    if (flow != nullptr && (flow->drop || (flow->pass && engine_->pass_rank == 0))) {
      if (flow->tcp) release_stream(*flow, packet.direction);
      return;
    }
    found_.clear();
    const Direction direction = flow == nullptr ? Direction::to_server : packet.direction;
    FlowDetect* state = flow == nullptr ? nullptr : &state_of(*flow);
    const StreamView stream = take_stream(flow, state, direction);
    collect_packet(packet, flow, state, direction);
    collect_stream(packet, state, stream, direction);
    evaluate_candidates(packet, flow, state, direction, stream);
    if (flow != nullptr) inspect_transactions(packet, *flow, direction, stream);
    finish_stream(flow, state, direction, stream);
    inspect_after_gaps(packet, flow, state, direction);
    report(packet, flow, out);
  }

  void finish_flow(const Packet& last, Flow& flow, std::vector<Match>& out) override {
    if (flow.drop || (flow.pass && engine_->pass_rank == 0)) return;
    FlowDetect& state = state_of(flow);
    for (const Direction direction : {Direction::to_server, Direction::to_client}) {
      found_.clear();
      const Packet packet = make_flow_end_packet(flow, direction, last.time_us);
      const StreamView stream = take_stream(&flow, &state, direction);
      begin_candidates();
      collect_stream(packet, &state, stream, direction);
      collect_detection(flow, state, direction);
      evaluate_candidates(packet, &flow, &state, direction, stream);
      inspect_transactions(packet, flow, direction, stream);
      finish_stream(&flow, &state, direction, stream);
      inspect_after_gaps(packet, &flow, &state, direction);
      report(packet, &flow, out);
    }
  }

  void replace(std::shared_ptr<const Engine> engine) override {
    engine_ = std::static_pointer_cast<const EngineImpl>(std::move(engine));
    // Made once, here, not on the packet path. Without it no literal is found: worth an error line.
    if (const core::Status ready = engine_->prepare(scratch_); !ready)
      core::log_error("{}", ready.error().to_string());
    stamps_.assign(engine_->plans.size(), 0);
    modes_.assign(engine_->plans.size(), 0);
    generation_ = 0;
    candidates_.clear();
    candidates_.reserve(1024);
    thresholds_.clear();
  }

  const DetectorCounters& counters() const override { return counters_; }

 private:
  // ---- per-flow state

  FlowDetect& state_of(Flow& flow) const {
    auto* state = static_cast<FlowDetect*>(flow.detect.get());
    if (state == nullptr || state->engine_id != engine_->id) {
      const std::array<std::uint64_t, 2> scanned =
          state == nullptr ? std::array<std::uint64_t, 2>{} : state->scanned_to;
      flow.detect = std::make_unique<FlowDetect>(engine_->id);
      state = static_cast<FlowDetect*>(flow.detect.get());
      state->scanned_to = scanned;
    }
    return *state;
  }

  // ---- stream window

  StreamView take_stream(Flow* flow, const FlowDetect* state, Direction direction) const {
    StreamView view;
    if (flow == nullptr || !flow->tcp || flow->key.protocol != kProtoTcp) return view;
    auto window = flow->tcp->inspectable(direction);
    std::uint64_t end = window.offset + window.data.size();
    std::uint64_t scanned = std::clamp(state->scanned_to[index(direction)], window.offset, end);
    // All before a gap was seen: what follows it is a window of its own.
    while (scanned == end && window.gap_follows) {
      flow->tcp->release_inspected(direction, end);
      window = flow->tcp->inspectable(direction);
      end = window.offset + window.data.size();
      scanned = std::clamp(scanned, window.offset, end);
    }
    if (scanned == end) return view;
    view.old = static_cast<std::size_t>(scanned - window.offset);
    view.data = window.data;
    view.base = window.offset;
    return view;
  }

  static void finish_stream(Flow* flow, FlowDetect* state, Direction direction, const StreamView& view) {
    if (view.data.empty()) return;
    const std::uint64_t end = view.base + view.data.size();
    state->scanned_to[index(direction)] = end;
    const std::uint64_t kept = end - std::min<std::uint64_t>(kOverlap, view.data.size());
    std::erase_if(state->waiting[index(direction)],
                  [&](const FlowDetect::Waiting& w) { return w.until <= kept; });
    if (view.data.size() > kOverlap) flow->tcp->release_inspected(direction, end - kOverlap);
  }

  // Lost bytes split the stream into windows; take_stream() has nothing when the last is seen.
  void inspect_after_gaps(const Packet& packet, Flow* flow, FlowDetect* state, Direction direction) {
    for (;;) {
      const StreamView stream = take_stream(flow, state, direction);
      if (stream.data.empty()) return;
      begin_candidates();
      collect_stream(packet, state, stream, direction);
      evaluate_candidates(packet, flow, state, direction, stream);
      finish_stream(flow, state, direction, stream);
    }
  }

  static void release_stream(Flow& flow, Direction direction) {
    auto window = flow.tcp->inspectable(direction);
    for (bool more = true; more; window = flow.tcp->inspectable(direction)) {
      more = window.gap_follows;
      flow.tcp->release_inspected(direction, window.offset + window.data.size());
    }
  }

  // ---- candidates outside of transactions

  void begin_candidates() {
    candidates_.clear();
    if (++generation_ == 0) {
      std::fill(stamps_.begin(), stamps_.end(), 0);
      generation_ = 1;
    }
  }

  void add(PlanId plan, std::uint8_t mode) {
    if (stamps_[plan] != generation_) {
      stamps_[plan] = generation_;
      modes_[plan] = 0;
      candidates_.push_back(plan);
    }
    modes_[plan] = static_cast<std::uint8_t>(modes_[plan] | mode);
  }
  void add_all(std::span<const PlanId> plans, std::uint8_t mode) {
    for (const PlanId plan : plans) add(plan, mode);
  }

  template <class Table>
  void add_event(const Table& table, std::uint16_t event) {
    const auto found = table.find(event);
    if (found != table.end()) add_all(found->second, kOnPacket);
  }

  void collect_detection(Flow& flow, FlowDetect& state, Direction direction) {
    const AppFlow* app = app_flow(flow);
    if (app == nullptr) return;
    bool& done = state.detection_done[index(direction)];
    if (!done && app->proto != kAppUnknown) {
      done = true;
      add_all(engine_->on_detection[index(direction)], kOnPacket);
    }
    for (; state.detection_events < app->detection_events.size(); ++state.detection_events) {
      add_event(engine_->by_detection_event, app->detection_events[state.detection_events]);
    }
  }

  void collect_packet(const Packet& packet, Flow* flow, FlowDetect* state, Direction direction) {
    begin_candidates();
    const EngineImpl& e = *engine_;
    const auto kind = static_cast<std::size_t>(kind_of(packet));
    const std::size_t d = index(direction);
    if (!e.any_packet.empty()) add_all(e.any_packet, kOnPacket);
    for (std::size_t i = 0; i < packet.event_count; ++i) add_event(e.by_decode_event, packet.events[i]);
    for (std::size_t i = 0; i < packet.stream_event_count; ++i)
      add_event(e.by_stream_event, packet.stream_events[i]);
    if (packet.ip_version == 0) return;
    if (state == nullptr || !state->once_done[d]) {
      if (state != nullptr) state->once_done[d] = true;
      add_all(e.once[kind][d], kOnPacket);
    }
    if (state != nullptr) collect_detection(*flow, *state, direction);
    add_all(e.packet_without_literal[kind][d].at(packet.destination_port), kOnPacket);
    if (packet.payload.empty()) return;
    e.packet[kind][d].scan(packet.payload, scratch_, [this](PlanId plan) { add(plan, kOnPacket); });
    // TCP data that reassembly did not take is all that stream rules will see of it.
    if (packet.is_tcp() && !packet.payload_in_stream) {
      e.stream[d].scan(packet.payload, scratch_, [this](PlanId plan) { add(plan, kOnPacket); });
      add_all(e.stream_without_literal[d].at(packet.destination_port), kOnPacket);
    }
  }

  void collect_stream(const Packet& packet, const FlowDetect* state, const StreamView& stream,
                      Direction direction) {
    if (stream.data.empty()) return;
    const Prefilter& prefilter = engine_->stream[index(direction)];
    // A literal that begins in old data can end in new data.
    const std::size_t back = std::min(stream.old, prefilter.longest() == 0 ? 0 : prefilter.longest() - 1);
    const ByteView fresh = stream.data.subspan(stream.old - back);
    prefilter.scan(fresh, scratch_, [this](PlanId plan) { add(plan, kOnStream); });
    add_all(engine_->stream_without_literal[index(direction)].at(packet.destination_port), kOnStream);
    for (const FlowDetect::Waiting& w : state->waiting[index(direction)]) {
      if (w.until > stream.base) add(w.plan, kOnStream);
    }
  }

  // The rule was preselected by the stream and did not match: another part of it may still come.
  void keep_waiting(FlowDetect& state, PlanId id, Direction direction, const StreamView& stream) const {
    const RulePlan& plan = engine_->plans[id];
    if (plan.lists.size() == 1 && plan.lists[0].ops.size() < 2) return;
    auto& waiting = state.waiting[index(direction)];
    for (const FlowDetect::Waiting& w : waiting) {
      if (w.plan == id) return;
    }
    if (waiting.size() == FlowDetect::kMostWaiting) waiting.erase(waiting.begin());
    waiting.push_back({id, stream.base + stream.data.size()});
  }

  void evaluate_candidates(const Packet& packet, Flow* flow, FlowDetect* state, Direction direction,
                           const StreamView& stream) {
    std::sort(candidates_.begin(), candidates_.end());
    counters_.candidates += candidates_.size();
    for (const PlanId id : candidates_) {
      const RulePlan& plan = engine_->plans[id];
      if (!header_holds(*plan.rule, packet, flow, direction)) continue;
      InspectContext context{packet, flow, direction, nullptr, {}};
      if (!conditions_hold(*plan.rule, context)) continue;
      const bool on_stream = (modes_[id] & kOnStream) != 0 && matches_stream(plan, context, stream);
      if (!on_stream && (modes_[id] & kOnStream) != 0) keep_waiting(*state, id, direction, stream);
      if (!on_stream && !((modes_[id] & kOnPacket) != 0 && matches_packet(plan, context))) continue;
      if (!flowbits_hold(*plan.rule, flow)) continue;
      accept(id, flow, direction, nullptr, on_stream);
    }
  }

  bool matches_stream(const RulePlan& plan, InspectContext& context, const StreamView& stream) const {
    if (!lists_hold(plan, context, stream.data, stream.base)) return false;
    // It held without the new bytes: then it was reported when those came.
    return stream.old == 0 || !lists_hold(plan, context, stream.data.first(stream.old), stream.base);
  }

  bool matches_packet(const RulePlan& plan, InspectContext& context) const {
    const Rule& rule = *plan.rule;
    if (rule.rule_class == RuleClass::stream && context.packet.is_tcp()) {
      if (rule.stream_only || rule.flow.only_stream) return false;
      // The stream rule itself will see these bytes; the packet counts only as a place of its own.
      if (context.packet.payload_in_stream && !rule.also_packet) return false;
      if (context.packet.payload_in_stream && starts_stream(context)) return false;
    }
    return lists_hold(plan, context, context.packet.payload, 0);
  }

  // Is this packet's payload the first of its direction?
  static bool starts_stream(const InspectContext& context) {
    if (context.flow == nullptr || !context.flow->tcp) return false;
    const auto& peer = context.flow->tcp->peer(context.direction);
    return context.packet.tcp.sequence == peer.isn + 1;
  }

  bool lists_hold(const RulePlan& plan, InspectContext& context, ByteView payload, std::uint64_t base) const {
    for (const ListPlan& list : plan.lists) {
      BufferView view{payload, true};
      std::uint64_t from = base;
      if (list.match->buffer != kPayloadBuffer) {
        if (!buffer_table()[list.match->buffer].get_packet(context.packet, view)) return false;
        from = 0;
      }
      if (!holds_in(list, context, view.data, from)) return false;
    }
    return true;
  }

  // ---- conditions

  static bool protocol_holds(const Rule& rule, const Packet& packet, const Flow* flow) {
    if (rule.ip_version != 0 && packet.ip_version != rule.ip_version) return false;
    if (!rule.ip_protocols.empty() && std::find(rule.ip_protocols.begin(), rule.ip_protocols.end(),
                                                packet.protocol) == rule.ip_protocols.end()) {
      return false;
    }
    if (rule.app_protocols.empty()) return true;
    const AppFlow* app = flow == nullptr ? nullptr : app_flow(*flow);
    return app != nullptr && std::find(rule.app_protocols.begin(), rule.app_protocols.end(), app->proto) !=
                                 rule.app_protocols.end();
  }

  static bool endpoints_hold(const Rule& rule, const Packet& p) {
    if (rule.source.contains(p.source) && rule.destination.contains(p.destination) &&
        port_holds(rule.source_port, p, p.source_port) &&
        port_holds(rule.destination_port, p, p.destination_port)) {
      return true;
    }
    return rule.bidirectional && rule.source.contains(p.destination) && rule.destination.contains(p.source) &&
           port_holds(rule.source_port, p, p.destination_port) &&
           port_holds(rule.destination_port, p, p.source_port);
  }
  static bool port_holds(const PortSet& ports, const Packet& packet, std::uint16_t port) {
    return ports.any || (packet.has_transport && ports.contains(port));
  }

  static bool header_holds(const Rule& rule, const Packet& packet, const Flow* flow, Direction direction) {
    const FlowConditions& f = rule.flow;
    if (f.direction && (flow == nullptr || direction != *f.direction)) return false;
    // A session that is being closed was established: what it said is still decided.
    const bool established = flow != nullptr && (packet.established || flow->state == FlowState::closed);
    if (f.established && !established) return false;
    if (f.not_established && established) return false;
    if (rule.any_packet) return true;
    return protocol_holds(rule, packet, flow) && endpoints_hold(rule, packet);
  }

  static bool conditions_hold(const Rule& rule, const InspectContext& context) {
    return std::all_of(rule.conditions.begin(), rule.conditions.end(),
                       [&](const auto& c) { return c->holds(context); });
  }

  static bool has_bit(const Flow& flow, std::uint32_t bit) {
    return std::binary_search(flow.flowbits.begin(), flow.flowbits.end(), bit);
  }

  static bool flowbits_hold(const Rule& rule, const Flow* flow) {
    for (const FlowbitOp& op : rule.flowbit_tests) {
      if (flow == nullptr) return false;
      const bool any =
          std::any_of(op.bits.begin(), op.bits.end(), [&](std::uint32_t bit) { return has_bit(*flow, bit); });
      const bool all =
          std::all_of(op.bits.begin(), op.bits.end(), [&](std::uint32_t bit) { return has_bit(*flow, bit); });
      // isset:a|b: one of them; isnotset:a|b: one of them is not set.
      if (op.command == BitCommand::isset ? !any : all) return false;
    }
    return true;
  }

  static void change_bit(Flow& flow, std::uint32_t bit, BitCommand command) {
    const auto place = std::lower_bound(flow.flowbits.begin(), flow.flowbits.end(), bit);
    const bool set = place != flow.flowbits.end() && *place == bit;
    if (set && command != BitCommand::set) flow.flowbits.erase(place);
    if (!set && command != BitCommand::unset) flow.flowbits.insert(place, bit);
  }

  // ---- a rule matched

  void accept(PlanId id, Flow* flow, Direction direction, const Transaction* tx, bool from_stream) {
    if (flow != nullptr) {
      for (const FlowbitOp& op : engine_->plans[id].rule->flowbit_actions) {
        for (const std::uint32_t bit : op.bits) change_bit(*flow, bit, op.command);
      }
    }
    found_.push_back({id, direction, tx, from_stream});
  }

  void report(const Packet& packet, Flow* flow, std::vector<Match>& out) {
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Found& a, const Found& b) { return a.plan < b.plan; });
    const bool flow_passed = flow != nullptr && flow->pass;
    bool passed = false;
    unsigned reported = 0;
    for (const Found& f : found_) {
      const RulePlan& plan = engine_->plans[f.plan];
      const Rule& rule = *plan.rule;
      // Pass silences what is ordered behind it; what is ordered before it still speaks.
      if (rule.action != RuleAction::pass &&
          (passed || (flow_passed && plan.action_rank > engine_->pass_rank)))
        continue;
      const bool whole_flow = f.tx != nullptr || f.from_stream || rule.once_per_direction;
      if (rule.action == RuleAction::pass) {
        if (flow_passed) continue;
        passed = true;
        if (flow != nullptr && whole_flow) flow->pass = true;
        if (!rule.always_alert) continue;
      }
      if (rule.noalert) continue;
      if (suppressed(rule, packet) || !threshold_admits(rule, packet, flow)) {
        ++counters_.suppressed;
        continue;
      }
      const bool drops = rule.action == RuleAction::drop || rule.action == RuleAction::reject;
      if (drops && flow != nullptr && whole_flow) flow->drop = true;
      if (reported == engine_->packet_alert_max) {
        ++counters_.queue_overflow;
        continue;
      }
      ++reported;
      ++counters_.alerts;
      if (flow != nullptr) flow->alerted = true;
      out.push_back({&rule, f.direction, f.tx, f.from_stream});
    }
  }

  static bool suppressed(const Rule& rule, const Packet& packet) {
    return std::any_of(rule.suppressions.begin(), rule.suppressions.end(), [&](const Suppression& s) {
      const bool source = s.side != Suppression::Side::destination && s.addresses.contains(packet.source);
      const bool destination =
          s.side != Suppression::Side::source && s.addresses.contains(packet.destination);
      return s.side == Suppression::Side::all || source || destination;
    });
  }

  bool threshold_admits(const Rule& rule, const Packet& packet, const Flow* flow) {
    if (rule.detection_filter && !thresholds_.admit(rule, *rule.detection_filter, packet, flow)) return false;
    return !rule.threshold || thresholds_.admit(rule, *rule.threshold, packet, flow);
  }

  // ---- transactions

  void inspect_transactions(const Packet& packet, Flow& flow, Direction direction, const StreamView& stream) {
    const AppFlow* app = app_flow(flow);
    if (app == nullptr || !app->session || app->proto >= engine_->transactions.size()) return;
    const auto& sides = engine_->transactions[app->proto];
    if (sides[0].empty() && sides[1].empty()) return;
    const std::uint8_t complete = parser_of(app->proto).complete[index(direction)];
    for (const auto& tx : app->session->transactions()) {
      if (tx->progress[index(direction)] == 0 || tx->skip_inspect[index(direction)]) continue;
      TransactionDetect& state = state_of(*tx);
      TransactionDetect::Side& side = state.sides[index(direction)];
      if (side.done) continue;
      inspect_side(packet, flow, direction, stream, *tx, state, side, sides[index(direction)], complete);
    }
  }

  TransactionDetect& state_of(Transaction& tx) const {
    auto* state = static_cast<TransactionDetect*>(tx.detect.get());
    if (state == nullptr || state->engine_id != engine_->id) {
      tx.detect = std::make_unique<TransactionDetect>(engine_->id);
      state = static_cast<TransactionDetect*>(tx.detect.get());
    }
    return *state;
  }

  void inspect_side(const Packet& packet, Flow& flow, Direction direction, const StreamView& stream,
                    Transaction& tx, TransactionDetect& state, TransactionDetect::Side& side,
                    const TransactionGroup& group, std::uint8_t complete) {
    const std::uint8_t progress = tx.progress[index(direction)];
    const bool finished = progress >= complete;
    begin_candidates();
    bool changed = progress != side.progress;
    if (!side.started) {
      side.started = true;
      side.scanned.assign(group.buffers.size(), 0);
      add_all(group.without_literal, 0);
    }
    changed = scan_buffers(tx, direction, progress, finished, side, group) || changed;
    for (; side.events < tx.events.size(); ++side.events) {
      const auto found = group.by_event.find(tx.events[side.events]);
      if (found != group.by_event.end()) add_all(found->second, 0);
    }
    side.progress = progress;
    // Rules about packets or flowbits may come true without any change of the transaction.
    if (changed || !stream.data.empty() || side.retry_always || !state.common.empty()) {
      add_all(side.pending, 0);
      add_all(state.common, 0);
    }
    if (!candidates_.empty()) evaluate_transaction(packet, flow, direction, stream, tx, state, side);
    if (!finished) return;
    side.done = true;
    side.pending.clear();
    side.scanned.clear();
  }

  // Scans what is new of each buffer. True: something was.
  bool scan_buffers(const Transaction& tx, Direction direction, std::uint8_t progress, bool finished,
                    TransactionDetect::Side& side, const TransactionGroup& group) {
    bool changed = false;
    for (std::size_t i = 0; i < group.buffers.size(); ++i) {
      const TransactionBuffer& buffer = *group.buffers[i];
      const BufferDescriptor& descriptor = buffer_table()[buffer.buffer];
      if (progress < descriptor.min_progress) break;
      if (side.scanned[i] == TransactionDetect::kScanned) continue;
      std::uint32_t seen = 0;
      BufferView view;
      for (unsigned instance = 0; descriptor.get(tx, direction, instance, view); ++instance) {
        seen += static_cast<std::uint32_t>(std::min<std::size_t>(view.data.size() + 1, 1U << 30U));
        scan_instance(buffer, view, instance == 0 ? side.scanned[i] : 0);
      }
      changed = changed || seen != side.scanned[i];
      const bool settled = finished || progress >= descriptor.final_progress;
      side.scanned[i] = settled ? TransactionDetect::kScanned : seen;
    }
    return changed;
  }

  // `before` bytes of it (plus one) were scanned already.
  void scan_instance(const TransactionBuffer& buffer, const BufferView& view, std::uint32_t before) {
    if (buffer.prefilter.empty()) return;
    ByteView data = view.data;
    if (buffer.transforms.empty()) {
      const std::size_t longest = buffer.prefilter.longest();
      if (before > longest && before - 1 <= data.size()) data = data.subspan(before - 1 - (longest - 1));
    } else if (!transformed(buffer.transforms, data)) {
      return;
    }
    buffer.prefilter.scan(data, scratch_, [this](PlanId plan) { add(plan, 0); });
  }

  // Runs the chain; `data` then views scratch of this detector, until the next call.
  bool transformed(const std::vector<std::shared_ptr<const Transform>>& chain, ByteView& data) {
    std::size_t which = 0;
    for (const auto& transform : chain) {
      std::vector<std::uint8_t>& out = transform_room_[which];
      if (!transform->apply(data, out)) return false;
      data = out;
      which ^= 1U;
    }
    return true;
  }

  void evaluate_transaction(const Packet& packet, Flow& flow, Direction direction, const StreamView& stream,
                            Transaction& tx, TransactionDetect& state, TransactionDetect::Side& side) {
    std::sort(candidates_.begin(), candidates_.end());
    counters_.candidates += candidates_.size();
    side.pending.clear();
    state.common.clear();
    side.retry_always = false;
    for (const PlanId id : candidates_) {
      if (state.is_decided(id)) continue;
      const RulePlan& plan = engine_->plans[id];
      switch (judge(plan, packet, flow, direction, stream, tx)) {
        case Verdict::match:
          state.decide(id);
          accept(id, &flow, direction, &tx, false);
          break;
        case Verdict::reject:
          state.decide(id);
          break;
        case Verdict::undecided:
          (plan.rule->transactional ? state.common : side.pending).push_back(id);
          if (!plan.rule->conditions.empty() || !plan.rule->flowbit_tests.empty()) side.retry_always = true;
          break;
      }
    }
  }

  Verdict judge(const RulePlan& plan, const Packet& packet, Flow& flow, Direction direction,
                const StreamView& stream, const Transaction& tx) {
    const Rule& rule = *plan.rule;
    if (!header_holds(rule, packet, &flow, direction)) {
      // In `=>` rules the header speaks of the request; the response comes the other way.
      if (!rule.transactional || !transaction_header_holds(rule, packet, direction))
        return Verdict::undecided;
    }
    InspectContext context{packet, &flow, direction, &tx, {}};
    if (!conditions_hold(rule, context)) return Verdict::undecided;
    Verdict verdict = Verdict::match;
    for (const ListPlan& list : plan.lists) {
      const Verdict one = judge_list(list, context, stream);
      if (one == Verdict::reject) return one;
      if (one == Verdict::undecided) verdict = one;
    }
    if (verdict == Verdict::match && !flowbits_hold(rule, &flow)) return Verdict::undecided;
    return verdict;
  }

  static bool transaction_header_holds(const Rule& rule, const Packet& packet, Direction direction) {
    if (direction == Direction::to_server) return endpoints_hold(rule, packet);
    return rule.source.contains(packet.destination) && rule.destination.contains(packet.source) &&
           port_holds(rule.source_port, packet, packet.destination_port) &&
           port_holds(rule.destination_port, packet, packet.source_port);
  }

  Verdict judge_list(const ListPlan& list, InspectContext& context, const StreamView& stream) {
    const BufferDescriptor& buffer = buffer_table()[list.match->buffer];
    if (list.match->buffer == kPayloadBuffer) {
      const bool tcp = context.packet.is_tcp();
      const ByteView data = tcp ? stream.data : context.packet.payload;
      return holds_in(list, context, data, tcp ? stream.base : 0) ? Verdict::match : Verdict::undecided;
    }
    if (buffer.get_packet != nullptr) {
      BufferView view;
      const bool held = buffer.get_packet(context.packet, view) && holds_in(list, context, view.data, 0);
      return held ? Verdict::match : Verdict::undecided;
    }
    Direction side = context.direction;
    if (list.match->direction) {
      side = *list.match->direction;
    } else if (buffer.direction) {
      side = *buffer.direction;
    }
    return judge_instances(list, buffer, context, side);
  }

  Verdict judge_instances(const ListPlan& list, const BufferDescriptor& buffer, InspectContext& context,
                          Direction side) {
    const Transaction& tx = *context.tx;
    const std::uint8_t progress = tx.progress[index(side)];
    const AppFlow* app = app_flow(*context.flow);
    const bool settled =
        progress >= buffer.final_progress || progress >= parser_of(app->proto).complete[index(side)];
    if (progress < buffer.min_progress) return Verdict::undecided;
    bool present = false;
    bool open = false;
    BufferView view;
    for (unsigned instance = 0; buffer.get(tx, side, instance, view); ++instance) {
      ByteView data = view.data;
      if (!list.match->transforms.empty() && !transformed(list.match->transforms, data)) continue;
      present = true;
      const bool final_now = view.final || settled;
      open = open || !final_now;
      if (list.needs_final && !final_now) continue;
      if (list.match->absent && !list.match->absent_or_else) continue;
      if (holds_in(list, context, data, 0)) return Verdict::match;
    }
    if (!settled && (open || !present || buffer.multiple)) return Verdict::undecided;
    return list.match->absent && !present ? Verdict::match : Verdict::reject;
  }

  std::shared_ptr<const EngineImpl> engine_;
  ScanScratch scratch_;
  ThresholdTable thresholds_;
  DetectorCounters counters_;
  std::vector<std::uint32_t> stamps_;  // by plan: generation it was last added in
  std::vector<std::uint8_t> modes_;    // by plan: valid in that generation
  std::uint32_t generation_ = 0;
  std::vector<PlanId> candidates_;
  std::vector<Found> found_;
  std::array<std::vector<std::uint8_t>, 2> transform_room_;
};

}  // namespace

std::unique_ptr<Detector> Detector::make(std::shared_ptr<const Engine> engine) {
  return std::make_unique<DetectorImpl>(std::move(engine));
}

}  // namespace gatehouse::ids
