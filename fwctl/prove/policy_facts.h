// Constants of the policy's meaning, and conversions that both forms of it use.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/ip.h"
#include "fwctl/prove/diagram/relation.h"
#include "site/model/site.h"

namespace gatehouse::fwctl::prove {

inline constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpv6 = 58;
inline constexpr std::uint8_t kSyn = 2, kAck = 16;  // RFC 9293 3.1

Wide wide_address(const core::IpAddress& address);
Wide wide_interface(std::string_view name);
// Addresses that exist nowhere outside, whatever the site (RFC 6890; RFC 4291 2.5 and 2.7).
const std::vector<core::IpPrefix>& nobodys_outside();
// The same as this site means it: with the registry of RFC 6890, if it asks for that.
const std::vector<core::IpPrefix>& nobodys_outside(const site::Site& site);
// Examples of addresses outside: of documentation (RFC 5737, RFC 3849), unless the site refuses those.
const std::vector<core::IpPrefix>& outside_examples(const site::Site& site);
// Whether the gatehouse answers such connections in the host's place.
bool answered_for(const site::Site& site, const site::Service& service, const site::Endpoint& from,
                  site::Transport transport);
// What it says there.
std::string answer_text(const site::SynProxy& proxy, std::uint8_t family);
// The words for all that limits connections to a service.
std::vector<std::string> limits_on(const site::Site& site, const site::Service& service,
                                   site::Transport transport, std::uint8_t family);

}  // namespace gatehouse::fwctl::prove
