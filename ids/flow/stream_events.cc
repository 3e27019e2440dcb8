#include "ids/flow/stream_events.h"

#include <algorithm>
#include <array>

namespace gatehouse::ids {
namespace {

#define GATEHOUSE_NAME(name) #name,
constexpr std::array<std::string_view, stream_event::kCount> kNames = {
    GATEHOUSE_STREAM_EVENTS(GATEHOUSE_NAME)};
#undef GATEHOUSE_NAME

}  // namespace

std::string_view stream_event_name(std::uint16_t event) {
  return kNames[event];
}

std::optional<std::uint16_t> find_stream_event(std::string_view name) {
  constexpr std::string_view kPrefix = "stream.";
  if (name.substr(0, kPrefix.size()) == kPrefix) name.remove_prefix(kPrefix.size());
  const auto* found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<std::uint16_t>(found - kNames.begin());
}

}  // namespace gatehouse::ids
