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
  if (sides[0].empty && sides[1].empty) return;
  const std::size_t d = index(direction);
  const std::uint8_t complete = parser_of(app->proto).complete[d];
  steps_ = app->proto == http_;
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
    kept.first_open = 0;
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
  candidates.add_all(shared_.payload_hits, 0);
  kept.progress = progress;
  wake_pending(side, changed);
  if (!candidates.empty()) evaluate(side);
  if (!finished) return;
  kept.done = true;
  kept.pending.clear();
  kept.scanned.clear();
}

// Of the rules that wait: all when there is something new to look at, else those that wait for something
// outside of the transaction.
void TransactionInspector::wake_pending(const Side& side, bool changed) {
  TransactionDetect::Side& kept = side.kept;
  Candidates& candidates = shared_.candidates;
  candidates.add_all(side.state.common, 0);
  side.state.common.clear();
  if (changed) {
    candidates.add_all(kept.pending, 0);
    kept.pending.clear();
  } else if (kept.retry_always) {
    std::erase_if(kept.pending, [&](PlanId id) {
      if (!shared_.engine->plans[id].retries) return false;
      candidates.add(id, 0);
      return true;
    });
  }
  if (changed || kept.retry_always) kept.retry_always = false;
}

// A body of HTTP is looked at when it is complete, and on its way each time it has grown enough: looking at
// every segment would cost the square of its length.
bool TransactionInspector::hidden(const BufferDescriptor& descriptor, const BufferView& view, bool settled,
                                  std::uint32_t seen) const {
  constexpr std::size_t kFirstLook = 32 * 1024, kStep = 16 * 1024;
  if (!steps_ || settled || view.final || descriptor.final_progress <= descriptor.min_progress) return false;
  const std::size_t looked = seen == 0 ? 0 : seen - 1;
  return view.data.size() < (looked == 0 ? kFirstLook : looked + kStep);
}

// Scans what is new of each buffer. True: something was.
bool TransactionInspector::scan_buffers(const Side& side, bool finished) {
  const std::uint8_t progress = side.tx.progress[index(side.direction)];
  std::vector<std::uint32_t>& scanned = side.kept.scanned;
  bool changed = false;
  body_view_ = {};
  std::size_t& first = side.kept.first_open;
  while (first < scanned.size() && scanned[first] == TransactionDetect::kScanned) ++first;
  for (std::size_t i = first; i < side.group.buffers.size(); ++i) {
    const TransactionBuffer& buffer = *side.group.buffers[i];
    const BufferDescriptor& descriptor = buffer_table()[buffer.buffer];
    if (progress < descriptor.min_progress) break;
    if (scanned[i] == TransactionDetect::kScanned) continue;
    const bool settled = finished || progress >= descriptor.final_progress;
    std::uint32_t seen = 0;
    BufferView view;
    if (settled && buffer.joins()) {
      changed = scan_joined(side, buffer) || changed;
      scanned[i] = TransactionDetect::kScanned;
      continue;
    }
    for (unsigned instance = 0; descriptor.get(side.tx, side.direction, instance, view); ++instance) {
      if (instance == 0 && hidden(descriptor, view, settled, scanned[i])) {
        seen = scanned[i];
        break;
      }
      seen += static_cast<std::uint32_t>(std::min<std::size_t>(view.data.size() + 1, 1U << 30U));
      scan_instance(side.packet, buffer, view, instance == 0 ? scanned[i] : 0);
    }
    changed = changed || seen != scanned[i];
    scanned[i] = settled ? TransactionDetect::kScanned : seen;
  }
  return changed;
}

// All instances of a buffer in one scan: they are short, and what a scan costs is little for a byte and much
// for a call. A literal across two of them makes a candidate that evaluation rejects.
bool TransactionInspector::scan_joined(const Side& side, const TransactionBuffer& buffer) {
  const BufferDescriptor& descriptor = buffer_table()[buffer.buffer];
  std::vector<std::uint8_t>& all = transform_room_[0];
  all.clear();
  BufferView view;
  unsigned instances = 0;
  for (; descriptor.get(side.tx, side.direction, instances, view); ++instances)
    all.insert(all.end(), view.data.begin(), view.data.end());
  if (instances == 0) return false;
  shared_.engine->scan(buffer.slot, {all, 0, 0, false, true}, side.packet, shared_.scratch,
                       [this](const Preselected& rule) { shared_.candidates.add(rule.plan, 0); });
  return true;
}

