#include "fwctl/guard/bans.h"

#include <fmt/format.h>

#include <algorithm>

namespace gatehouse::fwctl {

using core::Errc;
using core::fail;

std::vector<Spared> spared_by(const site::Site& site) {
  std::vector<Spared> out;
  if (site.administration) {
    for (const core::IpPrefix& p : site.networks_of(site.administration->host))
      out.push_back({p, "is the administration host"});
  }
  for (const site::Zone& z : site.zones) {
    for (const core::IpPrefix& p : z.networks) out.push_back({p, "is in the trusted zone " + z.name});
  }
  if (site.detection.response) {
    for (const core::IpPrefix& p : site.detection.response->never.networks)
      out.push_back({p, "is named in detection.response.never"});
  }
  return out;
}

core::Status Bans::allowed(const core::IpAddress& address, std::int64_t now_us) {
  if (core::is_never_banned(address))
    return fail(Errc::invalid_input, address.to_string() + " is no host that could be banned");
  for (const Spared& s : spared_) {
    if (s.network.contains(address)) return fail(Errc::invalid_input, address.to_string() + " " + s.why);
  }
  forget(now_us);
  if (bans_.size() >= most_ && bans_.count(address) == 0)
    return fail(Errc::limit, fmt::format("{} sources are banned already, the most that is kept", most_));
  return {};
}

std::optional<Bans::Order> Bans::order(const core::BanRequest& request, std::int64_t now_us) const {
  const std::int64_t until = now_us + std::int64_t{request.seconds} * 1'000'000;
  Order out;
  out.time_ms = std::uint64_t{request.seconds} * 1000;
  const auto at = bans_.find(request.address);
  if (at == bans_.end() || at->second.until_us <= now_us) return out;
  if (at->second.until_us >= until) return std::nullopt;
  out.is_there = true;
  return out;
}

void Bans::add(Ban ban) {
  const core::IpAddress address = ban.address;
  bans_.insert_or_assign(address, std::move(ban));
}

bool Bans::has(const core::IpAddress& address, std::int64_t now_us) const {
  const auto at = bans_.find(address);
  return at != bans_.end() && at->second.until_us > now_us;
}

std::vector<Ban> Bans::all(std::int64_t now_us) {
  forget(now_us);
  std::vector<Ban> out;
  for (const auto& [address, ban] : bans_) out.push_back(ban);
  return out;
}

void Bans::forget(std::int64_t now_us) {
  std::erase_if(bans_, [&](const auto& b) { return b.second.until_us <= now_us; });
}

}  // namespace gatehouse::fwctl
