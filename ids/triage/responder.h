// Which sources of a detection the firewall should ban, for how long, and why not.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "core/ban.h"
#include "ids/anomaly/detection.h"
#include "ids/triage/policy.h"

namespace gatehouse::ids::triage {

enum class Ruling : std::uint8_t {
  ask,       // the guard is asked
  dry_run,   // it would be
  withheld,  // policy forbids it: `why`
};
std::string_view to_string(Ruling ruling);

struct Ban {
  Ruling ruling = Ruling::withheld;
  core::BanRequest request;
  std::uint32_t repeat = 0;  // how often this source was banned before
  std::string why;           // withheld: because
};

struct ResponderCounters {
  std::uint64_t asked = 0, dry_run = 0, withheld = 0;
  void add(const ResponderCounters& o) {
    asked += o.asked;
    dry_run += o.dry_run;
    withheld += o.withheld;
  }
};

class Responder {
 public:
  // `enforce`: there is a guard to ask; else all rulings are dry.
  Responder(const Response& policy, bool enforce) : policy_(policy), enforce_(enforce && policy.enforce) {}

  // Of a detection that is told. Each source of an attack is ruled on once; one that comes back after its ban
  // is banned for longer. The span lives until the next call.
  const std::vector<Ban>& rule(const anomaly::Detection& detection);
  const ResponderCounters& counters() const { return counters_; }

 private:
  static constexpr std::size_t kMostKnown = 4096;
  struct Known {
    std::int64_t until_us = 0;  // of its last ban
    std::int64_t seen_us = 0;
    std::uint64_t attack = 0;  // ruled on for
    std::uint32_t bans = 0;
  };
  struct AddressHash {
    std::size_t operator()(const IpAddress& address) const;
  };
  Known& known(const IpAddress& address, std::int64_t now_us);
  std::string forbidden(const anomaly::Detection& detection, const IpAddress& source) const;
  std::int64_t length_us(std::uint32_t bans) const;

  const Response& policy_;
  bool enforce_;
  std::unordered_map<IpAddress, Known, AddressHash> known_;
  std::vector<Ban> bans_;
  ResponderCounters counters_;
};

}  // namespace gatehouse::ids::triage
