// Sets that every policy has, whatever it opens.
#pragma once

#include "core/result.h"
#include "fwctl/model/ruleset.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

inline constexpr const char* kZoneNetworks4 = "zone-networks-v4";
inline constexpr const char* kZoneNetworks6 = "zone-networks-v6";
inline constexpr const char* kUntrusted = "untrusted-interfaces";
inline constexpr const char* kNeverOutside4 = "never-outside-v4";
inline constexpr const char* kNeverOutside6 = "never-outside-v6";
inline constexpr const char* kOnLink = "on-link-sources";
inline constexpr const char* kNdTypes = "nd-types";
inline constexpr const char* kNdInput = "nd-input";
inline constexpr const char* kMldReports = "mld-reports";
inline constexpr const char* kErrors4 = "icmp-errors";
inline constexpr const char* kErrors6 = "icmpv6-errors";

// Which sources belong to which interface, and which addresses are nobody's outside.
core::Status add_zone_sets(const site::Site& site, Ruleset& out);
// The interface leads to any network. One such interface, which is the rule, is compared; several are a set,
// which costs the kernel a hash for each packet and rule.
Match is_untrusted(const site::Site& site, Field interface);
// Types of ICMP, and who may send which message of neighbour discovery.
core::Status add_icmp_sets(const site::Site& site, Ruleset& out);
// Sources that are refused for a time.
void add_ban_sets(Ruleset& out);

}  // namespace gatehouse::fwctl
