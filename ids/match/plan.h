// The compiled form of a rule set: what to scan where, and what to evaluate after a hit.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <vector>

#include "ids/match/detector.h"
#include "ids/match/evaluate.h"
#include "ids/match/prefilter.h"

namespace gatehouse::ids {

// Index into EngineImpl::plans; ascending order is report order.
using PlanId = std::uint32_t;

struct RulePlan {
  const Rule* rule = nullptr;
  std::vector<ListPlan> lists;
  std::array<bool, 4> transports{};  // tcp, udp, icmp, other: which packets it may be about
  std::uint8_t action_rank = 0;      // place of its action in the action order
  bool needs_stream = false;         // a transaction rule that also looks into the payload
};

// How packets are divided before anything else is looked at.
enum class PacketKind : std::uint8_t { tcp, udp, icmp, other };
inline constexpr std::size_t kPacketKinds = 4;
PacketKind kind_of(const Packet& packet);

// Rules per destination port: intervals of equal rule lists.
class PortGroups {
 public:
  void add(const PortSet& ports, PlanId plan) { entries_.push_back({ports, plan}); }
  void build();
  std::span<const PlanId> at(std::uint16_t port) const;
  bool empty() const { return entries_.empty(); }

 private:
  struct Entry {
    PortSet ports;
    PlanId plan;
  };
  std::vector<Entry> entries_;
  std::vector<std::uint16_t> starts_;  // first port of each interval
  std::vector<std::vector<PlanId>> lists_;
};

// A literal set and the rules each literal preselects. Literals shorter than four bytes are held
// in a set of their own: they slow down the scan of all others.
class Prefilter {
 public:
  void add(std::string_view bytes, bool nocase, PlanId plan);
  core::Status build(const std::string& cache_dir, EngineSummary& summary);
  core::Status prepare(ScanScratch& scratch) const;
  bool empty() const { return long_.rules.empty() && short_.rules.empty(); }
  std::size_t longest() const { return longest_; }

  // `sink(PlanId)` for every rule preselected; a rule may come several times.
  template <class Sink>
  void scan(ByteView data, ScanScratch& scratch, Sink&& sink) const {
    for (const Half* half : {&long_, &short_}) {
      if (!half->set) continue;
      Expander<Sink> expander(*half, sink);
      half->set->scan(data, scratch, expander);
    }
  }

 private:
  struct Half {
    std::map<std::pair<std::string, bool>, std::vector<PlanId>> building;
    std::vector<std::vector<PlanId>> rules;  // by literal
    std::unique_ptr<const LiteralSet> set;
  };
  template <class Sink>
  class Expander : public LiteralSink {
   public:
    Expander(const Half& half, Sink& sink) : half_(half), sink_(sink) {}
    void on_literal(std::uint32_t literal) override {
      for (const PlanId plan : half_.rules[literal]) sink_(plan);
    }

   private:
    const Half& half_;
    Sink& sink_;
  };
  core::Status build_half(Half& half, const std::string& cache_dir, EngineSummary& summary) const;

  Half long_, short_;
  std::size_t longest_ = 0;
};

// One buffer (with one chain of transforms) of one protocol's transactions, in one direction.
struct TransactionBuffer {
  BufferId buffer = 0;
  std::vector<std::shared_ptr<const Transform>> transforms;
  Prefilter prefilter;
};

// All that transaction rules ask of one protocol in one direction.
struct TransactionGroup {
  std::vector<std::unique_ptr<TransactionBuffer>> buffers;  // by min_progress
  std::vector<PlanId> without_literal;
  std::map<AppEvent, std::vector<PlanId>> by_event;
  bool empty() const { return buffers.empty() && without_literal.empty() && by_event.empty(); }
};

class EngineImpl : public Engine {
 public:
  const EngineSummary& summary() const override { return summary_; }
  const RuleList& rules() const override { return rules_; }
  // Makes `scratch` fit for every literal set.
  core::Status prepare(ScanScratch& scratch) const;

  std::uint64_t id = 0;  // unique per engine: state of flows belongs to one
  std::vector<RulePlan> plans;
  // [kind][direction]
  using ByKind = std::array<std::array<Prefilter, 2>, kPacketKinds>;
  using PortsByKind = std::array<std::array<PortGroups, 2>, kPacketKinds>;
  ByKind packet;  // payload of single packets
  PortsByKind packet_without_literal;
  std::array<Prefilter, 2> stream;  // reassembled TCP data
  std::array<PortGroups, 2> stream_without_literal;
  std::array<std::array<std::vector<PlanId>, 2>, kPacketKinds> once;  // header-only rules
  std::array<std::vector<PlanId>, 2> on_detection;
  std::vector<PlanId> any_packet;  // pkthdr rules
  std::map<std::uint16_t, std::vector<PlanId>> by_decode_event, by_stream_event, by_detection_event;
  std::vector<std::array<TransactionGroup, 2>> transactions;  // by AppProto
  unsigned packet_alert_max = 15;
  std::array<std::uint32_t, 2> stream_chunk_bytes{};
  std::uint8_t pass_rank = 0;

 private:
  friend class EngineBuilder;
  RuleList rules_;
  EngineSummary summary_;
};

}  // namespace gatehouse::ids
