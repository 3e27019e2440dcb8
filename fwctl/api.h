// What other tools may ask of the firewall controller: bring a policy into force, and say whether it
// is. Works on the network namespace of the calling thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

struct ApplyOptions {
  // Do nothing (Errc::conflict) unless the ruleset is still of this generation.
  std::optional<std::uint32_t> expected_generation;
  bool require_interfaces = false;  // refuse when an interface of the policy does not exist
};

struct ApplyReport {
  std::size_t changes = 0;  // 0: it was in force already, nothing was sent
  std::uint32_t generation = 0;
  std::vector<std::string> missing_interfaces;
};

// One transaction, read back and compared afterwards. On any error the live ruleset is what it was,
// except Errc::system "in force is not what was sent", which says so.
core::Result<ApplyReport> apply(const site::Site& site, const ApplyOptions& options);

struct RuleCount {
  std::string chain;
  std::string comment;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

// Packets refused for where they came from, before connection tracking.
struct SpoofedCount {
  std::uint64_t no_route_back = 0;  // the route to the source leaves by another interface, or there is none
  std::uint64_t not_its_place = 0;  // no address of what is behind the interface
};

struct StatusReport {
  bool present = false;   // our table is there
  bool in_force = false;  // it does what the policy says; comments may differ
  std::uint32_t generation = 0;
  std::size_t differences = 0;
  std::string difference_text;    // as `fwctl plan` prints it
  std::vector<RuleCount> counts;  // of every counting rule, in order
  SpoofedCount spoofed;
  // What keeps it from doing what it says, outside the ruleset; it is not in force then.
  std::vector<std::string> obstacles;
  std::vector<std::string> other_tables;  // they may drop more; they cannot allow more
};

// Without a site: is the table there, and what has it counted (in_force stays false).
core::Result<StatusReport> status(const site::Site* site);

}  // namespace gatehouse::fwctl
