// Which connections a ruleset lets begin, said in boxes instead of diagrams: for rulesets that no policy is
// behind.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fwctl/prove/ranges.h"
#include "fwctl/prove/search.h"

namespace gatehouse::fwctl::prove {

// Every source may open a connection to every destination on every port, or send these ICMP types.
struct Box {
  std::string in, out;  // interfaces; empty: this machine
  std::uint8_t family = 4;
  std::uint8_t protocol = 0;            // TCP, UDP, or ICMP of the family
  Ranges sources, destinations, ports;  // of ICMP its types
  std::vector<std::string> limits;      // meter_text() of what limits them

  std::string to_string() const;
};

struct Reach {
  std::vector<Box> boxes;
  // Interfaces from and to: connections that begin there leave with another source, IPv4.
  std::vector<std::pair<std::string, std::string>> hidden;
  // By interface and family: the sources of packets that pass, whatever their connection.
  std::map<std::pair<std::string, std::uint8_t>, Ranges> sources;
  std::vector<std::string> gaps;  // what it lets begin besides, or what could not be said
};

// `interfaces` are those that the ruleset knows, `indexes` those that exist. Conditions on anything but
// interfaces, addresses, protocols and ports are taken for met where they can be.
Reach reach_of(const LiveRuleset& ruleset, const std::vector<std::string>& interfaces,
               const Interfaces& indexes);

}  // namespace gatehouse::fwctl::prove
