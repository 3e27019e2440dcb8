#include "fwctl/model/ruleset.h"

#include <algorithm>
#include <bit>

namespace gatehouse::fwctl {
namespace {

template <class T>
const T* named(const std::vector<T>& all, std::string_view name) {
  const auto at = std::find_if(all.begin(), all.end(), [&](const T& x) { return x.name == name; });
  return at == all.end() ? nullptr : &*at;
}

}  // namespace

std::string Verdict::to_string() const {
  switch (kind) {
    case VerdictKind::accept:
      return "accept";
    case VerdictKind::drop:
      return "drop";
    case VerdictKind::give_back:
      return "return";
    case VerdictKind::jump:
      return "jump " + chain;
    case VerdictKind::go_to:
      break;
  }
  return "goto " + chain;
}

std::uint32_t Set::room() const {
  constexpr std::size_t kLarge = 1000;
  if (most != 0) return most;
  if (intervals || timeouts || size() < kLarge) return 0;
  // The kernel makes a power of two of buckets, at least 4/3 of the room, and goes through all of them again
  // for each 32 kB of a dump: the room is what they are made for.
  const std::uint64_t wanted = std::uint64_t{size()} * 5 / 4;
  return static_cast<std::uint32_t>(std::bit_ceil((wanted * 4 + 2) / 3) / 4 * 3);
}

std::vector<Element> Set::all_elements() const {
  std::vector<Element> out = elements;
  for (const site::AddressRange& r : listed)
    out.push_back({{{Value::of_address(r.first), Value::of_address(r.last)}}, {}, {}});
  return out;
}

std::string_view to_string(Hook hook) {
  switch (hook) {
    case Hook::prerouting:
      return "prerouting";
    case Hook::input:
      return "input";
    case Hook::forward:
      return "forward";
    case Hook::output:
      return "output";
    case Hook::postrouting:
      break;
  }
  return "postrouting";
}

const Set* Ruleset::find_set(std::string_view name) const {
  return named(sets, name);
}
const Chain* Ruleset::find_chain(std::string_view name) const {
  return named(chains, name);
}

}  // namespace gatehouse::fwctl
