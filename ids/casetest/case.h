// One test case of rules: what to play, with which rules and settings, and what must come of it.
//
//   about: a shell command in a request target is seen        (optional)
//   rules: ../../gatehouse.rules       file or list; default: every *.rules beside the case
//   pcap: input.pcap                   or `traffic`, see traffic.h
//   config: {vars.address-groups.HOME_NET: "[10.0.0.0/8]"}     settings as in --config
//   eve: {types: {alert: {}, http: {}}}                        events to write; default: all of them
//   alerts: [9000007]                  signature ids of all alerts of rules, in any order, with repeats
//   checks:                            further expectations on events
//     - {count: 1, match: {event_type: http, http.hostname: shop.example}}
//   refused: 0                         rules that are meant to be refused
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/diag.h"
#include "core/result.h"
#include "ids/casetest/match.h"
#include "ids/decode/testing/packet_builder.h"

namespace gatehouse::ids::casetest {

struct Case {
  std::string name;       // the folder, relative to where the search began
  std::string directory;  // absolute
  std::string about;
  std::vector<std::string> rules;  // relative to the directory
  std::string pcap;                // empty: frames
  std::vector<testing::Frame> frames;
  std::string config;                               // for --config, as JSON; empty: the defaults
  std::optional<std::vector<std::int64_t>> alerts;  // sorted
  std::vector<Check> checks;
  std::uint64_t refused = 0;
};

// The folders at and below `path` that hold a case.yaml or case.json, sorted.
core::Result<std::vector<std::string>> find_cases(const std::string& path);

// Reads the case of `directory`. Mistakes are diagnostics; then there is no case. The working
// directory must be `directory`.
std::optional<Case> load_case(const std::string& directory, core::Diagnostics& diagnostics);

}  // namespace gatehouse::ids::casetest
