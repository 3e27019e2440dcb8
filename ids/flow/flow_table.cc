#include "ids/flow/flow_table.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "ids/flow/flow_index.h"
#include "ids/flow/flow_slabs.h"
#include "ids/flow/flow_tuple.h"
#include "ids/flow/hash.h"
#include "ids/flow/tcp.h"

namespace gatehouse::ids {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::size_t kFirstSlots = 1024;
// Flows that nobody has answered may use this part of the memory: a flood is made of them, and neither
// may it take all of it nor shorten the time of the others.
constexpr std::uint64_t kFreshShare = 8;
constexpr std::uint64_t kIdMask = (std::uint64_t{1} << 51U) - 1;

std::uint32_t seconds_of(const StateTimeouts& timeouts, std::size_t state) {
  const std::uint32_t by_state[kFlowStates] = {timeouts.fresh, timeouts.established, timeouts.closed};
  return by_state[state];
}

}  // namespace

class FlowTable::Impl {
 public:
  Impl(FlowTableOptions options, FlowEndHandler& handler)
      : options_(options), handler_(handler), seed_(seed_or_random(options.hash_seed)) {
    set_timeouts();
    counters_.memuse = index_.slots() * FlowIndex::kSlotBytes;
    fresh_limit_ = std::max<std::uint64_t>(options.memcap_bytes / kFreshShare / sizeof(FlowNode), 1);
  }
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Flow* handle(Packet& packet);
  void update(Flow& flow);
  bool end_oldest_half_open(const Flow& keep);
  void expire(std::int64_t now_us);
  void finish(FlowEndReason reason);
  const FlowTableCounters& counters() const { return counters_; }
  bool emergency() const { return hurry_ != Hurry::none; }

 private:
  // Which time-outs are hurried: those of unanswered flows, when these are too many; all, when there is
  // no room.
  enum class Hurry : std::uint8_t { none, fresh, all };

  FlowNode* find(const FlowTuple& tuple, std::uint32_t hash, const Packet& packet, Direction& direction);
  FlowNode* create(const FlowTuple& tuple, std::uint32_t hash, const Packet& packet);
  FlowNode* take_node();
  bool add_slab();
  bool grow_index();
  void enter(Hurry hurry);
  bool evict();
  bool evict(FlowState state);
  void end(FlowNode* node, FlowEndReason reason);
  static void prefetch(const FlowNode* node);
  void append(FlowNode* node);
  void relist(FlowNode* node);
  void expire_due();
  void count_packet(Flow& flow, Packet& packet);
  void count_new(std::uint8_t protocol);
  std::size_t fresh_flows() const;
  void set_timeouts();
  std::uint64_t next_id();
  std::uint32_t hash_of(const FlowKey& key) const {
    return static_cast<std::uint32_t>(hash_tuple(key, seed_) >> 32U);
  }

  FlowTableOptions options_;
  FlowEndHandler& handler_;
  FlowTableCounters counters_;
  std::uint64_t seed_;
  std::uint64_t serial_ = 0;
  std::uint64_t fresh_limit_ = 1;
  std::int64_t now_us_ = 0;
  std::int64_t due_us_ = std::numeric_limits<std::int64_t>::max();  // before it no flow's time is over
  Hurry hurry_ = Hurry::none;
  FlowNode* last_ = nullptr;  // what handle() returned last: update() nearly always means it
  FlowIndex index_{kFirstSlots};
  FlowSlabs slabs_;
  std::array<FlowAgeList, kFlowLists> ages_;
  std::array<std::int64_t, kFlowLists> timeout_us_{};
};

FlowTable::Impl::~Impl() {
  for (FlowAgeList& list : ages_) {
    while (FlowNode* const node = list.oldest) {
      list.remove(node);
      slabs_.give_back(node);
    }
  }
}

