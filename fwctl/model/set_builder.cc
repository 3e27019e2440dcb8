#include "fwctl/model/set_builder.h"

#include <utility>

namespace gatehouse::fwctl {

SetBuilder::SetBuilder(std::string name, std::vector<ValueType> key, bool intervals, bool verdict_map,
                       std::string about) {
  set_.name = std::move(name);
  set_.key = std::move(key);
  set_.intervals = intervals;
  set_.verdict_map = verdict_map;
  set_.about = std::move(about);
}

core::Status SetBuilder::add(const Box& key, std::optional<Verdict> verdict, const Origin& origin) {
  std::vector<Box> pieces = {key};
  if (set_.intervals) {
    for (const auto& [present, element] : elements_) {
      std::vector<Box> cut;
      for (const Box& piece : pieces) {
        for (Box& part : subtract(piece, present)) cut.push_back(std::move(part));
      }
      pieces = std::move(cut);
      if (pieces.empty()) return {};
    }
    if (elements_.size() + pieces.size() > kMaxIntervalElements) {
      return core::fail(core::Errc::limit, "more than 20000 ranges in the set `" + set_.name + "`",
                        origin.where);
    }
  }
  for (Box& piece : pieces) elements_.emplace(piece, Element{piece, verdict, origin});
  return {};
}

Set SetBuilder::take() {
  for (auto& [key, element] : elements_) set_.elements.push_back(std::move(element));
  elements_.clear();
  return std::move(set_);
}

}  // namespace gatehouse::fwctl
