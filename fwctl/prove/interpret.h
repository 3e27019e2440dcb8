// A ruleset on one packet, rule by rule as the kernel does it, without diagrams.
#pragma once

#include <string>
#include <vector>

#include "fwctl/prove/symbolic.h"

namespace gatehouse::fwctl::prove {

// A rule that had a verdict, or the policy of a base chain.
struct TraceStep {
  const LiveTable* table = nullptr;
  const KernelChain* chain = nullptr;
  const KernelRule* rule = nullptr;  // null: the chain's policy
  std::size_t number = 0;            // of the rule, from 1
  std::string verdict;               // "accept", "jump service-web", "policy drop"

  // "inet gatehouse forward rule 10: ... -> jump x  # web-mail.yaml:26 ..."
  std::string to_string() const;
};

struct Trace {
  Outcome verdict = kAccept;  // accept, drop or reject
  std::vector<TraceStep> steps;
  std::vector<std::string> doubts;  // conditions that may hold or not
  std::vector<bool> taken;          // what each of them was taken for
  core::IpAddress destination;      // as it was in the end
  bool answered = false;            // the SYN proxy took it; the rest is about the SYN that it sends
};

// What could not be decided takes its value from `choices`, in the order in which it is met; beyond
// their end a rate counts as not exceeded and everything else as no match.
Trace interpret(const LiveRuleset& ruleset, const Packet& packet, const std::vector<bool>& choices = {});

// All verdicts that are possible, by trying every choice (up to a bound; `whole` tells whether it held).
Outcomes possible_verdicts(const LiveRuleset& ruleset, const Packet& packet, bool& whole);

}  // namespace gatehouse::fwctl::prove
