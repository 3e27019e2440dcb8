// What detection remembers about a flow and about a transaction. Belongs to one engine: after a
// reload it is made anew.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "core/recycled.h"
#include "ids/match/plan.h"

namespace gatehouse::ids {

class FlowDetect : public FlowAttachment, public core::Recycled<FlowDetect> {
 public:
  explicit FlowDetect(std::uint64_t engine) : engine_id(engine) {}

  std::uint64_t engine_id;
  std::array<std::uint64_t, 2> scanned_to{};  // stream offset up to which rules have looked
  std::array<std::uint64_t, 2> units_done{};  // of the protocol, when the stream was last looked at
  std::array<bool, 2> once_done{}, detection_done{};
  bool opaque = false;  // encrypted: rules do not look into the payload
  // Stream rules whose literal is still in the window but that did not match yet: what they lack
  // may come. Few; when there are too many, the oldest are given up.
  struct Waiting {
    PlanId plan = 0;
    std::uint64_t until = 0;  // the literal lies before this stream offset
  };
  static constexpr std::size_t kMostWaiting = 64;
  std::array<std::vector<Waiting>, 2> waiting;
  // The literal of `plan` lies before stream offset `until`. `anew`: it was just seen; else a known place
  // stays.
  void wait(PlanId plan, Direction direction, std::uint64_t until, bool anew) {
    auto& list = waiting[index(direction)];
    for (Waiting& w : list) {
      if (w.plan != plan) continue;
      if (anew) w.until = until;
      return;
    }
    if (list.size() == kMostWaiting) list.erase(list.begin());
    list.push_back({plan, until});
  }
  std::size_t detection_events = 0;  // how many of AppFlow::detection_events were seen
};

class TransactionDetect : public TransactionAttachment {
 public:
  explicit TransactionDetect(std::uint64_t engine) : engine_id(engine) {}

  static constexpr std::uint32_t kScanned = 0xffff'ffffU;

  struct Side {
    std::vector<std::uint32_t> scanned;  // by buffer of the group: bytes scanned, kScanned: for good
    std::size_t first_open = 0;          // all buffers before it are scanned for good
    std::vector<PlanId> pending;         // preselected, not decided yet
    std::uint8_t progress = 0;           // at the last inspection
    std::size_t events = 0;
    std::uint64_t files = 0;    // at the last inspection, in short
    bool retry_always = false;  // a pending rule waits for something outside of the transaction
    bool started = false, done = false;
    AppProto proto = kAppUnknown;  // what the flow was when the first bytes were scanned
  };

  std::uint64_t engine_id;
  std::array<Side, 2> sides;
  std::vector<PlanId> common;  // pending rules that look at both sides

  // A rule is decided in each direction on its own; one that speaks of both, or of an event, once.
  bool is_decided(PlanId id, Direction direction) const {
    const auto& list = decided_[index(direction)];
    return std::binary_search(list.begin(), list.end(), id);
  }
  void decide(PlanId id, Direction direction) {
    auto& list = decided_[index(direction)];
    list.insert(std::upper_bound(list.begin(), list.end(), id), id);
  }
  void decide(PlanId id) {
    decide(id, Direction::to_server);
    decide(id, Direction::to_client);
  }

 private:
  std::array<std::vector<PlanId>, 2> decided_;
};

}  // namespace gatehouse::ids
