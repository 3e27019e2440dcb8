// Sets of numbers as sorted, disjoint, inclusive ranges: what address and port expressions mean.
#pragma once

#include <algorithm>
#include <vector>

namespace gatehouse::ids {

__extension__ typedef unsigned __int128 Wide;  // holds an IPv6 address

struct WideRange {
  Wide first = 0, last = 0;
};

class RangeSet {
 public:
  static RangeSet all(Wide largest) {
    RangeSet set;
    set.ranges_.push_back({0, largest});
    return set;
  }
  static RangeSet of(Wide first, Wide last) {
    RangeSet set;
    set.ranges_.push_back({first, last});
    return set;
  }

  const std::vector<WideRange>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }

  void add(const RangeSet& other) {
    ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
    normalise();
  }
  RangeSet complement(Wide largest) const {
    RangeSet out;
    Wide next = 0;
    for (const WideRange& r : ranges_) {
      if (r.first > next) out.ranges_.push_back({next, r.first - 1});
      if (r.last == largest) return out;
      next = r.last + 1;
    }
    out.ranges_.push_back({next, largest});
    return out;
  }
  RangeSet minus(const RangeSet& other, Wide largest) const {
    RangeSet gone = complement(largest);
    gone.add(other);
    return gone.complement(largest);
  }
  bool is_all(Wide largest) const {
    return ranges_.size() == 1 && ranges_[0].first == 0 && ranges_[0].last == largest;
  }

 private:
  void normalise() {
    std::sort(ranges_.begin(), ranges_.end(),
              [](const WideRange& a, const WideRange& b) { return a.first < b.first; });
    std::vector<WideRange> merged;
    for (const WideRange& r : ranges_) {
      // Touching ranges merge; r.first > 0 holds where the second test is reached.
      if (!merged.empty() && (r.first <= merged.back().last || r.first - 1 == merged.back().last)) {
        merged.back().last = std::max(merged.back().last, r.last);
      } else {
        merged.push_back(r);
      }
    }
    ranges_ = std::move(merged);
  }

  std::vector<WideRange> ranges_;
};

}  // namespace gatehouse::ids
