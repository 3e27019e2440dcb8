// The setting of connection tracking that a SYN proxy supposes.
#pragma once

#include <string>
#include <vector>

#include "core/os.h"
#include "core/result.h"
#include "fwctl/compile/kernel_table.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

// The ruleset answers TCP handshakes in the place of hosts.
bool answers_handshakes(const KernelTable& table);
bool answers_handshakes(const LiveRuleset& ruleset);

// Whether connection tracking takes an ACK for a connection it has missed
// (net.netfilter.nf_conntrack_tcp_loose), in the network namespace where it was opened. The ACK that ends a
// handshake then never comes to the SYN proxy. Who may write it when it is opened may do so later, whatever
// has become of the file system.
class PickUpSetting {
 public:
  static core::Result<PickUpSetting> open();
  core::Result<bool> is_on() const;
  core::Status turn_off() const;

 private:
  core::UniqueFd fd_;
  int not_writable_ = 0;  // errno
};
core::Result<bool> picks_up_connections();
// What is wrong with that, for people.
inline constexpr const char* kPicksUp =
    "net.netfilter.nf_conntrack_tcp_loose is 1: connection tracking takes the ACK that ends a handshake for "
    "a new "
    "connection, before the SYN proxy sees it";
// Interfaces to the outside whose card does not check TCP checksums, where a service with an IPv6 address is
// answered for: the kernel judges those of SYNs over IPv6 as if they were of IPv4 unless the card has.
std::vector<std::string> unchecked_interfaces(const site::Site& site);
// Makes it not so, for a table that answers.
core::Status stop_picking_up(const KernelTable& table);

}  // namespace gatehouse::fwctl
