// Names of bits, counters and sets, turned into small numbers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::ids {

// A name keeps its number for good: state made by one rule set means the same to the next one.
class NameTable {
 public:
  std::uint32_t id_of(std::string_view name) {
    const auto found = ids_.find(name);
    if (found != ids_.end()) return found->second;
    const auto id = static_cast<std::uint32_t>(names.size());
    names.emplace_back(name);
    ids_.emplace(name, id);
    return id;
  }
  std::vector<std::string> names;

 private:
  std::map<std::string, std::uint32_t, std::less<>> ids_;
};

}  // namespace gatehouse::ids
