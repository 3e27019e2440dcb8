// Which rules a number (an address, a port) belongs to: rules add ranges, a
// look-up is one binary search.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace gatehouse::ids {

template <class Key, class Value>
class IntervalTable {
 public:
  // Both ends belong to the range.
  void add(Key first, Key last, Value value) { ranges_.push_back({first, last, value}); }

  void build() {
    std::vector<Event> events;
    for (const Range& r : ranges_) {
      events.push_back({r.first, r.value, true});
      if (r.last != kLargest) events.push_back({static_cast<Key>(r.last + 1), r.value, false});
    }
    ranges_ = {};
    std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.at < b.at; });
    std::vector<Value> active;
    open(0, active);
    for (std::size_t i = 0; i < events.size();) {
      const Key at = events[i].at;
      for (; i < events.size() && events[i].at == at; ++i) {
        if (events[i].begins) {
          active.push_back(events[i].value);
        } else {
          active.erase(std::find(active.begin(), active.end(), events[i].value));
        }
      }
      open(at, active);
    }
    starts_.shrink_to_fit();
    values_.shrink_to_fit();
  }

  // The values of all ranges that hold `key`; a value may come twice when its
  // ranges overlap.
  std::span<const Value> at(Key key) const {
    if (values_.empty()) return {};
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), key,
                                       [](Key k, const Interval& interval) { return k < interval.first; });
    const Interval& found = *(next - 1);
    return std::span<const Value>(values_).subspan(found.offset, found.count);
  }
  bool empty() const { return values_.empty() && ranges_.empty(); }

 private:
  static constexpr Key kLargest = static_cast<Key>(~Key{0});
  struct Range {
    Key first, last;
    Value value;
  };
  struct Event {
    Key at;
    Value value;
    bool begins;
  };
  struct Interval {
    Key first;
    std::uint32_t offset = 0, count = 0;
  };

  void open(Key at, const std::vector<Value>& active) {
    const auto offset = static_cast<std::uint32_t>(values_.size());
    if (!starts_.empty() && starts_.back().first == at) {
      values_.resize(starts_.back().offset);
      starts_.pop_back();
      return open(at, active);
    }
    starts_.push_back({at, offset, static_cast<std::uint32_t>(active.size())});
    values_.insert(values_.end(), active.begin(), active.end());
  }

  std::vector<Range> ranges_;  // until build()
  std::vector<Interval> starts_;
  std::vector<Value> values_;
};

}  // namespace gatehouse::ids
