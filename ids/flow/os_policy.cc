#include "ids/flow/os_policy.h"

#include <array>
#include <utility>

namespace gatehouse::ids {
namespace {

constexpr std::array<std::pair<std::string_view, OsPolicy>, 15> kNames = {{
    {"first", OsPolicy::first},
    {"last", OsPolicy::last},
    {"bsd", OsPolicy::bsd},
    {"bsd-right", OsPolicy::bsd_right},
    {"old-linux", OsPolicy::old_linux},
    {"linux", OsPolicy::linux_},
    {"old-solaris", OsPolicy::old_solaris},
    {"solaris", OsPolicy::solaris},
    {"hpux10", OsPolicy::hpux10},
    {"hpux11", OsPolicy::hpux11},
    {"irix", OsPolicy::irix},
    {"macos", OsPolicy::macos},
    {"windows", OsPolicy::windows},
    {"windows2k3", OsPolicy::windows2k3},
    {"vista", OsPolicy::vista},
}};

}  // namespace

std::optional<OsPolicy> find_os_policy(std::string_view name) {
  for (const auto& [known, policy] : kNames) {
    if (known == name) return policy;
  }
  return std::nullopt;
}

OsPolicy OsPolicyMap::of(const core::IpAddress& receiver) const {
  const Entry* best = nullptr;
  for (const Entry& entry : entries_) {
    if (!entry.prefix.contains(receiver)) continue;
    if (best == nullptr || entry.prefix.length >= best->prefix.length) best = &entry;
  }
  return best == nullptr ? fallback : best->policy;
}

// Novak and Sturges, "Target-Based TCP Stream Reassembly" (2007), table of overlap resolution.
bool segment_replaces(OsPolicy policy, const OverlapRange& held, const OverlapRange& arriving) {
  const bool begins_before = arriving.begin < held.begin;
  const bool begins_with = arriving.begin == held.begin;
  switch (policy) {
    case OsPolicy::first:
    case OsPolicy::vista:
      return false;
    case OsPolicy::last:
      return true;
    case OsPolicy::linux_:
      return begins_before || (begins_with && arriving.end > held.end);
    case OsPolicy::old_linux:
      return begins_before || (begins_with && arriving.end >= held.end);
    case OsPolicy::solaris:
    case OsPolicy::hpux11:
      return arriving.end >= held.end && !(begins_with && arriving.end == held.end);
    case OsPolicy::bsd:
    case OsPolicy::bsd_right:
    case OsPolicy::old_solaris:
    case OsPolicy::hpux10:
    case OsPolicy::irix:
    case OsPolicy::macos:
    case OsPolicy::windows:
    case OsPolicy::windows2k3:
      return begins_before;
  }
  return false;
}

// Shankar and Paxson, "Active Mapping" (2003), and Novak, "Target-Based Fragmentation Reassembly"
// (2005): which systems follow which of the five models.
bool fragment_replaces(OsPolicy policy, const OverlapRange& held, const OverlapRange& arriving) {
  switch (policy) {
    case OsPolicy::first:
    case OsPolicy::hpux11:
    case OsPolicy::macos:
    case OsPolicy::old_solaris:
      return false;
    case OsPolicy::last:
      return true;
    case OsPolicy::windows:
    case OsPolicy::windows2k3:
    case OsPolicy::vista:
      return arriving.begin < held.begin && arriving.end > held.end;
    case OsPolicy::solaris:
      return arriving.begin < held.begin && arriving.end >= held.end;
    case OsPolicy::bsd_right:
      return arriving.begin >= held.begin;
    case OsPolicy::linux_:
    case OsPolicy::old_linux:
      return arriving.begin <= held.begin;
    case OsPolicy::bsd:
    case OsPolicy::irix:
    case OsPolicy::hpux10:
      return arriving.begin < held.begin;
  }
  return false;
}

}  // namespace gatehouse::ids
