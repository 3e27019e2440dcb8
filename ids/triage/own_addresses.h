// Whom this machine cannot do without: its own addresses, and the gateways of its routes.
#pragma once

#include <string_view>
#include <vector>

#include "core/ip.h"

namespace gatehouse::ids::triage {

std::vector<core::IpPrefix> own_addresses();
// Gateways in the form of /proc/net/route and /proc/net/ipv6_route; lines that are none are skipped.
std::vector<core::IpPrefix> gateways_v4(std::string_view routes);
std::vector<core::IpPrefix> gateways_v6(std::string_view routes);

}  // namespace gatehouse::ids::triage
