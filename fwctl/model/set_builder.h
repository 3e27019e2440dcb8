// Collects the elements of one set and keeps them disjoint.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "fwctl/model/ruleset.h"

namespace gatehouse::fwctl {

class SetBuilder {
 public:
  // Cutting overlapping boxes apart can multiply them; hostile input must not fill memory.
  static constexpr std::size_t kMaxIntervalElements = 20'000;

  SetBuilder(std::string name, std::vector<ValueType> key, bool intervals, bool verdict_map,
             std::string about);

  // What is already in the set keeps its verdict: of two grants for one packet the first written
  // counts it. With intervals, only the part of `key` that is not covered yet is added.
  core::Status add(const Box& key, std::optional<Verdict> verdict, const Origin& origin);
  bool empty() const { return elements_.empty(); }
  // The set with its elements sorted.
  Set take();

 private:
  Set set_;
  std::map<Box, Element> elements_;
};

}  // namespace gatehouse::fwctl
