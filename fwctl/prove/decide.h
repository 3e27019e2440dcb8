// Does a ruleset do what the policy means, for every packet?
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "fwctl/prove/interpret.h"
#include "fwctl/prove/policy.h"
#include "fwctl/prove/search.h"

namespace gatehouse::fwctl::prove {

enum class Answer : std::uint8_t { holds, differs, cannot_decide };
std::string_view to_string(Answer answer);

// One packet that shows the answer.
struct Example {
  std::string what;  // "the policy drops it, the ruleset accepts it"
  Packet packet;
  Opinion policy;
  Trace live;
};

struct AssertionResult {
  const site::Assertion* assertion = nullptr;
  Answer answer = Answer::holds;
  std::string why;  // cannot_decide
  std::optional<Example> example;
};

struct Proof {
  Answer answer = Answer::holds;
  std::vector<Example> differences;  // one of each kind for each path and family
  std::vector<std::string> reasons;  // why it cannot be decided, each once
  std::vector<Example> undecided;
  std::vector<AssertionResult> assertions;
  std::vector<std::string> not_judged;  // tables of families that judge other packets
  std::size_t rules = 0, elements = 0;
  std::size_t nodes = 0;
  double seconds = 0;

  // The answer over the comparison and all assertions.
  Answer overall() const;
};

// The ruleset must outlive the proof, whose traces point into it.
Proof decide(const site::Site& site, const LiveRuleset& ruleset, const Interfaces& interfaces);

// What policy and ruleset do with one packet, and the rules it meets.
Example explain(const site::Site& site, const LiveRuleset& ruleset, const Packet& packet);
std::string print_example(const Example& example);
void append_example_json(std::string& out, const Example& example);

std::string print_proof(const Proof& proof);
void append_proof_json(std::string& out, const Proof& proof);

}  // namespace gatehouse::fwctl::prove
