// How a receiving system decides between overlapping bytes: chosen by the receiver's address.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/ip.h"

namespace gatehouse::ids {

enum class OsPolicy : std::uint8_t {
  first,
  last,
  bsd,
  bsd_right,
  old_linux,
  linux_,
  old_solaris,
  solaris,
  hpux10,
  hpux11,
  irix,
  macos,
  windows,
  windows2k3,
  vista
};

// "bsd-right", "linux", ...: the keys of host-os-policy.
std::optional<OsPolicy> find_os_policy(std::string_view name);

// Longest prefix wins; later entries win over equal earlier ones.
class OsPolicyMap {
 public:
  OsPolicy fallback = OsPolicy::bsd;
  void add(const core::IpPrefix& prefix, OsPolicy policy) { entries_.push_back({prefix, policy}); }
  OsPolicy of(const core::IpAddress& receiver) const;

 private:
  struct Entry {
    core::IpPrefix prefix;
    OsPolicy policy;
  };
  std::vector<Entry> entries_;
};

// Byte ranges [begin, end) of a piece that is already held and of one that arrives now.
struct OverlapRange {
  std::uint64_t begin = 0, end = 0;
};
// True: in the bytes they share, the arriving TCP segment replaces the held one.
bool segment_replaces(OsPolicy policy, const OverlapRange& held, const OverlapRange& arriving);
// The same for IP fragments: the two layers of one system do not agree.
bool fragment_replaces(OsPolicy policy, const OverlapRange& held, const OverlapRange& arriving);

}  // namespace gatehouse::ids
