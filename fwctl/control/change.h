// Changes with a way back: each is in the journal before it is made.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "fwctl/control/control.h"
#include "fwctl/journal/journal.h"

namespace gatehouse::fwctl {

inline constexpr std::size_t kEntriesKept = 50;
inline constexpr std::uint64_t kLeastConfirm_s = 2, kMostConfirm_s = 86'400;

struct ChangeRequest {
  const site::Site& site;
  const KernelTable& wanted;
  ApplyOptions options;
  std::uint64_t confirm_within_us = 0; // 0: in force for good
  std::string run_directory;           // for the process that takes it back
};

// Brings it into force; the entry it made, or nothing when there was nothing to do. While another change is
// pending nothing else is brought into force.
struct ChangeReport {
  ApplyReport applied;
  std::optional<Entry> entry;
};
core::Result<ChangeReport> make_change(Kernel& kernel, const Journal& journal, const ChangeRequest& request);

// The pending change stays. From the session it was made in it is refused: what is established is accepted
// under any policy, so that only a new connection shows that one can still get in.
core::Result<Entry> confirm_change(const Journal& journal, const std::string& session, bool same_session);

// What was before the change is in force again. Without an id: the newest that was not taken back.
core::Result<Entry> take_back(Kernel& kernel, const Journal& journal, std::optional<std::uint64_t> id,
                              const std::string& why);

// Takes back what is overdue; true when something was. For every process that finds it so.
using OpenKernel = std::function<core::Result<Kernel*>()>;
core::Result<bool> take_back_overdue(const OpenKernel& open, const Journal& journal, const std::string& by);

// "ana (uid 0) by ssh from 10.66.2.10, pid 4711"
std::string who_asks();

}  // namespace gatehouse::fwctl
