// fwctl: the command.
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <net/if.h>

#include "core/cli.h"
#include "core/json.h"
#include "core/log.h"
#include "fwctl/api.h"
#include "fwctl/compile/compile.h"
#include "fwctl/control/control.h"
#include "fwctl/model/build.h"
#include "fwctl/model/print.h"
#include "fwctl/prove/decide.h"
#include "fwctl/prove/lint.h"
#include "fwctl/replay/replay.h"
#include "site/load/load.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::fwctl;
using core::Args;
using core::Errc;
using core::fail;
using core::JsonWriter;
using core::Result;

Result<site::Site> load(const std::string& path) {
  core::Diagnostics diagnostics;
  GH_TRY(std::optional<site::Site> site, site::load_site_file(path, diagnostics));
  core::print_diagnostics(diagnostics);
  if (!site)
    return fail(Errc::invalid_input, fmt::format("{} has {} error(s)", path, diagnostics.error_count()));
  return std::move(*site);
}

struct Policy {
  site::Site site;
  Ruleset ruleset;
};
Result<Policy> load_policy(const Args& args) {
  Policy out;
  GH_TRY(out.site, load(args.positional()[0]));
  GH_TRY(out.ruleset, build_ruleset(out.site));
  return out;
}

void warn_missing(const std::vector<std::string>& names) {
  for (const std::string& n : names)
    core::log_warning("the interface {} does not exist (yet); its rules wait for it", n);
}

std::size_t count_rules(const Ruleset& r) {
  std::size_t out = 0;
  for (const Chain& c : r.chains) out += c.rules.size();
  return out;
}
std::size_t count_elements(const Ruleset& r) {
  std::size_t out = 0;
  for (const Set& s : r.sets) out += s.elements.size();
  return out;
}

Result<int> run_check(const Args& args) {
  GH_TRY(const Policy policy, load_policy(args));
  const Ruleset& r = policy.ruleset;
  std::string out;
  if (args.json()) {
    JsonWriter json(out);
    json.begin_object()
        .field("site", policy.site.name)
        .field("chains", r.chains.size())
        .field("rules", count_rules(r));
    json.field("sets", r.sets.size()).field("elements", count_elements(r)).end_object();
    out += '\n';
  } else if (args.verbose()) {
    out = print_normal(r);
  } else {
    out = fmt::format("{}: {} chains, {} rules, {} sets with {} elements\n", policy.site.name,
                      r.chains.size(), count_rules(r), r.sets.size(), count_elements(r));
  }
  GH_CHECK(core::print_result(out));
  return core::kExitDone;
}

Result<int> run_export(const Args& args) {
  const std::string format = args.json() ? "json" : args.value("--format", "normal");
  if (format != "nft" && format != "json" && format != "normal") {
    return fail(Errc::invalid_input, "--format wants nft, json or normal, not `" + format + "`");
  }
  GH_TRY(const Policy policy, load_policy(args));
  GH_CHECK(core::print_result(format == "nft"    ? print_nft(policy.ruleset)
                              : format == "json" ? print_json(policy.ruleset)
                                                 : print_normal(policy.ruleset)));
  return core::kExitDone;
}

std::string plan_text(const Args& args, const LivePlan& planned) {
  std::string out;
  if (args.json()) {
    JsonWriter json(out);
    json.begin_object()
        .field("generation", planned.live.generation)
        .field("in_force", !planned.plan.changes_effect());
    std::string changes;
    append_plan_json(changes, planned.plan);
    json.key("changes").raw(changes).end_object();
    return out + '\n';
  }
  if (planned.plan.empty()) return fmt::format("no difference (generation {})\n", planned.live.generation);
  return print_plan(planned.plan) + fmt::format("{} change(s) against generation {}\n",
                                                planned.plan.changes.size(), planned.live.generation);
}

Result<int> run_plan(const Args& args) {
  GH_TRY(const Policy policy, load_policy(args));
  warn_missing(missing_interfaces(policy.ruleset));
  GH_TRY(Kernel kernel, Kernel::open());
  GH_TRY(const LivePlan planned, plan_against(kernel, compile(policy.ruleset)));
  GH_CHECK(core::print_result(plan_text(args, planned)));
  return planned.plan.empty() ? core::kExitDone : core::kExitNo;
}

