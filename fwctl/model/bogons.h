// Addresses that nobody outside has.
#pragma once

#include <span>
#include <string_view>

namespace gatehouse::fwctl {

struct Bogon {
  std::string_view prefix;
  std::string_view what;  // with its source
};

// Whatever the site: addresses that no packet on a wire between networks may have.
std::span<const Bogon> impossible_bogons();
// What the registries of special-purpose addresses (RFC 6890, kept by IANA) call not globally reachable,
// besides those. An upstream that is a private network itself uses some of them.
std::span<const Bogon> registry_bogons();

}  // namespace gatehouse::fwctl
