// Sends what a program of this machine would send, as that program.
#pragma once

#include <set>
#include <vector>

#include "core/result.h"
#include "fwctl/prove/fields.h"

namespace gatehouse::fwctl {

// `pieces` from the network header on, in their order; traced (kTracePriority). The socket is made by the
// packet's user (nobody's packet: by root), and, where rules ask for control groups at `levels`, in the group
// of its number. Errc::unsupported: there is no such group, or nothing can be sent from it. A rule that drops
// it is no error.
core::Status send_as_program(const prove::Packet& packet,
                             const std::vector<std::vector<std::uint8_t>>& pieces,
                             const std::set<std::uint32_t>& levels);

}  // namespace gatehouse::fwctl
