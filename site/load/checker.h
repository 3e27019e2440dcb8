// What all cross-checks share: how they say what is wrong with a name.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "site/load/reader.h"

namespace gatehouse::site {

class Checks {
 public:
  Checks(const Site& site, Diagnostics& diagnostics) : site_(site), diagnostics_(diagnostics) {}

 protected:
  core::Diagnostic& error(std::string code, const SourcePos& where, std::string message) {
    return diagnostics_.error(std::move(code), where, std::move(message));
  }

  template <class T>
  static std::vector<std::string> names_of(const std::vector<T>& all) {
    std::vector<std::string> out;
    for (const T& x : all) out.push_back(x.name);
    return out;
  }
  template <class T>
  void unknown(const std::string& what, const std::string& name, const SourcePos& where,
               const std::vector<T>& all) {
    error("unknown-name", where, "there is no " + what + " `" + name + "`").hint = nearest(name, all);
  }
  // The name that was meant, or all there are.
  template <class T>
  static std::string nearest(const std::string& name, const std::vector<T>& all) {
    std::string out = core::did_you_mean(name, names_of(all));
    if (all.empty()) return "none is defined";
    if (!out.empty()) return out;
    constexpr std::size_t kMost = 8;
    for (std::size_t i = 0; i < std::min(all.size(), kMost); ++i)
      out += (i == 0 ? "there are: " : ", ") + all[i].name;
    return all.size() > kMost ? out + ", ..." : out;
  }

  bool check_endpoint(const Endpoint& endpoint) {
    if (endpoint.is_gatehouse()) return true;
    const Zone* zone = site_.find_zone(endpoint.zone);
    if (zone == nullptr) {
      unknown("zone", endpoint.zone, endpoint.where, site_.zones);
      return false;
    }
    if (!endpoint.host.empty() && zone->find_host(endpoint.host) == nullptr) {
      error("unknown-name", endpoint.where, "zone `" + zone->name + "` has no host `" + endpoint.host + "`")
          .hint = nearest(endpoint.host, zone->hosts);
      return false;
    }
    return true;
  }

  // A party is a list of addresses in the end; "everybody else" is none.
  void check_party(const Party& party) {
    for (const Endpoint& e : party.endpoints) {
      if (!check_endpoint(e)) continue;
      const Zone* zone = site_.find_zone(e.zone);
      if (e.is_gatehouse())
        error("bad-value", e.where, "the gatehouse has no addresses in the policy: name them");
      else if (zone->untrusted && e.host.empty())
        error("bad-value", e.where, "zone `" + zone->name + "` is everybody: name networks");
    }
  }

  const Site& site_;
  Diagnostics& diagnostics_;
};

// Roles, groups, and the sections of mandatory access control.
void check_people_and_mac(const Site& site, Diagnostics& diagnostics);

}  // namespace gatehouse::site