void FlowTable::Impl::set_timeouts() {
  const FlowTimeouts& t = options_.timeouts;
  const StateTimeouts* normal[kFlowGroups] = {&t.other, &t.tcp, &t.udp, &t.icmp};
  const StateTimeouts* hurried[kFlowGroups] = {&t.emergency_other, &t.emergency_tcp, &t.emergency_udp,
                                               &t.emergency_icmp};
  for (std::size_t group = 0; group < kFlowGroups; ++group) {
    for (std::size_t state = 0; state < kFlowStates; ++state) {
      const bool hurry = hurry_ == Hurry::all ||
                         (hurry_ == Hurry::fresh && state == static_cast<std::size_t>(FlowState::fresh));
      const StateTimeouts& chosen = hurry ? *hurried[group] : *normal[group];
      // A time-out of zero still lets the packets of the same moment belong together.
      timeout_us_[group * kFlowStates + state] =
          std::max<std::int64_t>(seconds_of(chosen, state) * kSecond, 1);
    }
  }
  due_us_ = now_us_;
}

// A bijection of the serial number, so that ids are unique and yet tell no order: odd factor and
// xor are invertible modulo 2^51.
std::uint64_t FlowTable::Impl::next_id() {
  for (;;) {
    const std::uint64_t serial = ++serial_ << 8U | options_.worker;
    const std::uint64_t id = ((serial * 0x5851f42d4c957f2dULL) ^ (seed_ >> 7U)) & kIdMask;
    if (id != 0) return id;
  }
}

Flow* FlowTable::Impl::handle(Packet& packet) {
  expire(packet.time_us);
  const auto tuple = flow_tuple(packet, {options_.use_vlan, options_.use_tunnel_depth});
  if (!tuple) return nullptr;
  const std::uint32_t hash = hash_of(tuple->key);
  Direction direction = Direction::to_server;
  FlowNode* node = find(*tuple, hash, packet, direction);
  if (node != nullptr && reuses_session(node->flow, packet)) {
    ++counters_.tcp_reuse;
    end(node, FlowEndReason::tcp_reuse);
    node = nullptr;
    direction = Direction::to_server;
  }
  if (node == nullptr) {
    if (tuple->quoted) return nullptr;
    node = create(*tuple, hash, packet);
    if (node == nullptr) {
      ++counters_.memcap;
      return nullptr;
    }
  }
  packet.direction = direction;
  count_packet(node->flow, packet);
  relist(node);
  last_ = node;
  return &node->flow;
}

FlowNode* FlowTable::Impl::find(const FlowTuple& tuple, std::uint32_t hash, const Packet& packet,
                                Direction& direction) {
  const std::uint32_t number = index_.find(hash, [&](std::uint32_t candidate) {
    const FlowKey& key = slabs_.at(candidate)->flow.key;
    if (same_direction(tuple.key, key)) {
      direction = Direction::to_server;
    } else if (opposite_direction(tuple.key, key)) {
      direction = Direction::to_client;
    } else {
      return false;
    }
    // A quoted packet travels against the error that quotes it; a router between may report too.
    if (tuple.quoted) direction = packet.source == key.client ? Direction::to_server : Direction::to_client;
    return true;
  });
  return number == FlowIndex::kNone ? nullptr : slabs_.at(number);
}

FlowNode* FlowTable::Impl::create(const FlowTuple& tuple, std::uint32_t hash, const Packet& packet) {
  FlowNode* node = take_node();
  if (node == nullptr) return nullptr;
  Flow& flow = node->flow;
  flow.key = tuple.key;
  flow.id = next_id();
  flow.first_us = packet.time_us;
  flow.ip_version = packet.ip_version;
  node->hash = hash;
  node->active_us = std::max(now_us_, packet.time_us);
  node->list = static_cast<std::uint8_t>(group_of(flow.key.protocol) * kFlowStates);
  index_.insert(hash, node->number);
  append(node);
  ++counters_.total;
  ++counters_.active;
  count_new(flow.key.protocol);
  return node;
}

void FlowTable::Impl::count_new(std::uint8_t protocol) {
  switch (protocol) {
    case kProtoTcp:
      ++counters_.tcp;
      break;
    case kProtoUdp:
      ++counters_.udp;
      break;
    case kProtoIcmp:
      ++counters_.icmpv4;
      break;
    case kProtoIcmp6:
      ++counters_.icmpv6;
      break;
    default:
      ++counters_.other;
  }
}

