#include "core/os.h"
#include "hardening/seccomp/compile.h"

namespace gatehouse::hardening {

const std::vector<std::pair<std::string, std::string>>& builtin_profile_texts() {
  static const std::vector<std::pair<std::string, std::string>> texts = {
#define BUILTIN(name, text) {name, text},
#include "hardening/builtin_profiles.inc"
#undef BUILTIN
  };
  return texts;
}

core::Result<Profile> builtin_profile(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& [known, text] : builtin_profile_texts()) {
    names.push_back(known);
    if (known != name) continue;
    core::Diagnostics diagnostics;
    std::optional<Profile> profile =
        parse_profile(core::SourceText("built-in profile " + known, text), native_syscalls(), diagnostics);
    if (!profile) return tl::make_unexpected(diagnostics.first_error());
    return std::move(*profile);
  }
  const std::string hint = core::did_you_mean(name, names);
  return core::fail(core::Errc::not_found, "no seccomp profile `" + std::string(name) + "` is compiled in" +
                                               (hint.empty() ? "" : ": " + hint));
}

core::Result<std::optional<Profile>> load_profile(const std::string& name_or_path,
                                                  core::Diagnostics& diagnostics) {
  const bool is_path = name_or_path.find('/') != std::string::npos || name_or_path == "-" ||
                       (name_or_path.size() > 5 && name_or_path.substr(name_or_path.size() - 5) == ".yaml");
  if (!is_path) {
    GH_TRY(Profile profile, builtin_profile(name_or_path));
    return std::optional<Profile>(std::move(profile));
  }
  GH_TRY(std::string text, core::read_file(name_or_path, 1U << 20U));
  return parse_profile(core::SourceText(name_or_path, std::move(text)), native_syscalls(), diagnostics);
}

}  // namespace gatehouse::hardening
