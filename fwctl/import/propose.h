// A site policy for a ruleset.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/ip.h"
#include "core/result.h"
#include "fwctl/import/interfaces.h"
#include "fwctl/prove/reach.h"

namespace gatehouse::fwctl {

struct ImportHints {
  std::string outside;  // the interface that leads to everywhere else; empty: to be found out
  // What is behind an interface, as somebody said.
  std::map<std::string, std::vector<core::IpPrefix>> networks;
  // The same as this machine's addresses say; for where rules do not tell.
  std::map<std::string, std::vector<core::IpPrefix>> connected;
};

struct Proposal {
  std::string text;               // site.yaml
  std::vector<std::string> gaps;  // what it does not say; in the text as well, as comments
};

// Errc::invalid_input: more must be said before anything can be proposed.
core::Result<Proposal> propose(const LiveRuleset& ruleset, const prove::Interfaces& indexes,
                               const ImportHints& hints);

}  // namespace gatehouse::fwctl
