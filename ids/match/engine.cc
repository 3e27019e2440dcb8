// From checked rules to the plan of scans and evaluations.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "ids/match/literal_choice.h"
#include "ids/match/plan.h"

namespace gatehouse::ids {
namespace {

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
    name_payload_slots();
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
    for (const auto& rule : rules) {
      engine_->addresses.count(rule->source);
      engine_->addresses.count(rule->destination);
    }
    engine_->addresses.number();
    const FlowbitRanks bits(engine_->rules_);
    std::vector<const Rule*> sorted;
    for (const auto& rule : rules) sorted.push_back(rule.get());
    std::stable_sort(sorted.begin(), sorted.end(), [&](const Rule* a, const Rule* b) {
      return std::tuple(rank_of(a->action), bits.of(*a), a->meta.priority) <
             std::tuple(rank_of(b->action), bits.of(*b), b->meta.priority);
    });
    engine_->plans.reserve(sorted.size());
    for (const Rule* rule : sorted) engine_->plans.push_back(plan(*rule));
    engine_->addresses.finish();
  }

  RulePlan plan(const Rule& rule) const {
    RulePlan plan;
    plan.rule = &rule;
    plan.header = HeaderPlan(rule, engine_->addresses);
    plan.has_conditions = !rule.conditions.empty();
    plan.has_flowbit_tests = !rule.flowbit_tests.empty();
    plan.once = rule.transactional || !rule.app_events.empty();
    plan.lists.reserve(rule.buffers.size());
    for (const BufferMatch& list : rule.buffers) {
      plan.lists.push_back(plan_list(list));
      if (list.buffer == kPayloadBuffer) plan.needs_stream = true;
      if (list.buffer == kPayloadBuffer || buffer_table()[list.buffer].get_packet != nullptr)
        plan.retries = true;
    }
    if (!rule.conditions.empty() || !rule.flowbit_tests.empty()) plan.retries = true;
    order_lists(plan.lists);
    for (const std::uint8_t number : rule.ip_protocols)
      plan.transports[static_cast<std::size_t>(kind_of_number(number))] = true;
    if (rule.ip_protocols.empty()) plan.transports.fill(true);
    return plan;
  }

