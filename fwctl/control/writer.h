// The right to write the table: our own socket, or the guard's, which owns the table and lends its socket.
#pragma once

#include "core/os.h"
#include "core/result.h"
#include "fwctl/netlink/kernel.h"

namespace gatehouse::fwctl {

inline constexpr const char* kRunDirectory = "/run/gatehouse";
inline constexpr const char* kControlSocket = "fwctl.sock";  // in it: of the guard, for root alone

struct Writer {
  Kernel kernel;
  core::UniqueFd lease;  // while it is open the guard leaves the table to us
};

// Where no guard answers, a socket of our own.
core::Result<Writer> open_writer(const std::string& run_directory);

}  // namespace gatehouse::fwctl
