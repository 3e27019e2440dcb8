// Would a ruleset shut out those who administer it? Decided on the model before anything is committed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/ip.h"
#include "fwctl/prove/interpret.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

// A connection to this machine by SSH: what sshd puts into SSH_CONNECTION.
struct Session {
  core::IpAddress client, server;
  std::uint16_t client_port = 0, server_port = 0;

  static std::optional<Session> parse(std::string_view ssh_connection);
};
// SSH_CONNECTION of this process or of one that led to it: sudo takes it from the environment.
std::string ssh_connection_in_use();

struct Cut {
  std::string what;  // "admin/bastion to servers/front, service ssh"
  prove::Packet packet;
  prove::Trace trace;

  std::string to_string() const;
};

// The ways of administration that the ruleset shuts: from the administration host to every service for
// remote administration, and a new connection like the session that is in use. It must outlive the answer.
std::vector<Cut> cut_paths(const site::Site& site, const LiveRuleset& ruleset,
                           const std::optional<Session>& session);

// The zone that an address belongs to; null only when the site has no untrusted zone.
const site::Zone* zone_of(const site::Site& site, const core::IpAddress& address);

}  // namespace gatehouse::fwctl
