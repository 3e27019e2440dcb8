// What a person says about detections, as plain data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip.h"
#include "core/result.h"
#include "ids/anomaly/classes.h"

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

// When a detection asks the firewall to ban its sources.
struct Response {
  bool on = false, enforce = false;  // not enforced: it is only told what would be asked
  std::vector<std::string> classes;
  double confidence = 0.8;
  std::int64_t ban_us = 600'000'000, longest_us = 86'400'000'000;
  std::uint32_t escalation = 4;  // each further ban of one source lasts so much longer
  std::vector<IpPrefix> never;   // administration, own networks, partners
  std::string socket = "/run/gatehouse/guard.sock";
};

struct Policy {
  std::vector<Exception> exceptions;
  Response response;
  // What is done to these networks is no matter, or does matter; the narrowest decides.
  struct Zone {
    IpPrefix network;
    bool off = false;
  };
  std::vector<Zone> zones;
  bool strict_eve = false;  // detections in alert.metadata, as a closed schema wants it
};

// "scan.*" fits "scan.udp"; a name fits itself.
bool class_fits(std::string_view pattern, std::string_view klass);
// Did its sources prove who they are? Only then may a ban rest on it.
bool may_be_banned(const anomaly::AttackClass& attack);
// Does any class of detections fit?
bool is_class_pattern(std::string_view pattern);

}  // namespace gatehouse::ids::triage