void FlowTable::Impl::count_packet(Flow& flow, Packet& packet) {
  const std::size_t at = index(packet.direction);
  DirectionCounters& counters = flow.counters[at];
  if (packet.is_icmp() && counters.packets == 0) {
    flow.icmp_type[at] = packet.icmp.type;
    flow.icmp_code[at] = packet.icmp.code;
  }
  ++counters.packets;
  counters.bytes += packet.wire_length;
  flow.last_us = std::max(flow.last_us, packet.time_us);
  // TCP has its own idea of "established"; anything else is when both sides have spoken.
  const bool both = flow.counters[0].packets != 0 && flow.counters[1].packets != 0;
  if (both && flow.key.protocol != kProtoTcp && flow.state == FlowState::fresh)
    flow.state = FlowState::established;
  packet.established = flow.state == FlowState::established;
}

void FlowTable::Impl::append(FlowNode* node) {
  ages_[node->list].append(node);
  due_us_ = std::min(due_us_, node->active_us + timeout_us_[node->list]);
}

void FlowTable::Impl::relist(FlowNode* node) {
  const Flow& flow = node->flow;
  const auto list = static_cast<std::uint8_t>(group_of(flow.key.protocol) * kFlowStates +
                                              static_cast<std::size_t>(flow.state));
  node->active_us = std::max(now_us_, flow.last_us);
  if (list == node->list && ages_[list].newest == node) return;
  ages_[node->list].remove(node);
  node->list = list;
  append(node);
}

void FlowTable::Impl::update(Flow& flow) {
  const auto list = group_of(flow.key.protocol) * kFlowStates + static_cast<std::size_t>(flow.state);
  if (last_ != nullptr && &last_->flow == &flow) {
    if (list != last_->list) relist(last_);
    return;
  }
  const std::uint32_t number = index_.find(
      hash_of(flow.key), [&](std::uint32_t candidate) { return &slabs_.at(candidate)->flow == &flow; });
  if (number != FlowIndex::kNone && list != slabs_.at(number)->list) relist(slabs_.at(number));
}

std::size_t FlowTable::Impl::fresh_flows() const {
  std::size_t count = 0;
  for (std::size_t group = 0; group < kFlowGroups; ++group)
    count += ages_[group * kFlowStates + static_cast<std::size_t>(FlowState::fresh)].count;
  return count;
}

void FlowTable::Impl::expire(std::int64_t now_us) {
  now_us_ = std::max(now_us_, now_us);
  if (now_us_ >= due_us_) expire_due();
  if (hurry_ == Hurry::none) return;
  const std::uint64_t used = counters_.memuse - slabs_.free_nodes() * sizeof(FlowNode);
  const bool room = used < options_.memcap_bytes / 10 * 7;
  if (!room || fresh_flows() >= fresh_limit_ / 10 * 7) return;
  hurry_ = Hurry::none;
  ++counters_.emerg_mode_over;
  set_timeouts();
}

void FlowTable::Impl::expire_due() {
  std::int64_t due = std::numeric_limits<std::int64_t>::max();
  for (std::size_t list = 0; list < kFlowLists; ++list) {
    while (ages_[list].oldest != nullptr && now_us_ - ages_[list].oldest->active_us >= timeout_us_[list]) {
      ++counters_.timed_out;
      end(ages_[list].oldest, FlowEndReason::timeout);
    }
    if (ages_[list].oldest != nullptr) due = std::min(due, ages_[list].oldest->active_us + timeout_us_[list]);
  }
  due_us_ = due;
}

void FlowTable::Impl::finish(FlowEndReason reason) {
  for (;;) {
    FlowNode* oldest = nullptr;
    for (const FlowAgeList& list : ages_) {
      if (list.oldest == nullptr) continue;
      if (oldest == nullptr || list.oldest->flow.first_us < oldest->flow.first_us) oldest = list.oldest;
    }
    if (oldest == nullptr) return;
    ++counters_.finished;
    end(oldest, reason);
  }
}

// Flows end in the order of their age, long after they were last in the cache: what the next one needs is
// fetched while this one is worked on.
void FlowTable::Impl::prefetch(const FlowNode* node) {
  if (node == nullptr) return;
  const char* const bytes = reinterpret_cast<const char*>(node);
  for (std::size_t line = 0; line < sizeof(FlowNode); line += 64) __builtin_prefetch(bytes + line);
}

