// The flow table's own view of a flow, and the lists that order flows by age. Private to the folder.
#pragma once

#include <optional>

#include "ids/flow/flow.h"

namespace gatehouse::ids {

enum FlowGroup : std::uint8_t { kFlowOther, kFlowTcp, kFlowUdp, kFlowIcmp, kFlowGroups };
constexpr std::size_t kFlowStates = 3;
constexpr std::size_t kFlowLists = kFlowGroups * kFlowStates;

inline FlowGroup group_of(std::uint8_t protocol) {
  switch (protocol) {
    case kProtoTcp:
      return kFlowTcp;
    case kProtoUdp:
      return kFlowUdp;
    case kProtoIcmp:
    case kProtoIcmp6:
      return kFlowIcmp;
    default:
      return kFlowOther;
  }
}

struct FlowNode {
  std::optional<Flow> flow;
  std::uint64_t hash = 0;
  std::int64_t active_us = 0;  // never decreases along a list
  FlowNode* next_in_bucket = nullptr;
  FlowNode* newer = nullptr;
  FlowNode* older = nullptr;
  std::uint8_t list = 0;
};

// Flows of one protocol group in one state, by last activity: they share one time-out, so that the
// oldest always ends first and no timer per flow is needed.
struct FlowAgeList {
  FlowNode* oldest = nullptr;
  FlowNode* newest = nullptr;

  void append(FlowNode* node) {
    node->older = newest;
    node->newer = nullptr;
    (newest == nullptr ? oldest : newest->newer) = node;
    newest = node;
  }
  void remove(FlowNode* node) {
    (node->older == nullptr ? oldest : node->older->newer) = node->newer;
    (node->newer == nullptr ? newest : node->newer->older) = node->older;
  }
};

}  // namespace gatehouse::ids
