// The rules one inspection has to evaluate, each once however often it is named.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "ids/match/plan.h"

namespace gatehouse::ids {

// On what a candidate outside of transactions is evaluated; bits.
inline constexpr std::uint8_t kOnPacket = 1, kOnStream = 2;

class Candidates {
 public:
  void resize(std::size_t plans) {
    stamps_.assign(plans, 0);
    modes_.assign(plans, 0);
    generation_ = 0;
    list_.clear();
    list_.reserve(1024);
  }
  // Starts a new, empty list.
  void begin() {
    list_.clear();
    if (++generation_ == 0) {
      std::fill(stamps_.begin(), stamps_.end(), 0);
      generation_ = 1;
    }
  }
  void add(PlanId plan, std::uint8_t mode) {
    if (stamps_[plan] != generation_) {
      stamps_[plan] = generation_;
      modes_[plan] = 0;
      list_.push_back(plan);
    }
    modes_[plan] = static_cast<std::uint8_t>(modes_[plan] | mode);
  }
  void add_all(std::span<const PlanId> plans, std::uint8_t mode) {
    for (const PlanId plan : plans) add(plan, mode);
  }
  bool empty() const { return list_.empty(); }
  std::uint8_t mode(PlanId plan) const { return modes_[plan]; }
  // In report order. Valid until begin().
  std::span<const PlanId> sorted() {
    std::sort(list_.begin(), list_.end());
    return list_;
  }

 private:
  std::vector<std::uint32_t> stamps_;  // by plan: generation it was last added in
  std::vector<std::uint8_t> modes_;    // by plan: valid in that generation
  std::uint32_t generation_ = 0;
  std::vector<PlanId> list_;
};

}  // namespace gatehouse::ids
