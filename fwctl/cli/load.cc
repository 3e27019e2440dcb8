#include "fwctl/cli/load.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <net/if.h>

#include <cstdlib>

#include "core/log.h"
#include "fwctl/compile/compile.h"
#include "fwctl/control/writer.h"
#include "fwctl/journal/journal.h"
#include "fwctl/model/build.h"
#include "fwctl/replay/ruleset_file.h"
#include "site/load/load.h"

namespace gatehouse::fwctl::cli {

using core::Errc;
using core::fail;
using core::Result;

namespace {

Result<site::Site> whole(std::optional<site::Site> site, const core::Diagnostics& diagnostics,
                         const std::string& name) {
  core::print_diagnostics(diagnostics);
  if (!site)
    return fail(Errc::invalid_input, fmt::format("{} has {} error(s)", name, diagnostics.error_count()));
  return std::move(*site);
}

}  // namespace

Result<site::Site> load_site(const std::string& path) {
  core::Diagnostics diagnostics;
  GH_TRY(std::optional<site::Site> site, site::load_site_file(path, diagnostics));
  return whole(std::move(site), diagnostics, path);
}

Result<site::Site> load_site(core::SourceText source) {
  core::Diagnostics diagnostics;
  std::optional<site::Site> site = site::load_site(source, diagnostics);
  return whole(std::move(site), diagnostics, source.name());
}

Result<Policy> load_policy(const core::Args& args) {
  Policy out;
  GH_TRY(out.site, load_site(args.positional()[0]));
  GH_TRY(out.ruleset, build_ruleset(out.site));
  return out;
}

namespace {

std::string directory_of(const char* variable, const char* usual) {
  const char* given = std::getenv(variable);
  return given == nullptr || *given == 0 ? usual : given;
}

}  // namespace

std::string state_directory() {
  return directory_of("GATEHOUSE_STATE", kStateDirectory);
}
std::string run_directory() {
  return directory_of("GATEHOUSE_RUN", kRunDirectory);
}

void warn_missing(const std::vector<std::string>& interfaces) {
  for (const std::string& n : interfaces)
    core::log_warning("the interface {} does not exist (yet); its rules wait for it", n);
}

prove::Interfaces interfaces_here() {
  prove::Interfaces out;
  if (struct if_nameindex* all = if_nameindex(); all != nullptr) {
    for (const struct if_nameindex* i = all; i->if_name != nullptr; ++i)
      out.emplace_back(i->if_name, i->if_index);
    if_freenameindex(all);
  }
  return out;
}

Result<Asked> ruleset_asked_for(const core::Args& args, const Policy& policy) {
  Asked out;
  out.planned = args.has("--planned");
  if (out.planned && args.has("--ruleset"))
    return fail(Errc::invalid_input, "--planned and --ruleset are two different rulesets");
  if (out.planned) {
    out.ruleset.tables.push_back({NFPROTO_INET, compile(policy.ruleset)});
    return out;
  }
  if (args.has("--ruleset")) {
    std::vector<std::string> names;
    for (const site::Zone& z : policy.site.zones) names.push_back(z.interface);
    GH_TRY(RulesetFile file, load_ruleset_file(args.value("--ruleset"), names));
    out.ruleset = std::move(file.ruleset);
    out.interfaces = std::move(file.interfaces);
    return out;
  }
  out.interfaces = interfaces_here();
  GH_TRY(Kernel kernel, Kernel::open());
  GH_TRY(out.ruleset, kernel.read_all());
  return out;
}

}  // namespace gatehouse::fwctl::cli
