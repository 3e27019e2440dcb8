// Counters of threshold, detection_filter and rate_filter. Fixed size, no allocation after construction.
#pragma once

#include <cstdint>

#include "core/lazy_array.h"
#include "ids/flow/flow.h"
#include "ids/keywords/rule.h"

namespace gatehouse::ids {

class ThresholdTable {
 public:
  explicit ThresholdTable(std::size_t entries = 1U << 16U);

  enum class Verdict : std::uint8_t {
    alert,
    changed,  // alerts, with the threshold's new action
    quiet,    // enough was said: nobody is told, the rule's action is taken
    below     // not enough matches yet: as if there was none
  };
  // Counts one match of `rule` and says whether it may alert. A tracker that does not fit evicts
  // the one with the oldest window in its neighbourhood: its count starts anew, so limits err on
  // the side of alerting and thresholds on the side of silence.
  Verdict admit(const Rule& rule, const Threshold& threshold, const Packet& packet, const Flow* flow);
  void clear();
  std::uint64_t evictions() const { return evictions_; }

 private:
  struct Entry {
    std::uint64_t key = 0;  // 0: free
    std::int64_t start_us = 0;
    std::uint32_t count = 0;
    std::uint32_t next = 0;       // backoff: the match that alerts next
    std::int64_t changed_us = 0;  // rate: since when the new action holds; 0: it does not
  };
  static constexpr std::size_t kProbes = 8;

  Entry& find(std::uint64_t key, std::int64_t now_us);
  static Verdict backoff(Entry& entry, const Threshold& threshold);
  static Verdict rate(Entry& entry, const Threshold& threshold, std::int64_t now_us);

  core::LazyArray<Entry> entries_;  // few rules have thresholds, and fewer are met
  std::uint64_t evictions_ = 0;
};

}  // namespace gatehouse::ids
