// From checked rules to the plan of scans and evaluations.
#include <algorithm>
#include <atomic>

#include "ids/match/plan.h"

namespace gatehouse::ids {
namespace {

constexpr std::size_t kLongestUsedLiteral = 48;  // more only costs compile time

struct ChosenLiteral {
  const BufferMatch* list = nullptr;  // null: none
  std::string_view bytes;
  bool nocase = false;
};

bool usable(const Rule& rule, const BufferMatch& list) {
  if (list.absent) return false;
  const BufferDescriptor& buffer = buffer_table()[list.buffer];
  if (rule.rule_class == RuleClass::transaction) return buffer.get != nullptr;
  return list.buffer == kPayloadBuffer && list.transforms.empty();
}

// How well a literal preselects: long and varied is rare.
int score(const BufferMatch& list, const ContentOp& content) {
  std::array<bool, 256> seen{};
  int distinct = 0;
  for (const char c : content.pattern) {
    bool& mark = seen[static_cast<std::uint8_t>(c)];
    if (!mark) ++distinct;
    mark = true;
  }
  const int length = static_cast<int>(std::min(content.pattern.size(), kLongestUsedLiteral));
  int value = length + 2 * distinct;
  if (content.pattern.size() < 4) value -= 100;
  // Bodies are big: a literal elsewhere is cheaper to look for.
  const BufferDescriptor& buffer = buffer_table()[list.buffer];
  if (buffer.final_progress > buffer.min_progress) value -= 20;
  return value;
}

ChosenLiteral choose_literal(const Rule& rule) {
  const ContentOp* best = nullptr;
  ChosenLiteral chosen;
  int best_score = 0;
  for (const BufferMatch& list : rule.buffers) {
    if (!usable(rule, list)) continue;
    for (const BufferOp& op : list.ops) {
      if (op.kind != BufferOp::Kind::content || op.content.negated) continue;
      const int value = op.content.fast_pattern ? 1'000'000 : score(list, op.content);
      if (best != nullptr && value <= best_score) continue;
      best = &op.content;
      best_score = value;
      chosen.list = &list;
    }
  }
  if (best == nullptr) return {};
  chosen.bytes = best->pattern;
  if (best->chop_length != 0) chosen.bytes = chosen.bytes.substr(best->chop_offset, best->chop_length);
  chosen.bytes = chosen.bytes.substr(0, kLongestUsedLiteral);
  chosen.nocase = best->nocase;
  return chosen;
}

// Rules that set a flowbit (or change a counter, a mark, a set) come before those that test it. Chains (a
// rule that tests one bit and sets another) are followed as far as they go without a cycle.
class FlowbitRanks {
 public:
  explicit FlowbitRanks(const RuleList& rules)
      : setters_(rules.flowbit_names.size()), ranks_(rules.rules.size(), kUnknown) {
    for (const auto& rule : rules.rules) {
      for (const StateUse& use : rule->state_uses) {
        if (use.name >= writers_.size()) writers_.resize(use.name + std::size_t{1});
        if (use.writes) writers_[use.name].push_back(rule->order);
      }
    }
    for (const auto& rule : rules.rules) {
      for (const FlowbitOp& op : rule->flowbit_actions) {
        for (const std::uint32_t bit : op.bits) setters_[bit].push_back(rule->order);
      }
    }
    for (const auto& rule : rules.rules) rank(rules, rule->order, 0);
  }
  std::uint32_t of(const Rule& rule) const { return ranks_[rule.order]; }

 private:
  static constexpr std::uint32_t kUnknown = 0xffff'ffffU, kBusy = 0xffff'fffeU;
  static constexpr std::uint32_t kNone = 1'000'000;  // no flowbits: after all that have some
  static constexpr unsigned kDeepest = 64;

  std::uint32_t rank(const RuleList& rules, std::uint32_t at, unsigned depth) {
    if (ranks_[at] != kUnknown) return ranks_[at] == kBusy ? 0 : ranks_[at];
    const Rule& rule = *rules.rules[at];
    ranks_[at] = kBusy;
    const bool none = rule.flowbit_tests.empty() && rule.flowbit_actions.empty() && rule.state_uses.empty();
    std::uint32_t value = none ? kNone : 0;
    const auto after = [&](const std::vector<std::uint32_t>& setters) {
      for (const std::uint32_t setter : setters) {
        if (setter != at && depth < kDeepest) value = std::max(value, rank(rules, setter, depth + 1) + 1);
      }
      value = std::max<std::uint32_t>(value, 1);
    };
    for (const FlowbitOp& op : rule.flowbit_tests) {
      for (const std::uint32_t bit : op.bits) after(setters_[bit]);
    }
    for (const StateUse& use : rule.state_uses) {
      if (!use.writes) after(writers_[use.name]);
    }
    ranks_[at] = value;
    return value;
  }

