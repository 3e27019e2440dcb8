// A plan on disk: what `fwctl plan --out` showed, to be applied exactly or not at all.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/diag.h"
#include "core/result.h"
#include "fwctl/compile/kernel_table.h"

namespace gatehouse::fwctl {

struct PlanFile {
  std::string site_file;  // as it was given; names in messages and relative paths refer to it
  std::string site_text;  // the policy itself: what was planned does not change with the file
  std::string digest;     // of the table it compiles to
  std::uint32_t generation = 0;
  std::map<std::string, std::string> tables;  // "inet gatehouse": digest, all that were there
  std::string made;                           // RFC 3339

  std::string to_text() const;
};

// What can be told from the first bytes.
bool is_plan_file(std::string_view text);
// A mistake is an error with its place.
core::Result<PlanFile> parse_plan_file(const core::SourceText& source);

std::map<std::string, std::string> digests_of(const LiveRuleset& ruleset);
// What is not as it was when planned: "inet other is new", "inet gatehouse is not what it was".
std::vector<std::string> differences(const std::map<std::string, std::string>& planned,
                                     const std::map<std::string, std::string>& live);

}  // namespace gatehouse::fwctl
