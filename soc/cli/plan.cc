#include <unistd.h>

#include <algorithm>
#include <array>

#include "site/load/load.h"
#include "soc/cli/verbs.h"
#include "soc/spool/segments.h"

namespace gatehouse::soc {

namespace {

std::string own_host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// IPv6 first: a host with both is reached the way the network is meant to go.
std::vector<core::IpAddress> addresses_of(const site::Site& site, const site::Endpoint& endpoint) {
  std::vector<core::IpAddress> all;
  if (endpoint.is_gatehouse()) {
    all = {*core::IpAddress::parse("::1"), *core::IpAddress::parse("127.0.0.1")};
  } else if (const site::Zone* zone = site.find_zone(endpoint.zone)) {
    if (const site::Host* host = zone->find_host(endpoint.host)) all = host->addresses;
  }
  std::stable_partition(all.begin(), all.end(), [](const core::IpAddress& a) { return a.is_v6(); });
  return all;
}

}  // namespace

core::Result<ForwardPlan> plan_of(const site::Site& site) {
  ForwardPlan plan;
  plan.spool = site::resolve_path(site, site.soc.spool);
  plan.state = plan.spool + "/.state";
  plan.sandbox = site.hardening.sandbox_daemons;
  for (const site::Receiver& receiver : site.soc.receivers) {
    // The name becomes a directory of cursors.
    if (!valid_stream_name(receiver.name)) {
      return core::fail(core::Errc::invalid_input,
                        "receiver name `" + receiver.name + "` must be 1 to 32 of a-z 0-9 -", receiver.where);
    }
    SinkSettings settings;
    settings.receiver = receiver;
    for (std::string* path : {&settings.receiver.path, &settings.receiver.ca, &settings.receiver.certificate,
                              &settings.receiver.key}) {
      if (!path->empty()) *path = site::resolve_path(site, *path);
    }
    if (receiver.kind == site::ReceiverKind::syslog_tls)
      settings.addresses = addresses_of(site, receiver.host);
    settings.host_name = own_host_name();
    plan.sinks.push_back(std::move(settings));
  }
  if (plan.sinks.empty()) {
    return core::fail(core::Errc::invalid_input, site.file + ": the site names no receiver under `soc`");
  }
  return plan;
}

core::Result<ForwardPlan> load_plan(const core::Args& args) {
  const std::string& path = args.positional()[0];
  core::Diagnostics diagnostics;
  GH_TRY(const std::optional<site::Site> site, site::load_site_file(path, diagnostics));
  core::print_diagnostics(diagnostics);
  if (!site) return core::fail(core::Errc::invalid_input, path + " is not usable");
  GH_TRY(ForwardPlan plan, plan_of(*site));
  if (args.has("--spool")) {
    plan.spool = args.value("--spool");
    plan.state = plan.spool + "/.state";
  }
  if (args.has("--state")) plan.state = args.value("--state");
  return plan;
}

}  // namespace gatehouse::soc
