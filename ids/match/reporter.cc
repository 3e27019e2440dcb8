#include "ids/match/reporter.h"

#include <algorithm>

#include "core/json.h"
#include "ids/match/rule_header.h"
#include "ids/match/thresholds.h"
#include "ids/state/flow_variables.h"
#include "ids/state/resources.h"

namespace gatehouse::ids {

namespace {

// Does what the rule decides hold for the rest of its flow? Yes, when it looked at the flow, a
// transaction or the stream; no, when it looked at this packet.
bool speaks_of_flow(const Rule& rule, const Accepted& match) {
  if (match.tx != nullptr || match.from_stream || rule.once_per_direction) return true;
  return !rule.app_protocols.empty() && rule.buffers.empty() &&
         std::none_of(rule.conditions.begin(), rule.conditions.end(),
                      [](const auto& condition) { return condition->needs_packet(); });
}

}  // namespace

void Reporter::accept(const EngineImpl& engine, Accepted match, const Packet& packet, Flow* flow,
                      std::span<const Finding> findings, std::span<const Capture> captures) {
  const Rule& rule = *engine.plans[match.plan].rule;
  if (flow != nullptr) change_flowbits(rule, *flow);
  if (!rule.match_actions.empty() || !findings.empty()) {
    ActionContext context{packet, flow, match.direction, match.tx, *engine.rules().resources, match.context};
    for (const auto& action : rule.match_actions) action->apply(context);
    for (const Finding& finding : findings) finding.test->commit(context, finding.value);
  }
  for (const Capture& capture : captures) keep(capture, flow, match);
  found_.push_back(std::move(match));
}

void Reporter::keep(const Capture& capture, Flow* flow, Accepted& match) {
  switch (capture.scope) {
    case CaptureScope::packet:
      std::erase_if(packet_captures_, [&](const Capture& known) { return known.name == capture.name; });
      if (packet_captures_.size() < kMaxFlowCaptures) packet_captures_.push_back(capture);
      break;
    case CaptureScope::flow:
      if (flow == nullptr) break;
      if (flow_captures(*flow) == nullptr) flow->extra().captures = std::make_unique<FlowCaptures>();
      flow_captures(*flow)->keep(capture);
      break;
    case CaptureScope::alert:
      if (!match.context.empty()) match.context += ',';
      core::append_json_string(match.context, capture.name);
      match.context += ':';
      core::append_json_string(match.context, capture.value);
      break;
  }
}

void Reporter::report(const EngineImpl& engine, const Packet& packet, Flow* flow, DetectorCounters& counters,
                      std::vector<Match>& out) {
  if (found_.empty()) return;
  std::stable_sort(found_.begin(), found_.end(),
                   [](const Accepted& a, const Accepted& b) { return a.plan < b.plan; });
  bool passed = false, dropped = false;
  unsigned reported = 0;
  for (Accepted& f : found_) {
    const RulePlan& plan = engine.plans[f.plan];
    const Rule& rule = *plan.rule;
    // Pass silences what is ordered behind it; what is ordered before it still speaks, on this packet.
    if (rule.action != RuleAction::pass && passed) continue;
    RuleAction action = rule.action;
    const Outcome outcome = judge(engine, rule, packet, flow, action);
    if (outcome != Outcome::tell) ++counters.suppressed;
    if (outcome == Outcome::nothing) continue;
    if (outcome == Outcome::tell && !rule.alert_actions.empty()) {
      ActionContext context{packet, flow, f.direction, f.tx, *engine.rules().resources, f.context};
      for (const auto& a : rule.alert_actions) a->apply(context);
    }
    const bool whole_flow = speaks_of_flow(rule, f);
    if (action == RuleAction::pass) {
      passed = true;
      // Who was turned away by a rule before it is not let through by this one.
      if (flow != nullptr && whole_flow && !dropped) flow->pass = true;
      if (!rule.always_alert) continue;
    }
    if (action == RuleAction::drop || action == RuleAction::reject) {
      dropped = true;
      if (flow != nullptr && whole_flow) flow->drop = true;
    }
    const bool silent = rule.noalert || action == RuleAction::config;
    if (outcome != Outcome::tell || silent) continue;
    if (reported == engine.packet_alert_max) {
      ++counters.queue_overflow;
      continue;
    }
    ++reported;
    ++counters.alerts;
    if (flow != nullptr) flow->alerted = true;
    out.push_back({&rule, f.direction, f.tx, f.from_stream, action, std::move(f.context)});
  }
}

Reporter::Outcome Reporter::judge(const EngineImpl& engine, const Rule& rule, const Packet& packet,
                                  const Flow* flow, RuleAction& action) {
  if (suppressed(rule, packet)) return Outcome::act;
  const auto one = [&](const Threshold& threshold) {
    switch (admit(engine.rules().resources->thresholds, rule, threshold, packet, flow)) {
      case Admission::changed:
        action = threshold.new_action;
        break;
      case Admission::alert:
        break;
      case Admission::quiet:
        return Outcome::act;
      case Admission::below:
        return Outcome::nothing;
    }
    return Outcome::tell;
  };
  if (rule.detection_filter) {
    const Outcome outcome = one(*rule.detection_filter);
    if (outcome != Outcome::tell) return outcome;
  }
  for (const Threshold& threshold : rule.thresholds) {
    const Outcome outcome = one(threshold);
    if (outcome != Outcome::tell) return outcome;
  }
  return Outcome::tell;
}

bool count_tags(RuleResources& resources, const Packet& packet, Flow* flow) {
  if (!resources.tagged.load(std::memory_order_relaxed) || packet.ip_version == 0) return false;
  bool wanted = false;
  if (FlowVariables* variables = flow == nullptr ? nullptr : flow_variables(*flow); variables != nullptr)
    wanted = variables->tags.count(packet);
  for (const IpAddress* host : {&packet.source, &packet.destination}) {
    resources.host_tags.visit(AddressKey::host(*host, 0), packet.time_us, [&](HostTags& tags) {
      wanted = tags.count(packet) || wanted;
      return !tags.empty();
    });
  }
  return wanted;
}

}  // namespace gatehouse::ids
