// The lab: where the drill attacks from and where it reads the results. A YAML file that whoever
// brought the machines up has written; the drill itself starts and configures nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/diag.h"
#include "core/ip.h"
#include "core/result.h"

namespace gatehouse::drill {

// One machine: a command line that runs what follows it there, and the machine's addresses.
struct Machine {
  std::string name;
  std::vector<std::string> enter;  // `nsenter ... --`, or `ssh root@probe`
  std::vector<core::IpAddress> addresses;
  std::vector<core::IpAddress> more_addresses;  // further sources it may send from

  // The first address of that IP version as text; empty when there is none.
  std::string address(int version) const;
  std::string other_address(int version) const;
};

struct Lab {
  std::string site_file;
  std::map<std::string, Machine> machines;
  std::string attacker;                  // machine outside
  std::string target;                    // machine that serves
  std::string administration;            // the administration host
  std::vector<std::uint16_t> decoy_tcp;  // listening on the target, and not exposed by the policy
  std::vector<std::uint16_t> decoy_udp;  // echo servers on the target
  std::uint16_t attacker_listener = 0;   // TCP port the attacker waits on for a call from inside
  // How the site starts the target's web processes; what is appended runs as one of them would.
  std::vector<std::string> web_process;
  std::vector<std::string> sandboxed_process;
  std::string web_file, customer_file, shadow_file;  // on the target
  std::string ssh_directory;  // on the administration host: ana, cy, guest, mallory, plain, known_hosts
  std::string ssh_password;   // the accounts' real password
  std::string ca_file;        // on the attacker: who signed the site's certificate
  std::string server_name;    // in the site's certificate
  std::string mail_domain, mail_user;
  std::string received_file;  // what the SOC's receiver wrote, readable from here
  std::string ids_log;        // the IDS's own event log, readable from here; may be empty

  const Machine& machine(const std::string& name) const { return machines.at(name); }
};

// Every name the lab uses is checked, so that attacks may rely on it.
core::Result<Lab> load_lab(const std::string& path, core::Diagnostics& diagnostics);
std::optional<Lab> parse_lab(const core::SourceText& source, core::Diagnostics& diagnostics);

}  // namespace gatehouse::drill
