#include "ids/anomaly/config.h"

#include <algorithm>

namespace gatehouse::ids::anomaly {

std::uint32_t AnomalyConfig::in_zone(std::uint32_t limit, const core::IpAddress& host) const {
  const ZoneLimit* narrowest = nullptr;
  for (const ZoneLimit& zone : zones) {
    if (!zone.network.contains(host)) continue;
    if (narrowest == nullptr || zone.network.length > narrowest->network.length) narrowest = &zone;
  }
  // Less than three of anything is chance.
  constexpr std::uint64_t kLeast = 3;
  const std::uint64_t percent = narrowest == nullptr ? 100 : narrowest->percent;
  return static_cast<std::uint32_t>(std::max(kLeast, (limit * percent + 50) / 100));
}

}  // namespace gatehouse::ids::anomaly
