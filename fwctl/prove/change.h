// What a change of the ruleset means: which traffic becomes reachable and which no longer is.
#pragma once

#include <string>
#include <vector>

#include "fwctl/prove/interpret.h"
#include "fwctl/prove/search.h"
#include "site/model/site.h"

namespace gatehouse::fwctl::prove {

// Traffic of one kind between two places whose fate changes.
struct Shift {
  enum class Kind : std::uint8_t {
    opened,     // dropped before, accepted afterwards
    closed,     // accepted before, dropped afterwards
    limited,    // accepted before and afterwards, but the rates differ
    answered,   // dropped before and afterwards, but the sender is told or no longer told
    proxied,    // the SYN proxy answers from now on
    unproxied,  // it no longer does
    reworded,   // it answers before and afterwards, in other words
    undecided,  // a rule decides about it that this version does not know
  };
  Kind kind = Kind::opened;
  std::string from, to;                            // zone names, "gatehouse", "another interface"
  std::vector<std::uint8_t> families;              // 4, 6 or both
  bool begins = true;                              // new connections; else packets of other connection states
  std::vector<std::string> what;                   // "tcp/80", "udp/1000-2000", "icmp type 8", "protocol 47"
  std::vector<std::string> sources, destinations;  // addresses; empty: any
  Packet packet;
  Trace before, after;
};
std::string_view to_string(Shift::Kind kind);

struct Change {
  std::vector<Shift> shifts;
  std::vector<std::string> gaps;  // what could not be compared, and why
  double seconds = 0;

  bool empty() const { return shifts.empty() && gaps.empty(); }
};

// For every packet: both rulesets, all tables. They must outlive the answer, whose traces point into them.
Change compare(const site::Site& site, const LiveRuleset& before, const LiveRuleset& after,
               const Interfaces& interfaces);

std::string print_change(const Change& change);
void append_change_json(std::string& out, const Change& change);

}  // namespace gatehouse::fwctl::prove
