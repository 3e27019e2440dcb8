// sshd's configuration from the site policy: certificates only, people by role, no forwarding.
#pragma once

#include <string>
#include <vector>

#include "core/diag.h"
#include "site/model/site.h"

namespace gatehouse::hardening {

struct GeneratedFile {
  std::string name;  // relative to the output directory
  std::string content;
};

struct SshdPlan {
  std::vector<GeneratedFile> files;
  std::vector<std::string> accounts;  // that may log in, sorted
};

struct SshdOptions {
  // Where the generated directory will stand on the server; sshd wants absolute paths.
  std::string installed_at = "/etc/gatehouse/ssh";
};

// Diagnostics say what in the site stands against it (no role, an account that is root, ...).
std::optional<SshdPlan> plan_sshd(const site::Site& site, const SshdOptions& options,
                                  core::Diagnostics& diagnostics);

}  // namespace gatehouse::hardening
