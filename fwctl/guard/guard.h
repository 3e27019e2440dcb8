// The daemon. See NOTES.md.
#pragma once

#include <string>

#include "core/result.h"
#include "fwctl/compile/kernel_table.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

struct GuardOptions {
  const site::Site* site = nullptr;  // whom not to ban, what to do on drift
  KernelTable table;                 // of the site: brought into force when the journal has nothing
  std::string state_directory;
  std::string run_directory;
  std::string ban_socket;
  std::string metrics_file;  // empty: none
  bool own = true;           // own the table
  bool sandbox = true;
};

// Until SIGTERM or SIGINT. Ready when it says so on standard error.
core::Status run_guard(const GuardOptions& options);

}  // namespace gatehouse::fwctl
