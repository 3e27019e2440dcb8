// One row of the drill: an attack (or a permitted use that must go on working), how it is run, how
// its outcome is judged from what the tools really said, and what the SOC must have received.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "site/drill/command.h"
#include "site/drill/events.h"
#include "site/drill/lab.h"
#include "site/model/site.h"

namespace gatehouse::drill {

// What must be true after the attack.
enum class Expect : std::uint8_t {
  stopped,  // the attack does not get what it wants
  works,    // permitted use: a safeguard that stops everything is no safeguard
  seen,     // passive detection: nothing is stopped, but it is seen
};
std::string_view to_string(Expect expect);

struct Outcome {
  bool held = false;  // `stopped` was stopped, `works` worked; for `seen`: the attack really took place
  std::string fact;   // the evidence, one line
};

// What attacks run with. Refers to the lab and the site, which outlive it.
class Context {
 public:
  Context(const Lab& lab, const site::Site& site) : lab_(lab), site_(site) {}

  const Lab& lab() const { return lab_; }
  const site::Site& site() const { return site_; }
  std::string target(int version) const { return lab_.machine(lab_.target).address(version); }

  // Runs a command on a machine of the lab. A command that cannot run at all is an Error, never
  // an attack that failed.
  core::Result<CommandResult> on(const std::string& machine, std::vector<std::string> command,
                                 CommandOptions options = {}) const;
  // The same for an attack that consists in running a program: a refusal is its outcome.
  core::Result<CommandResult> try_on(const std::string& machine, std::vector<std::string> command,
                                     CommandOptions options = {}) const;
  core::Result<CommandResult> outside(std::vector<std::string> command, CommandOptions options = {}) const {
    return on(lab_.attacker, std::move(command), std::move(options));
  }
  // The TCP ports the policy exposes to everyone.
  std::vector<std::uint16_t> exposed_tcp_ports() const;

 private:
  const Lab& lab_;
  const site::Site& site_;
};

struct Attack {
  std::string_view id;       // "tcp-scan-v4"
  int safeguard;             // number in docs/safeguards.md
  std::string_view control;  // what carries it: "firewall", "mac"; the row must turn red without it
  std::string_view title;    // one line
  Expect expect;
  core::Result<Outcome> (*run)(const Context&);
  // What the SOC must receive; null: nothing.
  EventMatch (*report)(const Context&);
};

// An alert of one of these signatures (rules/ids/gatehouse.rules) on what the attacker sent the target.
EventMatch alert_on_attacker(const Context& context, std::vector<std::uint64_t> sids);

// Every attack, in the order they run.
std::vector<Attack> all_attacks();

// Parts of the table, one file each.
std::vector<Attack> firewall_attacks();
std::vector<Attack> detection_attacks();
std::vector<Attack> access_attacks();
std::vector<Attack> ssh_attacks();
std::vector<Attack> protocol_attacks();

// A fact short enough for a table: the last line that says something, at most `most` bytes. The last,
// because a tool's talk comes before its result.
std::string brief(std::string_view output, std::size_t most = 90);

}  // namespace gatehouse::drill
