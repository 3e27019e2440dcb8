// What hosts are for, learned from what they do for a long time with many others: a role excuses what goes
// with it and nothing else. Counterparts count by network, and only minutes that have evidence count, so that
// a role takes real partners and real time to learn.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "ids/anomaly/bucket_table.h"
#include "ids/anomaly/distinct.h"
#include "ids/anomaly/observation.h"

namespace gatehouse::ids::anomaly {

enum class Role : std::uint8_t {
  resolver,     // asks many name servers: some are dead, and it asks for all
  relay,        // delivers mail to many servers
  peer,         // speaks from one port with many peers that come and go
  time_server,  // is asked by many
  gateway,      // many clients behind one address
  count_
};
inline constexpr std::size_t kRoles = static_cast<std::size_t>(Role::count_);

class Roles {
 public:
  static constexpr std::size_t kEntries = 1024, kEntryBytes = 160;
  static constexpr std::uint64_t kPartners = 40;  // networks, of which answers came
  static constexpr std::uint8_t kMinutes = 10, kGatewayMinutes = 60;
  static constexpr std::uint32_t kGatewayContacts = 4'000;
  // A role that is not lived is forgotten, whatever else the host does meanwhile.
  static constexpr std::int64_t kLapsesMinutes = 24 * 60;

  Roles() : table_(kEntries) {}

  // `host` was seen in `role` with `partner` (hashes).
  void learn(std::uint64_t host, Role role, std::uint64_t partner, std::int64_t now_us,
             std::uint32_t contacts = 1) {
    Entry* e = entry(host, now_us);
    if (e == nullptr) return;
    const auto at = static_cast<std::size_t>(role);
    const std::uint32_t minute = minute_of(now_us);
    if (has_lapsed(*e, role, now_us)) forget(*e, role);
    e->partners[at].add(partner);
    if (role == Role::gateway) e->contacts = std::min(e->contacts + contacts, 4 * kGatewayContacts);
    if (e->minute[at] == minute) return;
    e->minute[at] = minute;
    if (e->minutes[at] != UINT8_MAX) ++e->minutes[at];
  }
  // As learn() of a peer: only who keeps to one port of his own is one.
  void learn_peer(std::uint64_t host, std::uint16_t port, std::uint64_t partner, std::int64_t now_us) {
    Entry* e = entry(host, now_us);
    if (e == nullptr) return;
    if (has_lapsed(*e, Role::peer, now_us)) forget(*e, Role::peer);
    if (e->port_votes == 0) e->port = port;
    if (e->port != port) {
      --e->port_votes;
      return;
    }
    if (e->port_votes != UINT16_MAX) ++e->port_votes;
    learn(host, Role::peer, partner, now_us);
  }
  bool is(std::uint64_t host, Role role, std::int64_t now_us) const {
    const Entry* e = table_.find(host);
    if (e == nullptr || has_lapsed(*e, role, now_us)) return false;
    const auto at = static_cast<std::size_t>(role);
    if (role == Role::gateway) return e->minutes[at] >= kGatewayMinutes && e->contacts >= kGatewayContacts;
    return e->minutes[at] >= kMinutes && e->partners[at].estimate() >= kPartners;
  }
  void archive(StateArchive& a) { table_.archive(a); }

 private:
  struct Entry {
    std::uint64_t tag = 0;
    std::int64_t last_us = 0;
    std::array<Distinct<1>, kRoles> partners{};
    std::array<std::uint32_t, kRoles> minute{};  // the last that counted
    std::array<std::uint8_t, kRoles> minutes{};
    std::uint16_t port = 0, port_votes = 0;
    std::uint32_t contacts = 0;
    // Who has learned most stays longest.
    std::int64_t worth() const {
      return last_us + std::int64_t{*std::max_element(minutes.begin(), minutes.end())} * 600'000'000;
    }
    bool sound() const { return sound_time(last_us) && anomaly::sound(partners); }
  };
  static_assert(sizeof(Entry) <= kEntryBytes);

  static std::uint32_t minute_of(std::int64_t now_us) {
    return static_cast<std::uint32_t>(now_us / 60'000'000);
  }
  static bool has_lapsed(const Entry& e, Role role, std::int64_t now_us) {
    return std::int64_t{minute_of(now_us)} - e.minute[static_cast<std::size_t>(role)] > kLapsesMinutes;
  }
  static void forget(Entry& e, Role role) {
    const auto at = static_cast<std::size_t>(role);
    e.partners[at].clear();
    e.minutes[at] = 0;
    if (role == Role::gateway) e.contacts = 0;
    if (role == Role::peer) e.port_votes = 0;
  }
  // Null: too many want one.
  Entry* entry(std::uint64_t host, std::int64_t now_us) {
    bool fresh = false;
    Entry* e = table_.get_shy(host, fresh);
    if (e != nullptr) e->last_us = std::max(e->last_us, now_us);
    return e;
  }

  BucketTable<Entry> table_;
};

}  // namespace gatehouse::ids::anomaly
