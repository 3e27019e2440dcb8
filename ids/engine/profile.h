// Which rules and literal sets inspection spent its time on: the ranking of `ids run --profile`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ids/match/detector.h"

namespace gatehouse::ids::engine {

// One rule or set. Counts and times are estimates: samples times CostSampler::kEvery.
struct ProfileRow {
  std::uint32_t gid = 0, sid = 0;  // of a rule
  std::string name;                // the rule's message, the set's name
  std::uint64_t count = 0;         // evaluations, scans
  std::uint64_t hits = 0;          // matches, candidates named
  std::uint64_t bytes = 0;         // scanned
  std::uint64_t nanoseconds = 0;
};

// Dearest first.
struct Profile {
  std::vector<ProfileRow> rules, sets;

  // Of one worker; rank() when all are in.
  void add(const DetectorCosts& costs);
  void rank();
};

// A table for people: the `most` dearest of each.
std::string profile_text(const Profile& profile, std::size_t most);
// {"sample_every", "rules": [...], "literal_sets": [...]}
std::string profile_json(const Profile& profile);

}  // namespace gatehouse::ids::engine
