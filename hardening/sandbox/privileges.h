// Giving up users, groups and capabilities.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace gatehouse::hardening {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
};

// The account to become: by name, or by the numbers given; nothing when neither is.
core::Result<std::optional<Identity>> resolve_identity(const std::string& user,
                                                       std::optional<std::uint32_t> uid,
                                                       std::optional<std::uint32_t> gid);

// Becomes `identity` when there is one, then keeps only the capabilities in `keep`: permitted and
// effective exactly those, inheritable and ambient none, the rest out of the bounding set.
// Gives a sentence saying what was done.
core::Result<std::string> drop_privileges(const std::optional<Identity>& identity,
                                          const std::vector<unsigned>& keep);

}  // namespace gatehouse::hardening
