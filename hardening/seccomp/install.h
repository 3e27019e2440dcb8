// Putting a compiled filter in force. Nothing here can be undone.
#pragma once

#include <string>
#include <vector>

#include "core/os.h"
#include "hardening/seccomp/program.h"

namespace gatehouse::hardening {

// Sets no_new_privs and installs the filter for the calling thread and what it starts later.
core::Status install(const Program& program);

// Installs the filter and replaces this process by argv[0] (searched in PATH). The program must
// come from compile() with `launching`: when the profile says `exec: once` the filter hands the
// first execve to a helper thread of ours, which lets it through. The exec itself ends that thread
// and with it the only listener, so the kernel answers every later execve with ENOSYS: no process
// stays behind, and nothing the program does can bring the listener back.
// Returns only on failure.
core::Error exec_filtered(const Program& program, const std::vector<std::string>& argv);

}  // namespace gatehouse::hardening
