// Control groups (cgroup v2) of this machine. Paths are relative to the root of the hierarchy, without a `/`
// before them: "system.slice/updates.service". The kernel tells groups apart by numbers; a group that is
// removed and made again has another one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::core {

// Where the hierarchy is mounted; empty: nowhere.
std::string control_group_root();

// One to 255 names (as deep as nf_tables can ask), printable and without quotes, no `.` and `..` among them.
bool is_control_group_path(std::string_view path);

// The numbers of a group and of those it lies in, the outermost first; empty: there is no such group now.
std::vector<std::uint64_t> control_group_ids(const std::string& path);

// The other way round; none: no group has this number now.
std::optional<std::string> control_group_path(std::uint64_t id);

}  // namespace gatehouse::core
