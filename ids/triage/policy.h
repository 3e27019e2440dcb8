// What a person says about detections, as plain data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip.h"
#include "core/result.h"

namespace gatehouse::ids::triage {

using core::IpAddress;
using core::IpPrefix;

// Detections that are expected until some day: a test, a partner, a broken device.
struct Exception {
  std::vector<IpPrefix> sources, targets;  // empty: any
  std::vector<std::string> classes;        // "scan.udp", "scan.*", "*"; never empty
  std::int64_t until_us = 0;               // the last moment it holds, in time of the packets
  std::string reason;
  core::SourcePos where;
};

struct Policy {
  std::vector<Exception> exceptions;
  std::vector<IpPrefix> off;  // what is done to these networks is no matter
  bool strict_eve = false;    // detections in alert.metadata, as a closed schema wants it
};

// "scan.*" fits "scan.udp"; a name fits itself.
bool class_fits(std::string_view pattern, std::string_view klass);
// Does any class of detections fit?
bool is_class_pattern(std::string_view pattern);

}  // namespace gatehouse::ids::triage
