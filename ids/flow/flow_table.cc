#include "ids/flow/flow_table.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "ids/flow/flow_node.h"
#include "ids/flow/flow_tuple.h"
#include "ids/flow/hash.h"
#include "ids/flow/tcp.h"

namespace gatehouse::ids {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::size_t kSlab = 64;  // nodes allocated at once
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
    buckets_.resize(1024);
    counters_.memuse = buckets_.size() * sizeof(FlowNode*);
  }

  Flow* handle(Packet& packet);
  void update(Flow& flow);
  bool end_oldest_half_open(const Flow& keep);
  void expire(std::int64_t now_us);
  void finish(FlowEndReason reason);
  const FlowTableCounters& counters() const { return counters_; }
  bool emergency() const { return emergency_; }

 private:
  FlowNode* find(const FlowTuple& tuple, std::uint64_t hash, const Packet& packet, Direction& direction);
  FlowNode* create(const FlowTuple& tuple, std::uint64_t hash, const Packet& packet);
  FlowNode* take_node();
  bool add_slab();
  bool evict();
  void end(FlowNode* node, FlowEndReason reason);
  void unlink_from_bucket(FlowNode* node);
  void relist(FlowNode* node);
  void count_packet(Flow& flow, Packet& packet);
  void count_new(std::uint8_t protocol);
  void grow_buckets();
  void set_timeouts();
  std::uint64_t next_id();

  FlowTableOptions options_;
  FlowEndHandler& handler_;
  FlowTableCounters counters_;
  std::uint64_t seed_;
  std::uint64_t serial_ = 0;
  std::int64_t now_us_ = 0;
  bool emergency_ = false;
  FlowNode* last_ = nullptr;        // what handle() returned last: update() nearly always means it
  std::vector<FlowNode*> buckets_;  // size is a power of two
  std::vector<std::unique_ptr<FlowNode[]>> slabs_;
  std::vector<FlowNode*> free_;
  std::array<FlowAgeList, kFlowLists> ages_;
  std::array<std::int64_t, kFlowLists> timeout_us_{};
};

