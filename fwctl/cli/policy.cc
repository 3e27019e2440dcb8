#include <fmt/format.h>

#include "core/json.h"
#include "fwctl/api.h"
#include "fwctl/cli/load.h"
#include "fwctl/cli/verbs.h"
#include "fwctl/model/print.h"

namespace gatehouse::fwctl::cli {

using core::Args;
using core::Errc;
using core::fail;
using core::JsonWriter;
using core::Result;

namespace {

std::size_t count_rules(const Ruleset& r) {
  std::size_t out = 0;
  for (const Chain& c : r.chains) out += c.rules.size();
  return out;
}
std::size_t count_elements(const Ruleset& r) {
  std::size_t out = 0;
  for (const Set& s : r.sets) out += s.size();
  return out;
}

std::string status_text(const StatusReport& s, bool with_site) {
  std::string out = s.present ? "the gatehouse table is present"
                              : "the gatehouse table is absent: nothing is filtered by it";
  if (with_site && s.present)
    out = s.in_force            ? "in force"
          : s.obstacles.empty() ? "NOT in force: the live table differs from the policy"
                                : "NOT in force";
  out += fmt::format(" (generation {})\n", s.generation);
  if (with_site && s.in_force && s.differences != 0)
    out += "only comments differ; `fwctl apply` refreshes them\n";
  if (with_site && !s.in_force && s.differences != 0) out += s.difference_text;
  for (const std::string& o : s.obstacles) out += "obstacle: " + o + "; `fwctl apply` sets it to 0\n";
  for (const std::string& t : s.other_tables) out += "other table: " + t + '\n';
  if (s.spoofed.no_route_back + s.spoofed.not_its_place != 0)
    out += fmt::format("spoofed sources: {} packets without a route back, {} from where they do not belong\n",
                       s.spoofed.no_route_back, s.spoofed.not_its_place);
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
  json.key("obstacles").begin_array();
  for (const std::string& o : s.obstacles) json.string(o);
  json.end_array().key("other_tables").begin_array();
  for (const std::string& t : s.other_tables) json.string(t);
  json.end_array().key("spoofed").begin_object().field("no_route_back", s.spoofed.no_route_back);
  json.field("not_its_place", s.spoofed.not_its_place).end_object().key("counters").begin_array();
  for (const RuleCount& c : s.counts) {
    json.begin_object().field("chain", c.chain).field("comment", c.comment).field("packets", c.packets);
    json.field("bytes", c.bytes).end_object();
  }
  json.end_array().end_object();
  return out + '\n';
}

}  // namespace

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
  using Printer = std::string (*)(const Ruleset&);
  const Printer print = format == "nft"      ? print_nft
                        : format == "json"   ? print_json
                        : format == "dot"    ? print_dot
                        : format == "normal" ? print_normal
                                             : Printer{};
  if (print == nullptr)
    return fail(Errc::invalid_input, "--format wants normal, nft, json or dot, not `" + format + "`");
  GH_TRY(const Policy policy, load_policy(args));
  GH_CHECK(core::print_result(print(policy.ruleset)));
  return core::kExitDone;
}

Result<int> run_status(const Args& args) {
  std::optional<site::Site> site;
  if (!args.positional().empty()) {
    GH_TRY(site, load_site(args.positional()[0]));
  }
  GH_TRY(const StatusReport report, status(site ? &*site : nullptr));
  const bool with_site = site.has_value();
  GH_CHECK(core::print_result(args.json() ? status_json(report, with_site) : status_text(report, with_site)));
  return (with_site ? report.in_force : report.present) ? core::kExitDone : core::kExitNo;
}

}  // namespace gatehouse::fwctl::cli