// `before` bytes of it (plus one) were scanned already.
void TransactionInspector::scan_instance(const Packet& packet, const TransactionBuffer& buffer,
                                         const BufferView& view, std::uint32_t before) {
  ScanView scan{view.data, 0, 0, false, false};
  if (buffer.transforms.empty()) {
    if (before != 0 && before - 1 <= view.data.size()) scan.old = before - 1;
  } else if (!transformed(buffer.transforms, scan.data)) {
    return;
  }
  if (buffer.shares_slot) {
    if (scan.data.data() == body_view_.data.data() && scan.data.size() == body_view_.data.size() &&
        scan.old == body_view_.old) {
      return;
    }
    body_view_ = scan;
  }
  shared_.engine->scan(buffer.slot, scan, packet, shared_.scratch,
                       [this](const Preselected& rule) { shared_.candidates.add(rule.plan, 0); });
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

// The plans of a few candidates ahead: they lie all over the rules, and most were not asked for long.
void TransactionInspector::prefetch(std::span<const PlanId> candidates, std::size_t at) const {
  constexpr std::size_t kLists = 6, kPlans = 12;
  const std::vector<RulePlan>& plans = shared_.engine->plans;
  if (at + kPlans < candidates.size()) {
    const char* plan = reinterpret_cast<const char*>(&plans[candidates[at + kPlans]]);
    __builtin_prefetch(plan);
    __builtin_prefetch(plan + sizeof(RulePlan) - 1);
  }
  if (at + kLists < candidates.size()) __builtin_prefetch(plans[candidates[at + kLists]].lists.data());
}

void TransactionInspector::evaluate(const Side& side) {
  const std::span<const PlanId> candidates = shared_.candidates.sorted();
  shared_.counters.candidates += candidates.size();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    prefetch(candidates, i);
    const PlanId id = candidates[i];
    if (side.state.is_decided(id, side.direction)) continue;
    const RulePlan& plan = shared_.engine->plans[id];
    const auto decide = [&] { plan.once ? side.state.decide(id) : side.state.decide(id, side.direction); };
    const Verdict verdict = shared_.costs.measure(id, [&](CostSamples* costs) {
      const Verdict found = judge(plan, side);
      if (costs != nullptr) costs->hits += found == Verdict::match ? 1U : 0U;
      return found;
    });
    switch (verdict) {
      case Verdict::match:
        // A rule that stores files waits for the next one.
        if (plan.rule->file_needs.store && !plan.rule->transactional) {
          side.kept.pending.push_back(id);
        } else {
          decide();
        }
        shared_.reporter.accept(*shared_.engine, {id, side.direction, &side.tx, false}, side.packet,
                                &side.flow, shared_.findings, shared_.captures);
        break;
      case Verdict::reject:
        decide();
        break;
      case Verdict::never:
        break;
      case Verdict::undecided:
        if (plan.payload_literal) break;  // the literal brings it back
        (plan.rule->transactional ? side.state.common : side.kept.pending).push_back(id);
        if (plan.retries) side.kept.retry_always = true;
        break;
    }
  }
}

TransactionInspector::Verdict TransactionInspector::judge(const RulePlan& plan, const Side& side) {
  const Rule& rule = *plan.rule;
  if (!plan.header.holds_for_transaction(rule, side.packet, side.flow, side.direction,
                                         shared_.engine->addresses, shared_.addresses)) {
    return plan.header.may_hold(rule, side.packet, shared_.engine->addresses, shared_.addresses)
               ? Verdict::undecided
               : Verdict::never;
  }
  if (plan.has_flowbit_tests && !flowbits_hold(rule, &side.flow)) return Verdict::undecided;
  InspectContext context = shared_.context(side.packet, &side.flow, side.direction, &side.tx);
  if (plan.has_conditions && !conditions_hold(rule, context)) return Verdict::undecided;
  Verdict verdict = Verdict::match;
  for (const ListPlan& list : plan.lists) {
    const Verdict one = judge_list(list, context, side.stream);
    if (one == Verdict::reject) return one;
    if (one == Verdict::undecided) verdict = one;
  }
  return verdict;
}

TransactionInspector::Verdict TransactionInspector::judge_list(const ListPlan& list, InspectContext& context,
                                                               const StreamView& stream) {
  const BufferDescriptor& buffer = buffer_table()[list.buffer];
  if (list.buffer == kPayloadBuffer) {
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
  if (list.direction) {
    side = *list.direction;
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
    if (list.transformed && !transformed(list.match->transforms, data)) continue;
    if (instance == 0 && hidden(buffer, view, settled, 0)) {
      open = true;
      continue;
    }
    present = true;
    const bool final_now = view.final || settled;
    open = open || !final_now;
    if (list.needs_final && !final_now) continue;
    if (list.absent && !list.absent_or_else) continue;
    context.side = side;
    context.instance = instance;
    if (holds_in(list, context, data, 0)) return Verdict::match;
  }
  if (!settled && (open || !present || buffer.multiple)) return Verdict::undecided;
  return list.absent && !present ? Verdict::match : Verdict::reject;
}

}  // namespace gatehouse::ids
