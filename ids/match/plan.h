// The compiled form of a rule set: what to scan where, and what to evaluate after a hit.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <vector>

#include "ids/match/detector.h"
#include "ids/match/evaluate.h"
#include "ids/match/header_index.h"
#include "ids/match/header_plan.h"
#include "ids/match/preselection.h"

namespace gatehouse::ids {

struct RulePlan {
  const Rule* rule = nullptr;
  HeaderPlan header;
  std::vector<ListPlan> lists;
  std::array<bool, 4> transports{};  // tcp, udp, icmp, other: which packets it may be about
  bool has_conditions = false, has_flowbit_tests = false;
  bool needs_stream = false;     // a transaction rule that also looks into the payload
  bool once = false;             // of a transaction: decided for both directions at a time
  bool payload_literal = false;  // of a transaction: its literal is looked for in the payload
  bool retries = false;          // depends on more than its transaction: may come true on any packet
};

// How packets are divided before anything else is looked at.
enum class PacketKind : std::uint8_t { tcp, udp, icmp, other };
inline constexpr std::size_t kPacketKinds = 4;
PacketKind kind_of(const Packet& packet);

// One buffer (with one chain of transforms) of one protocol's transactions, in one direction.
struct TransactionBuffer {
  BufferId buffer = 0;
  std::vector<std::shared_ptr<const Transform>> transforms;
  ScanSlot slot = 0;         // of the engine's literal sets
  bool shares_slot = false;  // with another one, which has the same bytes

  // There may come more of it.
  bool grows() const {
    const BufferDescriptor& descriptor = buffer_table()[buffer];
    return descriptor.final_progress > descriptor.min_progress;
  }
  // Has instances that are scanned as one, when they are all there.
  bool joins() const { return buffer_table()[buffer].multiple && !grows() && transforms.empty(); }
};

// All that transaction rules ask of one protocol in one direction.
struct TransactionGroup {
  std::vector<std::unique_ptr<TransactionBuffer>> buffers;  // by min_progress
  std::vector<PlanId> without_literal;
  std::map<AppEvent, std::vector<PlanId>> by_event;
  bool empty = true;  // no rule at all: one whose literal lies in the payload stands in none of the above
};

// Does the rule ask for places in the payload? They count from the beginning of a packet as well as from that
// of a stream's chunk.
bool counts_positions(const Rule& rule);

class EngineImpl : public Engine {
 public:
  const EngineSummary& summary() const override { return summary_; }
  const RuleList& rules() const override { return rules_; }
  // Makes `scratch` fit for every literal set.
  void prepare(ScanScratch& scratch) const;

  std::uint64_t id = 0;  // unique per engine: state of flows belongs to one
  std::vector<RulePlan> plans;
  // Literal sets and what they are about: payload of single packets, reassembled TCP data, then the buffers
  // of transactions.
  std::vector<Prefilter> literals;      // by ScanSlot
  std::vector<std::string> slot_names;  // by ScanSlot
  template <class Sink>
  void scan(ScanSlot slot, const ScanView& view, const Packet& packet, ScanScratch& scratch,
            Sink&& sink) const {
    literals[slot].scan(view, slot, packet, scratch, sink);
  }
  static ScanSlot packet_slot(std::size_t kind, std::size_t direction) {
    return static_cast<ScanSlot>(2 * kind + direction);
  }
  static ScanSlot stream_slot(std::size_t direction) {
    return static_cast<ScanSlot>(2 * kPacketKinds + direction);
  }
  static constexpr ScanSlot kPayloadSlots = 2 * kPacketKinds + 2;
  std::array<std::array<HeaderIndex, 2>, kPacketKinds> packet_without_literal;  // [kind][direction]
  std::array<HeaderIndex, 2> stream_without_literal;
  HeaderIndex once;  // header-only rules
  std::array<std::vector<PlanId>, 2> on_detection;
  std::vector<PlanId> any_packet;  // pkthdr rules
  std::map<std::uint16_t, std::vector<PlanId>> by_decode_event, by_stream_event, by_detection_event;
  std::vector<std::array<TransactionGroup, 2>> transactions;  // by AppProto
  AddressSets addresses;
  unsigned packet_alert_max = 15;
  std::array<std::uint32_t, 2> stream_chunk_bytes{};

 private:
  friend class EngineBuilder;
  RuleList rules_;
  EngineSummary summary_;
};

}  // namespace gatehouse::ids