  std::vector<std::vector<std::uint32_t>> setters_, writers_;  // rules, by flowbit and by state name
  std::vector<std::uint32_t> ranks_;
};

std::string chain_key(const BufferMatch& list) {
  std::string key;
  for (const auto& transform : list.transforms) key += transform->key() + '\0';
  return key;
}

}  // namespace

class EngineBuilder {
 public:
  EngineBuilder(RuleList rules, const EngineOptions& options)
      : engine_(std::make_shared<EngineImpl>()), options_(options) {
    static std::atomic<std::uint64_t> next{1};
    engine_->id = next++;
    engine_->rules_ = std::move(rules);
    engine_->packet_alert_max = options.packet_alert_max;
    engine_->stream_chunk_bytes = options.stream_chunk_bytes;
    engine_->transactions.resize(parser_table().size() + 1);
  }

  core::Result<std::shared_ptr<const Engine>> build() {
    order_rules();
    for (PlanId id = 0; id < engine_->plans.size(); ++id) place(id);
    GH_CHECK(compile());
    engine_->summary_.rules = engine_->plans.size();
    return std::shared_ptr<const Engine>(engine_);
  }

 private:
  std::uint8_t rank_of(RuleAction action) const {
    const auto& order = options_.action_order;
    const auto found = std::find(order.begin(), order.end(), action);
    return static_cast<std::uint8_t>(found - order.begin());
  }

  void order_rules() {
    auto& rules = engine_->rules_.rules;
    const FlowbitRanks bits(engine_->rules_);
    std::vector<const Rule*> sorted;
    for (const auto& rule : rules) sorted.push_back(rule.get());
    std::stable_sort(sorted.begin(), sorted.end(), [&](const Rule* a, const Rule* b) {
      return std::tuple(rank_of(a->action), bits.of(*a), a->meta.priority) <
             std::tuple(rank_of(b->action), bits.of(*b), b->meta.priority);
    });
    engine_->pass_rank = rank_of(RuleAction::pass);
    for (const Rule* rule : sorted) engine_->plans.push_back(plan(*rule));
  }

  RulePlan plan(const Rule& rule) const {
    RulePlan plan;
    plan.rule = &rule;
    plan.action_rank = rank_of(rule.action);
    for (const BufferMatch& list : rule.buffers) {
      plan.lists.push_back(plan_list(list));
      if (list.buffer == kPayloadBuffer) plan.needs_stream = true;
    }
    for (const std::uint8_t number : rule.ip_protocols)
      plan.transports[static_cast<std::size_t>(kind_of_number(number))] = true;
    if (rule.ip_protocols.empty()) plan.transports.fill(true);
    return plan;
  }

  static PacketKind kind_of_number(std::uint8_t number) {
    switch (number) {
      case kProtoTcp:
        return PacketKind::tcp;
      case kProtoUdp:
        return PacketKind::udp;
      case kProtoIcmp:
      case kProtoIcmp6:
        return PacketKind::icmp;
      default:
        return PacketKind::other;
    }
  }

  static std::vector<std::size_t> directions(const Rule& rule) {
    if (rule.flow.direction) return {index(*rule.flow.direction)};
    return {0, 1};
  }

  void place(PlanId id) {
    switch (engine_->plans[id].rule->rule_class) {
      case RuleClass::event:
        return place_event(id);
      case RuleClass::packet:
        return place_packet(id);
      case RuleClass::stream:
        return place_stream(id);
      case RuleClass::transaction:
        return place_transaction(id);
    }
  }

  void place_event(PlanId id) {
    const Rule& rule = *engine_->plans[id].rule;
    for (const std::uint16_t event : rule.decode_events) engine_->by_decode_event[event].push_back(id);
    for (const std::uint16_t event : rule.stream_events) engine_->by_stream_event[event].push_back(id);
    for (const auto& [proto, event] : rule.app_events) engine_->by_detection_event[event].push_back(id);
  }

  // A bidirectional rule's destination ports may be on either side.
  static PortSet destination_ports(const Rule& rule) {
    return rule.bidirectional ? PortSet{} : rule.destination_port;
  }

  void place_payload(PlanId id, std::size_t kind, std::size_t direction) {
    const Rule& rule = *engine_->plans[id].rule;
    const ChosenLiteral literal = choose_literal(rule);
    if (literal.list != nullptr) {
      engine_->packet[kind][direction].add(literal.bytes, literal.nocase, id);
    } else {
      engine_->packet_without_literal[kind][direction].add(destination_ports(rule), id);
    }
  }

  void place_packet(PlanId id) {
    const RulePlan& plan = engine_->plans[id];
    const Rule& rule = *plan.rule;
    if (rule.any_packet) {
      engine_->any_packet.push_back(id);
      return;
    }
    for (const std::size_t direction : directions(rule)) {
      if (rule.on_detection) {
        engine_->on_detection[direction].push_back(id);
        continue;
      }
      for (std::size_t kind = 0; kind < kPacketKinds; ++kind) {
        if (!plan.transports[kind]) continue;
        if (rule.once_per_direction) {
          engine_->once[kind][direction].push_back(id);
        } else {
          place_payload(id, kind, direction);
        }
      }
    }
  }