void FlowTable::Impl::end(FlowNode* node, FlowEndReason reason) {
  if (const FlowNode* next = node->newer; next != nullptr) {
    index_.prefetch(next->hash);
    for (const void* part :
         {static_cast<const void*>(next->flow.tcp.get()), static_cast<const void*>(next->flow.app.get()),
          static_cast<const void*>(next->flow.detect.get())}) {
      __builtin_prefetch(part);
    }
    prefetch(next->newer);
  }
  ages_[node->list].remove(node);
  index_.erase(node->hash, node->number);
  --counters_.active;
  if (last_ == node) last_ = nullptr;
  node->flow.end_reason = reason;
  handler_.on_flow_end(node->flow);
  slabs_.give_back(node);
}

FlowNode* FlowTable::Impl::take_node() {
  if (fresh_flows() >= fresh_limit_) {
    enter(Hurry::fresh);
    if (fresh_flows() >= fresh_limit_) evict(FlowState::fresh);
  }
  const bool room = (!index_.full() || grow_index()) && (slabs_.has_free() || add_slab());
  return room || evict() ? slabs_.take() : nullptr;
}

bool FlowTable::Impl::add_slab() {
  if (counters_.memuse + FlowSlabs::kSlabBytes > options_.memcap_bytes) return false;
  slabs_.add_slab();
  counters_.memuse += FlowSlabs::kSlabBytes;
  return true;
}

bool FlowTable::Impl::grow_index() {
  const std::uint64_t more = index_.slots() * FlowIndex::kSlotBytes;
  if (counters_.memuse + more > options_.memcap_bytes) return false;
  counters_.memuse += more;
  index_.grow();
  return true;
}

void FlowTable::Impl::enter(Hurry hurry) {
  if (hurry_ >= hurry) return;
  if (hurry_ == Hurry::none) ++counters_.emerg_mode_entered;
  hurry_ = hurry;
  set_timeouts();
  expire_due();
}

// Makes room for one flow: a closed one, else the oldest that was never established, else the
// oldest of all.
bool FlowTable::Impl::evict() {
  enter(Hurry::all);
  if (slabs_.has_free() && !index_.full()) return true;
  return evict(FlowState::closed) || evict(FlowState::fresh) || evict(FlowState::established);
}

// Ends the oldest flow in this state; false when there is none.
bool FlowTable::Impl::evict(FlowState state) {
  FlowNode* oldest = nullptr;
  for (std::size_t group = 0; group < kFlowGroups; ++group) {
    FlowNode* candidate = ages_[group * kFlowStates + static_cast<std::size_t>(state)].oldest;
    if (candidate != nullptr && (oldest == nullptr || candidate->active_us < oldest->active_us))
      oldest = candidate;
  }
  if (oldest == nullptr) return false;
  ++*std::array{&counters_.evicted_fresh, &counters_.evicted_established,
                &counters_.evicted_closed}[static_cast<std::size_t>(state)];
  end(oldest, FlowEndReason::forced);
  return true;
}

bool FlowTable::Impl::end_oldest_half_open(const Flow& keep) {
  const std::size_t list = group_of(kProtoTcp) * kFlowStates + static_cast<std::size_t>(FlowState::fresh);
  FlowNode* oldest = ages_[list].oldest;
  if (oldest != nullptr && &oldest->flow == &keep) oldest = oldest->newer;
  if (oldest == nullptr) return false;
  ++counters_.evicted_fresh;
  end(oldest, FlowEndReason::forced);
  return true;
}

FlowTable::FlowTable(FlowTableOptions options, FlowEndHandler& handler)
    : impl_(std::make_unique<Impl>(options, handler)) {}
FlowTable::~FlowTable() = default;
Flow* FlowTable::handle(Packet& packet) {
  return impl_->handle(packet);
}
void FlowTable::update(Flow& flow) {
  impl_->update(flow);
}
bool FlowTable::end_oldest_half_open(const Flow& keep) {
  return impl_->end_oldest_half_open(keep);
}
void FlowTable::expire(std::int64_t now_us) {
  impl_->expire(now_us);
}
void FlowTable::finish(FlowEndReason reason) {
  impl_->finish(reason);
}
const FlowTableCounters& FlowTable::counters() const {
  return impl_->counters();
}
bool FlowTable::emergency() const {
  return impl_->emergency();
}

}  // namespace gatehouse::ids
