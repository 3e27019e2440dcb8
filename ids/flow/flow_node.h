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

// Three cache lines.
struct alignas(64) FlowNode {
  Flow flow;
  std::uint32_t hash = 0;
  std::uint32_t number = 0;    // its place in the slabs
  std::int64_t active_us = 0;  // never decreases along a list
  FlowNode* newer = nullptr;
  FlowNode* older = nullptr;
  std::uint8_t list = 0;
};

// Flows of one protocol group in one state, by last activity: they share one time-out, so that the
// oldest always ends first and no timer per flow is needed.
struct FlowAgeList {
  FlowNode* oldest = nullptr;
  FlowNode* newest = nullptr;
  std::size_t count = 0;

  void append(FlowNode* node) {
    node->older = newest;
    node->newer = nullptr;
    (newest == nullptr ? oldest : newest->newer) = node;
    newest = node;
    ++count;
  }
  void remove(FlowNode* node) {
    (node->older == nullptr ? oldest : node->older->newer) = node->newer;
    (node->newer == nullptr ? newest : node->newer->older) = node->older;
    --count;
  }
};

}  // namespace gatehouse::ids