Result<int> run_apply(const Args& args) {
  ApplyOptions options;
  options.require_interfaces = args.has("--require-interfaces");
  if (args.has("--expect-generation")) {
    GH_TRY(const std::uint64_t generation, args.uint("--expect-generation", 0, 0, 0xffff'ffff));
    options.expected_generation = static_cast<std::uint32_t>(generation);
  }
  if (args.has("-n")) return run_plan(args);
  GH_TRY(const site::Site site, load(args.positional()[0]));
  GH_TRY(const ApplyReport report, apply(site, options));
  warn_missing(report.missing_interfaces);
  std::string out;
  if (args.json()) {
    JsonWriter json(out);
    json.begin_object()
        .field("site", site.name)
        .field("changes", report.changes)
        .field("generation", report.generation);
    json.key("missing_interfaces").begin_array();
    for (const std::string& n : report.missing_interfaces) json.string(n);
    json.end_array().end_object();
    out += '\n';
  } else if (report.changes == 0) {
    out = fmt::format("{} is in force already (generation {})\n", site.name, report.generation);
  } else {
    out = fmt::format("{} is in force: {} change(s), generation {}\n", site.name, report.changes,
                      report.generation);
  }
  GH_CHECK(core::print_result(out));
  return core::kExitDone;
}

std::string status_text(const StatusReport& s, bool with_site) {
  std::string out = s.present ? "the gatehouse table is present"
                              : "the gatehouse table is absent: nothing is filtered by it";
  if (with_site && s.present)
    out = s.in_force ? "in force" : "NOT in force: the live table differs from the policy";
  out += fmt::format(" (generation {})\n", s.generation);
  if (with_site && s.in_force && s.differences != 0)
    out += "only comments differ; `fwctl apply` refreshes them\n";
  if (with_site && !s.in_force) out += s.difference_text;
  for (const std::string& t : s.other_tables) out += "other table: " + t + '\n';
  for (const RuleCount& c : s.counts) {
    if (c.packets != 0)
      out += fmt::format("{:>12} packets {:>14} bytes  {}: {}\n", c.packets, c.bytes, c.chain, c.comment);
  }
  return out;
}

std::string status_json(const StatusReport& s, bool with_site) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("present", s.present).field("generation", s.generation);
  if (with_site) json.field("in_force", s.in_force).field("differences", s.differences);
  json.key("other_tables").begin_array();
  for (const std::string& t : s.other_tables) json.string(t);
  json.end_array().key("counters").begin_array();
  for (const RuleCount& c : s.counts) {
    json.begin_object().field("chain", c.chain).field("comment", c.comment).field("packets", c.packets);
    json.field("bytes", c.bytes).end_object();
  }
  json.end_array().end_object();
  return out + '\n';
}

Result<int> run_status(const Args& args) {
  std::optional<site::Site> site;
  if (!args.positional().empty()) {
    GH_TRY(site, load(args.positional()[0]));
  }
  GH_TRY(const StatusReport report, status(site ? &*site : nullptr));
  const bool with_site = site.has_value();
  GH_CHECK(core::print_result(args.json() ? status_json(report, with_site) : status_text(report, with_site)));
  return (with_site ? report.in_force : report.present) ? core::kExitDone : core::kExitNo;
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

// The ruleset in the kernel, or the one that `apply` would put there.
Result<LiveRuleset> ruleset_of(const Policy& policy, bool planned) {
  if (planned) {
    LiveRuleset out;
    out.tables.push_back({NFPROTO_INET, compile(policy.ruleset)});
    return out;
  }
  GH_TRY(Kernel kernel, Kernel::open());
  return kernel.read_all();
}

Result<int> run_prove(const Args& args) {
  GH_TRY(const Policy policy, load_policy(args));
  const bool planned = args.has("--planned");
  GH_TRY(const LiveRuleset ruleset, ruleset_of(policy, planned));
  const prove::Interfaces interfaces = planned ? prove::Interfaces{} : interfaces_here();
  const prove::Proof proof = prove::decide(policy.site, ruleset, interfaces);
  std::string out;
  if (args.json()) {
    prove::append_proof_json(out, proof);
    out += '\n';
  } else {
    out = prove::print_proof(proof);
  }
  GH_CHECK(core::print_result(out));
  return proof.overall() == prove::Answer::holds ? core::kExitDone : core::kExitNo;
}

// The kernel's path of the packet through a copy of the ruleset, in a namespace that ends with this process.
Result<KernelTrace> ask_kernel(const Policy& policy, bool planned, const prove::Packet& packet) {
  RulesetCopy copy;
  if (!planned) {
    GH_TRY(Kernel kernel, Kernel::open());
    GH_TRY(copy, kernel.copy());
  }
  prove::Interfaces devices = planned ? prove::Interfaces{} : interfaces_here();
  for (const auto kind : {prove::ByteKey::Kind::iifname, prove::ByteKey::Kind::oifname}) {
    const std::string name = packet.interface(kind);
    const bool known =
        std::any_of(devices.begin(), devices.end(), [&](const auto& d) { return d.first == name; });
    if (!name.empty() && !known) devices.emplace_back(name, 0);
  }
  GH_CHECK(Replay::enter_namespace());
  GH_TRY(Replay replay, Replay::make(devices));
  GH_CHECK(planned ? replay.load(compile(policy.ruleset)) : replay.load(copy));
  return replay.send(packet);
}

// As far as the kernel let the packet go.
bool same_way(const KernelTrace& kernel, std::vector<std::string> ours) {
  if (!kernel.finished) ours.resize(std::min(ours.size(), kernel.steps.size()));
  return kernel.steps == ours;
}

std::string kernel_text(const KernelTrace& kernel, const std::vector<std::string>& ours) {
  std::string out = same_way(kernel, ours) ? "kernel   went the same way" : "kernel   went ANOTHER way";
  out += kernel.dropped    ? " and dropped it\n"
         : kernel.finished ? " and accepted it\n"
                           : "; then its own routing ended the packet, no rule did\n";
  for (const std::string& s : kernel.steps) out += "  " + s + '\n';
  return out;
}

Result<int> run_explain(const Args& args) {
  GH_TRY(const Policy policy, load_policy(args));
  const bool planned = args.has("--planned");
  std::string text;
  for (std::size_t i = 1; i < args.positional().size(); ++i) text += args.positional()[i] + ' ';
  GH_TRY(const prove::Packet packet, prove::parse_packet(text, [&](const std::string& name) {
           const site::Zone* zone = policy.site.find_zone(name);
           return zone != nullptr ? zone->interface : name;
         }));
  GH_TRY(const LiveRuleset ruleset, ruleset_of(policy, planned));
  const prove::Example example = prove::explain(policy.site, ruleset, packet);
  std::optional<KernelTrace> kernel;
  if (args.has("--trace")) {
    GH_TRY(kernel, ask_kernel(policy, planned, packet));
  }
  const std::vector<std::string> ours = steps_of(example.live);
  std::string out;
  if (args.json()) {
    JsonWriter json(out);
    std::string explained;
    prove::append_example_json(explained, example);
    json.begin_object().key("explanation").raw(explained);
    if (kernel) {
      json.key("kernel").begin_object().field("dropped", kernel->dropped).field("finished", kernel->finished);
      json.field("same_way", same_way(*kernel, ours));
      json.key("rules").begin_array();
      for (const std::string& s : kernel->steps) json.string(s);
      json.end_array().end_object();
    }
    json.end_object();
    out += '\n';
  } else {
    out = prove::print_example(example);
    if (kernel) out += kernel_text(*kernel, ours);
  }
  GH_CHECK(core::print_result(out));
  const bool agreed = !kernel || same_way(*kernel, ours);
  return example.live.verdict == prove::kAccept && agreed ? core::kExitDone : core::kExitNo;
}

Result<int> run_lint(const Args& args) {
  GH_TRY(const Policy policy, load_policy(args));
  GH_TRY(const LiveRuleset ruleset, ruleset_of(policy, args.has("--planned")));
  std::vector<prove::Finding> findings = prove::lint_site(policy.site);
  for (prove::Finding& f : prove::lint_ruleset(policy.site, ruleset)) findings.push_back(std::move(f));
  std::string out;
  if (args.json()) {
    JsonWriter json(out);
    json.begin_array();
    for (const prove::Finding& f : findings) {
      json.begin_object().field("finding", prove::to_string(f.kind)).field("where", f.where);
      json.field("what", f.what).end_object();
    }
    json.end_array();
    out += '\n';
  } else {
    for (const prove::Finding& f : findings)
      out += fmt::format("{}: {}: {}\n", f.where, prove::to_string(f.kind), f.what);
  }
  GH_CHECK(core::print_result(out));
  return findings.empty() ? core::kExitDone : core::kExitNo;
}

const core::ToolSpec kTool = {
    .name = "fwctl",
    .summary = "the firewall controller: one site policy, in force in the kernel",
    .description =
        "Compiles the site policy to one nftables table, `inet gatehouse`, and brings it into force in one\n"
        "       kernel transaction. Other tables are left alone. A policy with an error changes nothing.",
    .verbs =
        {
            {"check",
             "SITE",
             1,
             1,
             "read the policy and compile it; --verbose prints the normal form",
             {},
             run_check},
            {"plan",
             "SITE",
             1,
             1,
             "show what apply would change; exit 1 when there is a difference",
             {},
             run_plan},
            {"apply",
             "SITE",
             1,
             1,
             "bring the policy into force, all of it or nothing",
             {{"--expect-generation", "N",
               "refuse unless the ruleset is still of generation N, as plan printed it", false, false},
              {"--require-interfaces", "", "refuse when an interface of the policy does not exist", false,
               false},
              {"-n", "", "change nothing: what `plan` does", false, false}},
             run_apply},
            {"status",
             "[SITE]",
             0,
             1,
             "is the policy in force, and what was counted; exit 1 when not",
             {},
             run_status},
            {"prove",
             "SITE",
             1,
             1,
             "decide for every packet whether all live tables together do what the policy says; exit 1 when "
             "not",
             {{"--planned", "", "judge what `apply` would put into force, not what is", false, false}},
             run_prove},
            {"explain",
             "SITE PACKET...",
             2,
             40,
             "what policy and ruleset do with one packet, rule by rule; exit 1 when it is dropped",
             {{"--planned", "", "go through what `apply` would put into force, not what is", false, false},
              {"--trace", "", "send it through a copy in a namespace of its own, too, and compare", false,
               false}},
             run_explain},
            {"lint",
             "SITE",
             1,
             1,
             "rules and grants that cannot mean what they say; exit 1 when there are any",
             {{"--planned", "", "look at what `apply` would put into force, not at what is", false, false}},
             run_lint},
            {"export",
             "SITE",
             1,
             1,
             "print the compiled policy",
             {{"--format", "FORM", "normal (the default), nft (a file for `nft -f`) or json", false, false}},
             run_export},
        },
    .files = {{"/etc/gatehouse/site.yaml", "the site policy"}},
    .examples = {{"fwctl plan site.yaml", "what would change, and the generation it was compared with"},
                 {"fwctl apply site.yaml --expect-generation 41",
                  "apply exactly what was planned, or nothing"},
                 {"fwctl explain site.yaml in wan0 out srv0 tcp 198.51.100.7:40000 '>' 10.66.1.10:22",
                  "why this connection does not come about"},
                 {"nft list table inet gatehouse", "what is in force, each rule with its policy line"}},
    .standards = {"RFC 4890 (ICMPv6 filtering), RFC 3704 and RFC 2827 (source address validation), RFC 6890"},
};

}  // namespace

int main(int argc, char** argv) {
  return core::run_tool(kTool, argc, argv);
}
