// Watches a worker and notes where one rule came close.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ids/engine/worker.h"
#include "ids/explain/closure.h"
#include "ids/match/evaluate.h"

namespace gatehouse::ids::explain {

enum class PartState : std::uint8_t { holds, fails, missing, not_reached };

// One thing the rule asks for.
struct Part {
  std::string text;
  PartState state = PartState::holds;
  std::string nearby;  // bytes where it failed, printable; empty: not about bytes
};

// One packet, stream or transaction the rule was held against.
struct Place {
  std::uint64_t packet = 0;
  bool at_end = false;  // decided when the flow ended
  Direction direction = Direction::to_server;
  std::uint64_t flow_id = 0;
  std::optional<std::uint64_t> tx_id;
  std::string what;  // "packet", "stream", "transaction"
  std::vector<Part> parts;
  std::size_t held = 0;
};

struct Explanation {
  std::uint64_t matches = 0;
  std::vector<std::uint64_t> match_packets;  // of the first ones; 0: at the end of a flow
  std::uint64_t places = 0;                  // all that were judged
  std::vector<Place> best;                   // best first
};

class Explainer : public engine::InspectObserver {
 public:
  // `rule` must outlive it and belong to the engine the worker runs.
  Explainer(const Rule& rule, PartNames names, const std::vector<std::string>& flowbit_names,
            std::size_t most);

  void on_inspected(const Packet& packet, Flow* flow, std::span<const Match> matches) override;
  Explanation take();

 private:
  static constexpr std::size_t kMostPlaces = 1024, kMostMatches = 100;

  Place begin(const Packet& packet, const Flow* flow, Direction direction) const;
  void judge_transactions(const Packet& packet, Flow& flow);
  void judge_packet(const Packet& packet, const Flow* flow, bool stream);
  void add_header(Place& place, const Packet& packet, const Flow* flow, Direction direction) const;
  void add_conditions(Place& place, const InspectContext& context) const;
  void add_events(Place& place, const Packet& packet, const Transaction* tx) const;
  void add_flowbits(Place& place, const Flow* flow) const;
  void add_list(Place& place, std::size_t list, InspectContext& context, ByteView payload,
                std::uint64_t base);
  void add_ops(Place& place, std::size_t list, const ListReach& reach, ByteView bytes) const;
  void keep(Place place);

  const Rule& rule_;
  PartNames names_;
  const std::vector<std::string>& flowbit_names_;
  std::size_t most_;
  std::vector<ListPlan> lists_;
  Explanation result_;
};

}  // namespace gatehouse::ids::explain