  // Those that cost least are asked first: short buffers before long ones, contents before regexes. Not where
  // one list may need what another one leaves behind.
  static void order_lists(std::vector<ListPlan>& lists) {
    const auto plain = [](const ListPlan& list) {
      return std::all_of(list.ops.begin(), list.ops.end(), [](const OpPlan& plan) {
        return plan.kind == BufferOp::Kind::content ||
               (plan.kind == BufferOp::Kind::pcre && plan.op->pcre().captures.empty());
      });
    };
    if (!std::all_of(lists.begin(), lists.end(), plain)) return;
    const auto cost = [](const ListPlan& list) {
      const BufferDescriptor& buffer = buffer_table()[list.match->buffer];
      const bool grows = buffer.get == nullptr || buffer.final_progress > buffer.min_progress;
      const bool regex = std::any_of(list.ops.begin(), list.ops.end(),
                                     [](const OpPlan& plan) { return plan.kind == BufferOp::Kind::pcre; });
      return (grows ? 2 : 0) + (regex ? 1 : 0);
    };
    std::stable_sort(lists.begin(), lists.end(),
                     [&](const ListPlan& a, const ListPlan& b) { return cost(a) < cost(b); });
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

  // Windows of byte classes are asked one by one where one of them may lie: a few hundred, and other rules do
  // without.
  ChosenLiteral literal_of(const Rule& rule) {
    constexpr std::size_t kMostClassWindows = 512;
    ChosenLiteral literal = choose_literal(rule, class_windows_ < kMostClassWindows);
    if (!literal.then.empty()) ++class_windows_;
    return literal;
  }

  void place_payload(PlanId id, std::size_t kind, std::size_t direction) {
    const Rule& rule = *engine_->plans[id].rule;
    const ChosenLiteral literal = literal_of(rule);
    if (literal.list != nullptr) {
      add_to_packets(EngineImpl::packet_slot(kind, direction), literal, id);
    } else {
      engine_->packet_without_literal[kind][direction].add(rule, id);
    }
  }

  // Few of the literals that may lie anywhere in a packet are left for one whose size and beginning are
  // known.
  void add_to_packets(ScanSlot slot, const ChosenLiteral& literal, PlanId id) {
    const Rule& rule = *engine_->plans[id].rule;
    const Preselected preselected = preselected_of(id);
    if (rule.most_payload <= kNearReach) {
      engine_->literals[slot].add_short(literal, rule.most_payload, preselected);
    } else if (const ChosenLiteral gate = choose_gate(rule, literal); gate.list != nullptr) {
      engine_->literals[slot].add_gated(literal, gate, preselected);
    } else if (are_seldom(rule, rule.source_port)) {
      engine_->literals[slot].add_for_ports(literal, rule.source_port, true, preselected);
    } else if (are_seldom(rule, rule.destination_port)) {
      engine_->literals[slot].add_for_ports(literal, rule.destination_port, false, preselected);
    } else {
      engine_->literals[slot].add(literal, preselected);
    }
  }

  // One packet in many has one of these ports: they are few, and not those of the web.
  static bool are_seldom(const Rule& rule, const PortSet& ports) {
    constexpr std::uint32_t kFew = 16;
    if (ports.any || rule.bidirectional || rule.any_packet) return false;
    std::uint32_t count = 0;
    for (const PortSet::Range& range : ports.ranges) count += range.last - range.first + 1U;
    return count <= kFew && !ports.contains(80) && !ports.contains(8080);
  }

  void place_packet(PlanId id) {
    const RulePlan& plan = engine_->plans[id];
    const Rule& rule = *plan.rule;
    if (rule.any_packet) {
      engine_->any_packet.push_back(id);
      return;
    }
    if (rule.once_per_direction) {
      engine_->once.add(rule, id);
      return;
    }
    for (const std::size_t direction : directions(rule)) {
      if (rule.on_detection) {
        engine_->on_detection[direction].push_back(id);
        continue;
      }
      for (std::size_t kind = 0; kind < kPacketKinds; ++kind) {
        if (!plan.transports[kind]) continue;
        place_payload(id, kind, direction);
      }
    }
  }

  void place_stream(PlanId id) {
    const RulePlan& plan = engine_->plans[id];
    const Rule& rule = *plan.rule;
    const ChosenLiteral literal = literal_of(rule);
    for (const std::size_t direction : directions(rule)) {
      if (literal.list != nullptr) {
        add(EngineImpl::stream_slot(direction), literal, id);
      } else {
        engine_->stream_without_literal[direction].add(rule, id);
      }
      if (!rule.also_packet) continue;
      for (std::size_t kind = 0; kind < kPacketKinds; ++kind) {
        // TCP that is in no stream is searched for the literals of streams, too.
        if (kind == static_cast<std::size_t>(PacketKind::tcp) && !counts_positions(rule)) continue;
        if (plan.transports[kind]) place_payload(id, kind, direction);
      }
    }
  }

  TransactionBuffer& buffer_for(AppProto proto, std::size_t direction, const BufferMatch& list) {
    TransactionGroup& group = engine_->transactions[proto][direction];
    const std::string key = chain_key(list);
    for (const auto& known : group.buffers) {
      std::string known_key;
      for (const auto& transform : known->transforms) known_key += transform->key() + '\0';
      if (known->buffer == list.buffer && known_key == key) return *known;
    }
    TransactionBuffer& added = *group.buffers.emplace_back(std::make_unique<TransactionBuffer>());
    added.buffer = list.buffer;
    added.transforms = list.transforms;
    added.slot = static_cast<ScanSlot>(engine_->slot_names.size());
    engine_->literals.emplace_back(added.joins()   ? Prefilter::Scope::joined
                                   : added.grows() ? Prefilter::Scope::big
                                                   : Prefilter::Scope::small);
    engine_->slot_names.push_back(slot_name(proto, added, direction));
    return added;
  }

  Preselected preselected_of(PlanId id) const {
    Preselected rule;
    rule.plan = id;
    rule.of_transaction = engine_->plans[id].payload_literal;
    rule.ports = PortBox(*engine_->plans[id].rule);
    return rule;
  }
  void add(ScanSlot slot, const ChosenLiteral& literal, PlanId id) {
    engine_->literals[slot].add(literal, preselected_of(id));
  }

  // The directions in which the literal's buffer can appear.
  static std::vector<std::size_t> literal_directions(const Rule& rule, const BufferMatch& list) {
    const BufferDescriptor& buffer = buffer_table()[list.buffer];
    if (list.direction) return {index(*list.direction)};
    if (buffer.direction) return {index(*buffer.direction)};
    return directions(rule);
  }

  // The rule is asked about the open transactions when the literal comes by.
  void place_payload_of_transaction(PlanId id, const ChosenLiteral& literal) {
    RulePlan& plan = engine_->plans[id];
    plan.payload_literal = true;
    for (const std::size_t direction : directions(*plan.rule)) {
      if (plan.transports[static_cast<std::size_t>(PacketKind::tcp)])
        add(EngineImpl::stream_slot(direction), literal, id);
      if (plan.transports[static_cast<std::size_t>(PacketKind::udp)]) {
        add(EngineImpl::packet_slot(static_cast<std::size_t>(PacketKind::udp), direction), literal, id);
      }
    }
  }

  void place_transaction(PlanId id) {
    const Rule& rule = *engine_->plans[id].rule;
    const ChosenLiteral literal = literal_of(rule);
    const bool in_payload =
        literal.list != nullptr && literal.list->buffer == kPayloadBuffer && rule.app_events.empty();
    if (in_payload) place_payload_of_transaction(id, literal);
    for (const AppProto proto : rule.app_protocols) {
      auto& sides = engine_->transactions[proto];
      for (const std::size_t direction : directions(rule)) {
        sides[direction].empty = false;
        // Growth of a body must be noticed even when no literal of the rule is looked for in it.
        for (const BufferMatch& list : rule.buffers) {
          const BufferDescriptor& buffer = buffer_table()[list.buffer];
          if (buffer.get != nullptr && buffer.final_progress > buffer.min_progress)
            buffer_for(proto, direction, list);
        }
        if (!rule.app_events.empty()) {
          for (const auto& [owner, event] : rule.app_events) sides[direction].by_event[event].push_back(id);
        } else if (literal.list == nullptr) {
          sides[direction].without_literal.push_back(id);
        }
      }
      if (literal.list == nullptr || in_payload || !rule.app_events.empty()) continue;
      for (const std::size_t direction : literal_directions(rule, *literal.list)) {
        add(buffer_for(proto, direction, *literal.list).slot, literal, id);
      }
    }
  }

  static constexpr std::array<std::string_view, 2> kSides = {"to_server", "to_client"};

  static std::string slot_name(AppProto proto, const TransactionBuffer& buffer, std::size_t direction) {
    std::string name = fmt::format("{} {}", app_proto_name(proto), buffer_table()[buffer.buffer].name);
    for (const auto& transform : buffer.transforms) name += fmt::format(" {}", transform->key());
    return fmt::format("{} {}", name, kSides[direction]);
  }

  void name_payload_slots() {
    static constexpr std::array<std::string_view, kPacketKinds> kKinds = {"tcp", "udp", "icmp", "other"};
    engine_->literals.resize(EngineImpl::kPayloadSlots);
    engine_->slot_names.resize(EngineImpl::kPayloadSlots);
    for (const std::size_t d : {0U, 1U}) {
      for (std::size_t kind = 0; kind < kPacketKinds; ++kind) {
        engine_->slot_names[EngineImpl::packet_slot(kind, d)] =
            fmt::format("{} payload {}", kKinds[kind], kSides[d]);
      }
      engine_->slot_names[EngineImpl::stream_slot(d)] = fmt::format("tcp stream {}", kSides[d]);
    }
  }

  // A file that is the body of a message has the same bytes: both are looked for in one scan.
  void join_bodies() {
    const AppProto http = find_parser("http");
    if (http == kAppUnknown) return;
    for (TransactionGroup& group : engine_->transactions[http]) {
      TransactionBuffer* file = nullptr;
      for (const auto& buffer : group.buffers) {
        if (!buffer->transforms.empty()) continue;
        const std::string_view name = buffer_table()[buffer->buffer].name;
        if (name == "file.data") file = buffer.get();
      }
      if (file == nullptr) continue;
      for (const auto& buffer : group.buffers) {
        const std::string_view name = buffer_table()[buffer->buffer].name;
        if (!buffer->transforms.empty() || (name != "http.request_body" && name != "http.response_body"))
          continue;
        engine_->literals[file->slot].take(engine_->literals[buffer->slot]);
        buffer->slot = file->slot;
        buffer->shares_slot = file->shares_slot = true;
      }
    }
  }

  core::Status compile() {
    join_bodies();
    for (Prefilter& set : engine_->literals) set.build(engine_->summary_);
    engine_->once.build();
    for (auto& sides : engine_->packet_without_literal) {
      for (HeaderIndex& index : sides) index.build();
    }
    for (HeaderIndex& index : engine_->stream_without_literal) index.build();
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
  std::size_t class_windows_ = 0;
};

core::Result<std::shared_ptr<const Engine>> Engine::build(RuleList rules, const EngineOptions& options) {
  return EngineBuilder(std::move(rules), options).build();
}

void EngineImpl::prepare(ScanScratch& scratch) const {
  for (const Prefilter& set : literals) set.prepare(scratch);
}

}  // namespace gatehouse::ids