void FlowTable::Impl::set_timeouts() {
  const FlowTimeouts& t = options_.timeouts;
  const StateTimeouts* normal[kFlowGroups] = {&t.other, &t.tcp, &t.udp, &t.icmp};
  const StateTimeouts* hurried[kFlowGroups] = {&t.emergency_other, &t.emergency_tcp, &t.emergency_udp,
                                               &t.emergency_icmp};
  for (std::size_t group = 0; group < kFlowGroups; ++group) {
    for (std::size_t state = 0; state < kFlowStates; ++state) {
      const StateTimeouts& chosen = emergency_ ? *hurried[group] : *normal[group];
      timeout_us_[group * kFlowStates + state] = seconds_of(chosen, state) * kSecond;
    }
  }
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
  const std::uint64_t hash = hash_tuple(tuple->key, seed_);
  Direction direction = Direction::to_server;
  FlowNode* node = find(*tuple, hash, packet, direction);
  if (node != nullptr && reuses_session(*node->flow, packet)) {
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
  count_packet(*node->flow, packet);
  relist(node);
  last_ = node;
  return &*node->flow;
}

FlowNode* FlowTable::Impl::find(const FlowTuple& tuple, std::uint64_t hash, const Packet& packet,
                                Direction& direction) {
  for (FlowNode* node = buckets_[hash & (buckets_.size() - 1)]; node != nullptr;
       node = node->next_in_bucket) {
    if (node->hash != hash) continue;
    const FlowKey& key = node->flow->key;
    if (same_direction(tuple.key, key)) {
      direction = Direction::to_server;
    } else if (opposite_direction(tuple.key, key)) {
      direction = Direction::to_client;
    } else {
      continue;
    }
    // A quoted packet travels against the error that quotes it; a router between may report too.
    if (tuple.quoted) direction = packet.source == key.client ? Direction::to_server : Direction::to_client;
    return node;
  }
  return nullptr;
}

FlowNode* FlowTable::Impl::create(const FlowTuple& tuple, std::uint64_t hash, const Packet& packet) {
  FlowNode* node = take_node();
  if (node == nullptr) return nullptr;
  node->flow.emplace();
  Flow& flow = *node->flow;
  flow.key = tuple.key;
  flow.id = next_id();
  flow.first_us = packet.time_us;
  flow.ip_version = packet.ip_version;
  node->hash = hash;
  node->active_us = std::max(now_us_, packet.time_us);
  node->list = static_cast<std::uint8_t>(group_of(flow.key.protocol) * kFlowStates);
  if (counters_.active >= buckets_.size()) grow_buckets();
  FlowNode*& bucket = buckets_[hash & (buckets_.size() - 1)];
  node->next_in_bucket = bucket;
  bucket = node;
  ages_[node->list].append(node);
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

void FlowTable::Impl::relist(FlowNode* node) {
  const Flow& flow = *node->flow;
  ages_[node->list].remove(node);
  node->list = static_cast<std::uint8_t>(group_of(flow.key.protocol) * kFlowStates +
                                         static_cast<std::size_t>(flow.state));
  node->active_us = std::max(now_us_, flow.last_us);
  ages_[node->list].append(node);
}

void FlowTable::Impl::update(Flow& flow) {
  const auto list = group_of(flow.key.protocol) * kFlowStates + static_cast<std::size_t>(flow.state);
  if (last_ != nullptr && &*last_->flow == &flow) {
    if (list != last_->list) relist(last_);
    return;
  }
  const std::uint64_t hash = hash_tuple(flow.key, seed_);
  for (FlowNode* node = buckets_[hash & (buckets_.size() - 1)]; node != nullptr;
       node = node->next_in_bucket) {
    if (&*node->flow != &flow) continue;
    if (list != node->list) relist(node);
    return;
  }
}

void FlowTable::Impl::expire(std::int64_t now_us) {
  now_us_ = std::max(now_us_, now_us);
  for (std::size_t list = 0; list < kFlowLists; ++list) {
    // A time-out of zero still lets the packets of the same moment belong together.
    const std::int64_t allowed = std::max<std::int64_t>(timeout_us_[list], 1);
    while (ages_[list].oldest != nullptr && now_us_ - ages_[list].oldest->active_us >= allowed) {
      ++counters_.timed_out;
      end(ages_[list].oldest, FlowEndReason::timeout);
    }
  }
  if (emergency_ && counters_.memuse - free_.size() * sizeof(FlowNode) < options_.memcap_bytes / 10 * 7) {
    emergency_ = false;
    ++counters_.emerg_mode_over;
    set_timeouts();
  }
}

void FlowTable::Impl::finish(FlowEndReason reason) {
  for (;;) {
    FlowNode* oldest = nullptr;
    for (const FlowAgeList& list : ages_) {
      if (list.oldest == nullptr) continue;
      if (oldest == nullptr || list.oldest->flow->first_us < oldest->flow->first_us) oldest = list.oldest;
    }
    if (oldest == nullptr) return;
    end(oldest, reason);
  }
}

void FlowTable::Impl::end(FlowNode* node, FlowEndReason reason) {
  ages_[node->list].remove(node);
  unlink_from_bucket(node);
  --counters_.active;
  if (last_ == node) last_ = nullptr;
  node->flow->end_reason = reason;
  handler_.on_flow_end(*node->flow);
  node->flow.reset();
  free_.push_back(node);
}

void FlowTable::Impl::unlink_from_bucket(FlowNode* node) {
  FlowNode** link = &buckets_[node->hash & (buckets_.size() - 1)];
  while (*link != node) link = &(*link)->next_in_bucket;
  *link = node->next_in_bucket;
}

FlowNode* FlowTable::Impl::take_node() {
  if (free_.empty() && !add_slab() && !evict()) return nullptr;
  FlowNode* node = free_.back();
  free_.pop_back();
  return node;
}

bool FlowTable::Impl::add_slab() {
  const std::uint64_t bytes = kSlab * sizeof(FlowNode);
  if (counters_.memuse + bytes > options_.memcap_bytes) return false;
  slabs_.push_back(std::make_unique<FlowNode[]>(kSlab));
  counters_.memuse += bytes;
  free_.reserve(slabs_.size() * kSlab);
  for (std::size_t i = kSlab; i-- > 0;) free_.push_back(&slabs_.back()[i]);
  return true;
}

// Makes room for one flow: a closed one, else the oldest that was never established, else the
// oldest of all.
bool FlowTable::Impl::evict() {
  if (!emergency_) {
    emergency_ = true;
    ++counters_.emerg_mode_entered;
    set_timeouts();
    expire(now_us_);
    if (!free_.empty()) return true;
  }
  constexpr FlowState kOrder[] = {FlowState::closed, FlowState::fresh, FlowState::established};
  std::uint64_t* const counts[] = {&counters_.evicted_closed, &counters_.evicted_fresh,
                                   &counters_.evicted_established};
  for (std::size_t i = 0; i < kFlowStates; ++i) {
    FlowNode* oldest = nullptr;
    for (std::size_t group = 0; group < kFlowGroups; ++group) {
      FlowNode* candidate = ages_[group * kFlowStates + static_cast<std::size_t>(kOrder[i])].oldest;
      if (candidate != nullptr && (oldest == nullptr || candidate->active_us < oldest->active_us))
        oldest = candidate;
    }
    if (oldest == nullptr) continue;
    ++*counts[i];
    end(oldest, FlowEndReason::forced);
    return true;
  }
  return false;
}

bool FlowTable::Impl::end_oldest_half_open(const Flow& keep) {
  const std::size_t list = group_of(kProtoTcp) * kFlowStates + static_cast<std::size_t>(FlowState::fresh);
  FlowNode* oldest = ages_[list].oldest;
  if (oldest != nullptr && &*oldest->flow == &keep) oldest = oldest->newer;
  if (oldest == nullptr) return false;
  ++counters_.evicted_fresh;
  end(oldest, FlowEndReason::forced);
  return true;
}

void FlowTable::Impl::grow_buckets() {
  const std::uint64_t more = buckets_.size() * sizeof(FlowNode*);
  // Longer chains rather than more memory than allowed.
  if (counters_.memuse + more > options_.memcap_bytes) return;
  counters_.memuse += more;
  std::vector<FlowNode*> old(buckets_.size() * 2);
  old.swap(buckets_);
  for (FlowNode* node : old) {
    while (node != nullptr) {
      FlowNode* next = node->next_in_bucket;
      FlowNode*& bucket = buckets_[node->hash & (buckets_.size() - 1)];
      node->next_in_bucket = bucket;
      bucket = node;
      node = next;
    }
  }
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