  void place_stream(PlanId id) {
    const RulePlan& plan = engine_->plans[id];
    const Rule& rule = *plan.rule;
    const ChosenLiteral literal = choose_literal(rule);
    for (const std::size_t direction : directions(rule)) {
      if (literal.list != nullptr) {
        engine_->stream[direction].add(literal.bytes, literal.nocase, id);
      } else {
        engine_->stream_without_literal[direction].add(destination_ports(rule), id);
      }
      if (!rule.also_packet) continue;
      for (std::size_t kind = 0; kind < kPacketKinds; ++kind) {
        if (plan.transports[kind]) place_payload(id, kind, direction);
      }
    }
  }

  TransactionBuffer& buffer_for(TransactionGroup& group, const BufferMatch& list) {
    const std::string key = chain_key(list);
    for (const auto& known : group.buffers) {
      std::string known_key;
      for (const auto& transform : known->transforms) known_key += transform->key() + '\0';
      if (known->buffer == list.buffer && known_key == key) return *known;
    }
    group.buffers.push_back(std::make_unique<TransactionBuffer>());
    group.buffers.back()->buffer = list.buffer;
    group.buffers.back()->transforms = list.transforms;
    return *group.buffers.back();
  }

  // The directions in which the literal's buffer can appear.
  static std::vector<std::size_t> literal_directions(const Rule& rule, const BufferMatch& list) {
    const BufferDescriptor& buffer = buffer_table()[list.buffer];
    if (list.direction) return {index(*list.direction)};
    if (buffer.direction) return {index(*buffer.direction)};
    return directions(rule);
  }

  void place_transaction(PlanId id) {
    const Rule& rule = *engine_->plans[id].rule;
    const ChosenLiteral literal = choose_literal(rule);
    for (const AppProto proto : rule.app_protocols) {
      auto& sides = engine_->transactions[proto];
      for (const std::size_t direction : directions(rule)) {
        // Growth of a body must be noticed even when no literal of the rule is looked for in it.
        for (const BufferMatch& list : rule.buffers) {
          const BufferDescriptor& buffer = buffer_table()[list.buffer];
          if (buffer.get != nullptr && buffer.final_progress > buffer.min_progress)
            buffer_for(sides[direction], list);
        }
        if (!rule.app_events.empty()) {
          for (const auto& [owner, event] : rule.app_events) sides[direction].by_event[event].push_back(id);
        } else if (literal.list == nullptr) {
          sides[direction].without_literal.push_back(id);
        }
      }
      if (literal.list == nullptr || !rule.app_events.empty()) continue;
      for (const std::size_t direction : literal_directions(rule, *literal.list)) {
        buffer_for(sides[direction], *literal.list).prefilter.add(literal.bytes, literal.nocase, id);
      }
    }
  }

  template <class F>
  core::Status each_prefilter(F&& f) {
    for (auto& sides : engine_->packet) {
      for (Prefilter& p : sides) GH_CHECK(f(p));
    }
    for (Prefilter& p : engine_->stream) GH_CHECK(f(p));
    for (auto& sides : engine_->transactions) {
      for (TransactionGroup& group : sides) {
        for (auto& buffer : group.buffers) GH_CHECK(f(buffer->prefilter));
      }
    }
    return {};
  }

  core::Status compile() {
    GH_CHECK(each_prefilter([&](Prefilter& p) { return p.build(options_.cache_dir, engine_->summary_); }));
    for (auto& sides : engine_->packet_without_literal) {
      for (PortGroups& groups : sides) groups.build();
    }
    for (PortGroups& groups : engine_->stream_without_literal) groups.build();
    for (auto& sides : engine_->transactions) {
      for (TransactionGroup& group : sides) {
        std::stable_sort(group.buffers.begin(), group.buffers.end(), [](const auto& a, const auto& b) {
          return buffer_table()[a->buffer].min_progress < buffer_table()[b->buffer].min_progress;
        });
      }
    }
    return {};
  }

  std::shared_ptr<EngineImpl> engine_;
  const EngineOptions& options_;
};

core::Result<std::shared_ptr<const Engine>> Engine::build(RuleList rules, const EngineOptions& options) {
  return EngineBuilder(std::move(rules), options).build();
}

core::Status EngineImpl::prepare(ScanScratch& scratch) const {
  const auto prepare_one = [&](const Prefilter& p) { return p.prepare(scratch); };
  for (const auto& sides : packet) {
    for (const Prefilter& p : sides) GH_CHECK(prepare_one(p));
  }
  for (const Prefilter& p : stream) GH_CHECK(prepare_one(p));
  for (const auto& sides : transactions) {
    for (const TransactionGroup& group : sides) {
      for (const auto& buffer : group.buffers) GH_CHECK(prepare_one(buffer->prefilter));
    }
  }
  return {};
}

}  // namespace gatehouse::ids
