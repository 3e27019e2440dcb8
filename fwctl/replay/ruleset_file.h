// A ruleset that is not in force: a file in nft's language.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "fwctl/compile/kernel_table.h"

namespace gatehouse::fwctl {

struct RulesetFile {
  LiveRuleset ruleset;
  std::vector<std::pair<std::string, std::uint32_t>> interfaces;  // with the indexes that its rules ask for
};

// What the kernel makes of the file. For that the calling thread moves into a fresh network namespace, for
// good, where `interfaces` exist while nft loads it.
core::Result<RulesetFile> load_ruleset_file(const std::string& path,
                                            const std::vector<std::string>& interfaces);

}  // namespace gatehouse::fwctl
