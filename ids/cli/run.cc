// ids run: the engine over a capture file or on interfaces.
#include "ids/engine/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "core/log.h"
#include "core/os.h"
#include "ids/cli/load.h"
#include "ids/cli/verbs.h"
#include "ids/engine/detections.h"
#include "ids/triage/own_addresses.h"

namespace gatehouse::ids::cli {
namespace {

using core::Errc;
using core::fail;
using core::Result;

constexpr std::size_t kProfileRows = 40;

Result<int> over_file(const core::Args& args, const Loaded& loaded, const engine::RuleSet& rules,
                      unsigned workers) {
  engine::Output output(workers + 1, engine::WhenFull::wait);
  if (args.has("--log-dir")) {
    GH_TRY(std::unique_ptr<engine::EventSink> sink, engine::open_file_sink(args.value("--log-dir")));
    output.add_sink(std::move(sink));
  }
  if (args.has("--spool")) {
    const std::uint64_t cap = loaded.site ? loaded.site->soc.spool_cap_bytes : 1U << 30U;
    GH_TRY(std::unique_ptr<engine::EventSink> sink, engine::open_spool_sink(args.value("--spool"), cap));
    output.add_sink(std::move(sink));
  }
  std::unique_ptr<engine::DiskFileStore> store;
  if (const engine::FileStoreSettings& wanted = loaded.settings.files.store; wanted.enabled) {
    GH_TRY(store, engine::make_file_store(wanted, args.value("--log-dir"), engine::WhenFull::wait));
    store->start();
  }
  output.start();
  engine::RunSummary summary;
  const core::Status status =
      engine::run_file(args.value("--pcap"), loaded.settings, rules, output, workers, summary, store.get());
  output.stop();
  if (store != nullptr) store->stop();
  const core::Status saved = rules.engine->rules().resources->datasets.save();
  GH_CHECK(status);
  GH_CHECK(saved);
  if (!output.failure().empty()) return fail(Errc::io, output.failure());
  if (output.lost() + output.dropped() != 0)
    return fail(Errc::io, fmt::format("{} events were lost", output.lost() + output.dropped()));
  if (args.has("--profile")) {
    std::fputs(args.has("--json") ? (engine::profile_json(summary.profile) + "\n").c_str()
                                  : engine::profile_text(summary.profile, kProfileRows).c_str(),
               stdout);
  }
  engine::log_hidden(loaded.settings, summary.stats.triage);
  core::log_debug("{} packets, {} alerts, {:.3f} s", summary.stats.decoder.packets,
                  summary.stats.events.alerts, static_cast<double>(summary.elapsed_us) / 1e6);
  return core::kExitDone;
}

Result<std::vector<std::string>> interfaces_of(const core::Args& args, const Loaded& loaded) {
  std::vector<std::string> out = args.values("--interface");
  if (!out.empty() || !loaded.site) return out;
  for (const std::string& zone : loaded.site->detection.interfaces) {
    if (const site::Zone* z = loaded.site->find_zone(zone)) out.push_back(z->interface);
  }
  return out;
}

Result<int> on_interfaces(const core::Args& args, const Loaded& loaded, engine::RuleSet rules,
                          unsigned workers, std::vector<std::string> interfaces,
                          const std::vector<std::string>& paths) {
  engine::Settings settings = loaded.settings;
  if (::geteuid() != 0 && ::access("/proc/self", F_OK) == 0)
    core::log_debug("not root: the capture needs CAP_NET_RAW");
  if (settings.triage.response.on) {
    auto& never = settings.triage.response.never;
    const std::vector<core::IpPrefix> own = triage::own_addresses();
    never.insert(never.end(), own.begin(), own.end());
  }
  engine::LiveRun run;
  run.interfaces = std::move(interfaces);
  run.workers = workers;
  run.rule_paths = paths;
  run.log_directory = args.value("--log-dir");
  run.spool = args.value("--spool");
  run.user = args.value("--user");
  run.top_socket = args.value("--top-socket");
  run.sandbox = !args.has("--no-sandbox") && (!loaded.site || loaded.site->hardening.sandbox_daemons);
  if (!run.sandbox && !run.user.empty())
    return fail(Errc::invalid_input, "--user needs the sandbox, which is switched off");
  if (loaded.site) {
    run.spool_cap_bytes = loaded.site->soc.spool_cap_bytes;
    if (run.spool.empty() && run.log_directory.empty()) run.spool = loaded.site->soc.spool;
  }
  if (run.spool.empty() && run.log_directory.empty())
    return fail(Errc::invalid_input, "say where events go: --log-dir DIR, --log-dir - or --spool DIR");
  GH_CHECK(engine::run_live(run, settings, std::move(rules)));
  return core::kExitDone;
}

}  // namespace

Result<int> verb_run(const core::Args& args) {
  GH_TRY(const Loaded loaded, load_settings(args));
  GH_TRY(const std::uint64_t workers, args.uint("--workers", 1, 1, 64));
  GH_TRY(std::vector<std::string> interfaces, interfaces_of(args, loaded));
  const bool file = args.has("--pcap");
  if (file && args.has("--interface"))
    return fail(Errc::invalid_input, "--pcap and --interface exclude each other");
  if (!file && interfaces.empty())
    return fail(Errc::invalid_input,
                "say what to read: --pcap FILE, --interface NAME, or a --site that names zones to watch");
  if (file && !args.has("--log-dir") && !args.has("--spool"))
    return fail(Errc::invalid_input, "say where events go: --log-dir DIR, --log-dir - or --spool DIR");
  const std::string log_directory = args.value("--log-dir");
  if (args.has("--profile") && (!file || log_directory == "-"))
    return fail(Errc::invalid_input, "--profile needs --pcap, and standard output for itself");
  if (!log_directory.empty() && log_directory != "-")
    loaded.settings.environment.resources->datasets.set_base_directory(log_directory);
  GH_TRY(const std::vector<std::string> paths, rule_paths(args, loaded));
  GH_TRY(engine::RuleSet rules, load_rules(paths, loaded.settings));
  if (rules.engine->rules().file_needs.store && !loaded.settings.files.store.enabled)
    core::log_warning("there are `filestore` rules, but no file is kept: file-store.enabled is off");
  const auto count = static_cast<unsigned>(workers);
  if (file) return over_file(args, loaded, rules, count);
  return on_interfaces(args, loaded, std::move(rules), count, std::move(interfaces), paths);
}

}  // namespace gatehouse::ids::cli
