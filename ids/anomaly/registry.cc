#include <array>

#include "ids/anomaly/detector.h"

namespace gatehouse::ids::anomaly {

#define ROW(name) extern const AnomalyDescriptor detector_##name;
#include "ids/anomaly/detector_table.inc"
#undef ROW

std::span<const AnomalyDescriptor* const> detector_table() {
#define ROW(name) &detector_##name,
  static constexpr std::array table = {
#include "ids/anomaly/detector_table.inc"
  };
#undef ROW
  return table;
}

}  // namespace gatehouse::ids::anomaly
