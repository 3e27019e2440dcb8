// Where every detection passes before it is told.
#pragma once

#include <unordered_set>

#include "ids/triage/overrides.h"
#include "ids/triage/policy.h"

namespace gatehouse::ids::triage {

enum class Fate : std::uint8_t {
  told,
  excepted,   // an exception covers it
  off,        // its targets are in zones that are switched off
  suppressed  // a rule or threshold file silences it
};
std::string_view to_string(Fate fate);

struct Decision {
  Fate fate = Fate::told;
  Told told;
  anomaly::Phase phase = anomaly::Phase::start;  // as it is told
  const Exception* exception = nullptr;          // that covers it
};

struct DeskCounters {
  std::uint64_t told = 0, excepted = 0, off = 0, suppressed = 0;
  std::vector<std::uint64_t> by_exception;  // in the order of Policy::exceptions

  void add(const DeskCounters& other);
};

class Desk {
 public:
  // `policy` must outlive it.
  explicit Desk(const Policy& policy);

  void use(const RuleList& list) { overrides_.use(list); }
  Decision decide(const anomaly::Detection& detection);
  // Of an attack that goes on from a run before.
  bool told(std::uint64_t id) const { return open_.find(id) != open_.end(); }
  void was_told(std::uint64_t id) {
    if (open_.size() < kMostOpen) open_.insert(id);
  }
  const DeskCounters& counters() const { return counters_; }

 private:
  static constexpr std::size_t kMostOpen = 4096;  // more than there can be attacks at a time
  Fate judge(const anomaly::Detection& detection, Decision& decision);

  const Policy& policy_;
  Overrides overrides_;
  std::unordered_set<std::uint64_t> open_;  // attacks that were told of and have not ended
  DeskCounters counters_;
};

}  // namespace gatehouse::ids::triage
