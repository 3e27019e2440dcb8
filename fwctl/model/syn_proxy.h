// Answering TCP handshakes in the place of hosts, so that a flood of SYNs leaves nothing behind.
#pragma once

#include <optional>
#include <vector>

#include "core/result.h"
#include "fwctl/model/ruleset.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

// The connections of a service that the gatehouse answers: to its TCP ports, from the untrusted zone.
bool is_answered(const site::Site& site, const site::Service& service, const site::Endpoint& from,
                 site::Transport transport);

// Rules for the base chains, each list for its place there; empty when no service is answered for.
struct SynProxies {
  std::vector<Set> sets;
  std::vector<Chain> chains;
  // Where prerouting leads what it would accept from outside: connection tracking must not see the SYNs.
  std::optional<Verdict> from_outside;
  std::vector<Rule> forward;    // before what has no valid state is refused
  std::vector<Rule> answers;    // output, at the same place: the gatehouse's SYN and ACK
  std::optional<Rule> to_host;  // output: the SYN for who has completed the handshake
};
core::Result<SynProxies> build_syn_proxies(const site::Site& site);

}  // namespace gatehouse::fwctl
