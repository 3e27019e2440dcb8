#include "ids/match/transaction_inspector.h"

#include <algorithm>

#include "ids/match/rule_header.h"

namespace gatehouse::ids {

void TransactionInspector::inspect(const Packet& packet, Flow& flow, Direction direction,
                                   const StreamView& stream) {
  const AppFlow* app = app_flow(flow);
  const EngineImpl& engine = *shared_.engine;
  if (app == nullptr || !app->session || app->proto >= engine.transactions.size()) return;
  const auto& sides = engine.transactions[app->proto];
  if (sides[0].empty() && sides[1].empty()) return;
  const std::size_t d = index(direction);
  const std::uint8_t complete = parser_of(app->proto).complete[d];
  for (const auto& tx : app->session->transactions()) {
    if (tx->progress[d] == 0 || tx->skip_inspect[d]) continue;
    TransactionDetect& state = state_of(*tx);
    TransactionDetect::Side& kept = state.sides[d];
    if (kept.done) continue;
    if (kept.proto != app->proto) restart(kept, app->proto);
    inspect_side({packet, flow, direction, stream, *tx, state, kept, sides[d], complete});
  }
}

// The flow was renamed (DNS over HTTP/2): other rules are about it. What was decided stays decided.
void TransactionInspector::restart(TransactionDetect::Side& kept, AppProto proto) {
  kept = {};
  kept.proto = proto;
}

TransactionDetect& TransactionInspector::state_of(Transaction& tx) const {
  auto* state = static_cast<TransactionDetect*>(tx.detect.get());
  if (state == nullptr || state->engine_id != shared_.engine->id) {
    tx.detect = std::make_unique<TransactionDetect>(shared_.engine->id);
    state = static_cast<TransactionDetect*>(tx.detect.get());
  }
  return *state;
}

namespace {

// Differs when a file began, grew or ended.
std::uint64_t state_of_files(const Transaction& tx) {
  std::uint64_t sum = tx.files.size();
  for (const TransferredFile& file : tx.files) sum += file.size * 2 + (file.is_open() ? 0 : 1);
  return sum;
}

}  // namespace

void TransactionInspector::inspect_side(const Side& side) {
  const std::uint8_t progress = side.tx.progress[index(side.direction)];
  const bool finished = progress >= side.complete;
  TransactionDetect::Side& kept = side.kept;
  Candidates& candidates = shared_.candidates;
  candidates.begin();
  bool changed = progress != kept.progress;
  if (!kept.started) {
    kept.started = true;
    kept.scanned.assign(side.group.buffers.size(), 0);
    candidates.add_all(side.group.without_literal, 0);
  }
  changed = scan_buffers(side, finished) || changed;
  if (const std::uint64_t files = state_of_files(side.tx); files != kept.files) {
    kept.files = files;
    changed = true;
  }
  for (; kept.events < side.tx.events.size(); ++kept.events) {
    const auto found = side.group.by_event.find(side.tx.events[kept.events]);
    if (found != side.group.by_event.end()) candidates.add_all(found->second, 0);
  }
  kept.progress = progress;
  // Rules about packets or flowbits may come true without any change of the transaction.
  if (changed || !side.stream.data.empty() || kept.retry_always || !side.state.common.empty()) {
    candidates.add_all(kept.pending, 0);
    candidates.add_all(side.state.common, 0);
  }
  if (!candidates.empty()) evaluate(side);
  if (!finished) return;
  kept.done = true;
  kept.pending.clear();
  kept.scanned.clear();
}

// Scans what is new of each buffer. True: something was.
bool TransactionInspector::scan_buffers(const Side& side, bool finished) {
  const std::uint8_t progress = side.tx.progress[index(side.direction)];
  std::vector<std::uint32_t>& scanned = side.kept.scanned;
  bool changed = false;
  for (std::size_t i = 0; i < side.group.buffers.size(); ++i) {
    const TransactionBuffer& buffer = *side.group.buffers[i];
    const BufferDescriptor& descriptor = buffer_table()[buffer.buffer];
    if (progress < descriptor.min_progress) break;
    if (scanned[i] == TransactionDetect::kScanned) continue;
    std::uint32_t seen = 0;
    BufferView view;
    for (unsigned instance = 0; descriptor.get(side.tx, side.direction, instance, view); ++instance) {
      seen += static_cast<std::uint32_t>(std::min<std::size_t>(view.data.size() + 1, 1U << 30U));
      scan_instance(buffer, view, instance == 0 ? scanned[i] : 0);
    }
    changed = changed || seen != scanned[i];
    const bool settled = finished || progress >= descriptor.final_progress;
    scanned[i] = settled ? TransactionDetect::kScanned : seen;
  }
  return changed;
}

// `before` bytes of it (plus one) were scanned already.
void TransactionInspector::scan_instance(const TransactionBuffer& buffer, const BufferView& view,
                                         std::uint32_t before) {
  if (buffer.prefilter.empty()) return;
  ByteView data = view.data;
  if (buffer.transforms.empty()) {
    const std::size_t longest = buffer.prefilter.longest();
    if (before > longest && before - 1 <= data.size()) data = data.subspan(before - 1 - (longest - 1));
  } else if (!transformed(buffer.transforms, data)) {
    return;
  }
  buffer.prefilter.scan(data, shared_.scratch, [this](PlanId plan) { shared_.candidates.add(plan, 0); });
}

// Runs the chain; `data` then views scratch of this inspector, until the next call.
bool TransactionInspector::transformed(const std::vector<std::shared_ptr<const Transform>>& chain,
                                       ByteView& data) {
  std::size_t which = 0;
  for (const auto& transform : chain) {
    std::vector<std::uint8_t>& out = transform_room_[which];
    if (!transform->apply(data, out)) return false;
    data = out;
    which ^= 1U;
  }
  return true;
}

void TransactionInspector::evaluate(const Side& side) {
  const std::span<const PlanId> candidates = shared_.candidates.sorted();
  shared_.counters.candidates += candidates.size();
  side.kept.pending.clear();
  side.state.common.clear();
  side.kept.retry_always = false;
  for (const PlanId id : candidates) {
    if (side.state.is_decided(id, side.direction)) continue;
    const RulePlan& plan = shared_.engine->plans[id];
    const bool once = plan.rule->transactional || !plan.rule->app_events.empty();
    const auto decide = [&] { once ? side.state.decide(id) : side.state.decide(id, side.direction); };
    switch (judge(plan, side)) {
      case Verdict::match:
        decide();
        shared_.reporter.accept(*shared_.engine, {id, side.direction, &side.tx, false}, side.packet,
                                &side.flow, shared_.findings, shared_.captures);
        break;
      case Verdict::reject:
        decide();
        break;
      case Verdict::undecided:
        (plan.rule->transactional ? side.state.common : side.kept.pending).push_back(id);
        if (!plan.rule->conditions.empty() || !plan.rule->flowbit_tests.empty())
          side.kept.retry_always = true;
        break;
    }
  }
}

TransactionInspector::Verdict TransactionInspector::judge(const RulePlan& plan, const Side& side) {
  const Rule& rule = *plan.rule;
  if (!transaction_header_holds(rule, side.packet, side.flow, side.direction)) return Verdict::undecided;
  InspectContext context = shared_.context(side.packet, &side.flow, side.direction, &side.tx);
  if (!conditions_hold(rule, context)) return Verdict::undecided;
  Verdict verdict = Verdict::match;
  for (const ListPlan& list : plan.lists) {
    const Verdict one = judge_list(list, context, side.stream);
    if (one == Verdict::reject) return one;
    if (one == Verdict::undecided) verdict = one;
  }
  if (verdict == Verdict::match && !flowbits_hold(rule, &side.flow)) return Verdict::undecided;
  return verdict;
}

TransactionInspector::Verdict TransactionInspector::judge_list(const ListPlan& list, InspectContext& context,
                                                               const StreamView& stream) {
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

TransactionInspector::Verdict TransactionInspector::judge_instances(const ListPlan& list,
                                                                    const BufferDescriptor& buffer,
                                                                    InspectContext& context, Direction side) {
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
    context.side = side;
    context.instance = instance;
    if (holds_in(list, context, data, 0)) return Verdict::match;
  }
  if (!settled && (open || !present || buffer.multiple)) return Verdict::undecided;
  return list.match->absent && !present ? Verdict::match : Verdict::reject;
}

}  // namespace gatehouse::ids
