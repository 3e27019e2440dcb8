// What others say about addresses: a score from 0 to 127 in each of up to 60 categories.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/diag.h"
#include "core/ip.h"

namespace gatehouse::ids {

// A map from prefixes to scores; the longest prefix of an address speaks for it. Kept as sorted
// disjoint ranges: a look-up is a binary search.
class PrefixScores {
 public:
  void add(const core::IpPrefix& prefix, std::uint8_t score) { entries_.push_back({prefix, score}); }
  // After the last add(). Of equal prefixes the last one counts.
  void build();
  std::optional<std::uint8_t> find(const core::IpAddress& address) const;
  std::size_t ranges() const { return starts_.size(); }

 private:
  struct Entry {
    core::IpPrefix prefix;
    std::uint8_t score = 0;
  };
  struct Range {
    core::IpAddress first;
    std::int16_t score = -1;  // -1: nothing is said
  };
  std::vector<Entry> entries_;
  std::vector<Range> starts_;
};

class Reputation {
 public:
  static constexpr unsigned kCategories = 60;
  static constexpr std::uint8_t kBest = 127;
  static constexpr std::size_t kMostEntries = 8'000'000;

  // Lines `NUMBER,NAME,DESCRIPTION`; `#` starts a comment line. False: there was a mistake.
  bool read_categories(const core::SourceText& source, core::Diagnostics& diagnostics);
  // Lines `ADDRESS-OR-CIDR,CATEGORY NUMBER,SCORE`. The categories must have been read.
  bool read_scores(const core::SourceText& source, core::Diagnostics& diagnostics);
  // After the last file.
  void build();

  std::optional<unsigned> category(std::string_view name) const;
  std::optional<std::uint8_t> score(const core::IpAddress& address, unsigned category) const;
  std::vector<std::string> category_names() const;
  std::size_t entries() const { return count_; }

 private:
  std::map<std::string, unsigned, std::less<>> names_;
  std::array<bool, kCategories> used_{};
  std::array<PrefixScores, kCategories> hosts_, networks_;
  std::size_t count_ = 0;
};

}  // namespace gatehouse::ids
