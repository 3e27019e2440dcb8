// Which sources are refused, until when, and who never is. Knows no kernel and no clock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/ban.h"
#include "core/ip.h"
#include "core/result.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

// Addresses that are never banned, and why.
struct Spared {
  core::IpPrefix network;
  std::string why;  // "is the administration host"
};
// Of the policy: trusted zones, the administration host, and whom `detection.response.never` names.
std::vector<Spared> spared_by(const site::Site& site);
// Of this machine: its own addresses, and the gateways of its routes.
std::vector<Spared> spared_here();

struct Ban {
  core::IpAddress address;
  std::int64_t until_us = 0;  // of the clock that callers use, which never jumps
  std::string reason;
  std::string by;
};

class Bans {
 public:
  explicit Bans(std::size_t most) : most_(most) {}

  void spare(std::vector<Spared> spared) { spared_ = std::move(spared); }

  // Whether it may be banned at all; the error is the answer for whoever asks.
  core::Status allowed(const core::IpAddress& address, std::int64_t now_us);
  // The end of a ban is never moved nearer. Nothing: it lasts that long already.
  struct Order {
    bool is_there = false;  // the kernel has it, with an earlier end
    std::uint64_t time_ms = 0;
  };
  std::optional<Order> order(const core::BanRequest& request, std::int64_t now_us) const;
  void add(Ban ban);
  bool remove(const core::IpAddress& address) { return bans_.erase(address) != 0; }
  void clear() { bans_.clear(); }

  bool has(const core::IpAddress& address, std::int64_t now_us) const;
  std::vector<Ban> all(std::int64_t now_us);

 private:
  void forget(std::int64_t now_us);

  std::size_t most_;
  std::vector<Spared> spared_;
  std::map<core::IpAddress, Ban> bans_;
};

}  // namespace gatehouse::fwctl
