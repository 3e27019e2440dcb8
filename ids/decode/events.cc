#include "ids/decode/events.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace gatehouse::ids {
namespace {

#define GATEHOUSE_NAME(layer, name) #layer "." #name,
constexpr std::array<std::string_view, decode_event::kCount> kNames = {
    GATEHOUSE_DECODE_EVENTS(GATEHOUSE_NAME)};
#undef GATEHOUSE_NAME

}  // namespace

std::string_view decode_event_name(DecodeEvent event) {
  return kNames[event];
}

std::optional<DecodeEvent> find_decode_event(std::string_view name) {
  const auto* found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<DecodeEvent>(found - kNames.begin());
}

}  // namespace gatehouse::ids
