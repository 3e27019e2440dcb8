// What is in force before any policy is: at boot, and when no policy can be read.
#pragma once

#include <optional>

#include "core/ip.h"
#include "fwctl/model/ruleset.h"

namespace gatehouse::fwctl {

// Who may connect although no policy says so.
struct AdminEntrance {
  core::IpPrefix from;
  std::uint16_t port = 22;  // TCP, on this machine and through it
};

// Drops everything but loopback, neighbour discovery (without which IPv6 does not even configure itself) and,
// with an entrance, new connections from there and what belongs to them. The chains have the names and hooks
// of a policy's, so that the policy replaces it in place.
Ruleset build_base(const std::optional<AdminEntrance>& entrance);

}  // namespace gatehouse::fwctl
