// `mac`: the site's mandatory access control: check, ask, compile, run.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/cli.h"
#include "core/json.h"
#include "core/landlock.h"
#include "core/log.h"
#include "mac/check/check.h"
#include "site/load/load.h"

namespace {

using namespace gatehouse;       // NOLINT: a program, not a header
using namespace gatehouse::mac;  // NOLINT
using core::Args;
using core::Errc;
using core::fail;
using core::Result;

struct Policy {
  site::Site site;
  Ir ir;
};

// Nothing when the text has errors; the diagnostics say which.
Result<std::optional<Policy>> load(const std::string& path, core::Diagnostics& diagnostics) {
  GH_TRY(std::optional<site::Site> site, site::load_site_file(path, diagnostics));
  if (!site) return std::optional<Policy>();
  std::optional<Ir> ir = build_ir(*site, diagnostics);
  if (!ir) return std::optional<Policy>();
  return std::optional<Policy>(Policy{std::move(*site), std::move(*ir)});
}

Result<Policy> require_policy(const std::string& path) {
  core::Diagnostics diagnostics;
  GH_TRY(std::optional<Policy> policy, load(path, diagnostics));
  core::print_diagnostics(diagnostics);
  if (!policy) return fail(Errc::invalid_input, path + " is not usable");
  return std::move(*policy);
}

Result<const IrDomain*> require_domain(const Policy& policy, const std::string& name) {
  if (const IrDomain* domain = policy.ir.find_domain(name)) return domain;
  std::vector<std::string> names;
  for (const IrDomain& d : policy.ir.domains) names.push_back(d.name);
  const std::string hint = core::did_you_mean(name, names);
  return fail(Errc::not_found, "the site has no domain `" + name + "`" + (hint.empty() ? "" : ": " + hint));
}

Result<const Backend*> require_backend(const Args& args) {
  const std::string name = args.value("--backend", "landlock");
  if (const Backend* backend = find_backend(name)) return backend;
  std::string known;
  for (const Backend* b : backends()) known += (known.empty() ? "" : ", ") + std::string(b->name);
  return fail(Errc::unsupported, "there is no back end `" + name + "` (there is: " + known + ")");
}

Result<BackendOptions> backend_options(const Args& args) {
  GH_TRY(const std::uint64_t abi, args.uint("--abi", 0, 1, core::landlock::kNewestAbi));
  return BackendOptions{static_cast<int>(abi)};
}

void write_residuals(core::JsonWriter& json, const std::vector<Residual>& residuals) {
  json.begin_array();
  for (const Residual& r : residuals) {
    json.begin_object().field("code", r.code).field("kind", to_string(r.kind)).field("domain", r.domain);
    json.field("subject", r.subject)
        .field("message", r.message)
        .field("where", r.where.to_string())
        .end_object();
  }
  json.end_array();
}

Result<int> check_verb(const Args& args) {
  core::Diagnostics diagnostics;
  GH_TRY(const std::optional<Policy> policy, load(args.positional()[0], diagnostics));
  std::vector<Residual> residuals;
  if (policy) {
    check_policy(policy->site, policy->ir, diagnostics);
    if (args.has("--backend")) {
      GH_TRY(const Backend* backend, require_backend(args));
      GH_TRY(const BackendOptions options, backend_options(args));
      GH_TRY(residuals, check_backend(policy->site, policy->ir, *backend, options, diagnostics));
    }
  }
  core::print_diagnostics(diagnostics);
  std::string out;
  if (args.json()) {
    core::JsonWriter json(out);
    json.begin_object().field("ok", !diagnostics.has_errors()).key("residuals");
    write_residuals(json, residuals);
    json.key("diagnostics");
    std::string list;
    core::append_diagnostics_json(list, diagnostics);
    json.raw(list).end_object();
    out += '\n';
  } else if (policy && !diagnostics.has_errors()) {
    out = fmt::format("{}: {} objects, {} domains, {} nevers hold", policy->site.name,
                      policy->ir.objects.size(), policy->ir.domains.size(), policy->site.mac.nevers.size());
    if (args.has("--backend"))
      out += fmt::format("; {} gaps of {} are accepted", residuals.size(), args.value("--backend"));
    out += '\n';
  }
  GH_CHECK(core::print_result(out));
  if (!policy) return core::kExitUsage;  // nothing was checked: the site itself is unusable
  return diagnostics.has_errors() ? core::kExitNo : core::kExitDone;
}

// "443", "tcp/443" or "udp/53".
Result<std::pair<site::Transport, std::uint16_t>> parse_port(std::string_view text) {
  site::Transport transport = site::Transport::tcp;
  const std::string whole(text);
  if (text.substr(0, 4) == "tcp/" || text.substr(0, 4) == "udp/") {
    if (text[0] == 'u') transport = site::Transport::udp;
    text.remove_prefix(4);
  }
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    return fail(Errc::invalid_input, "`" + whole + "` is not a port such as 443, tcp/443 or udp/53");
  }
  return std::pair(transport, port);
}

Result<Decision> decide(const Policy& policy, const IrDomain& domain, const std::string& word,
                        const std::string& what) {
  const std::optional<MacPermission> permission = site::parse_mac_permission(word);
  if (!permission) {
    std::vector<std::string> known;
    for (std::size_t i = 0; i < site::kMacPermissions; ++i)
      known.emplace_back(site::to_string(static_cast<MacPermission>(i)));
    return fail(Errc::invalid_input,
                fmt::format("`{}` is not a permission ({})", word, fmt::join(known, ", ")));
  }
  if (!is_network(*permission)) return decide_path(policy.ir, domain, *permission, what);
  GH_TRY(const auto port, parse_port(what));
  return decide_port(policy.ir, domain, *permission, port.first, port.second);
}

Result<int> query_verb(const Args& args) {
  GH_TRY(const Policy policy, require_policy(args.positional()[0]));
  GH_TRY(const IrDomain* domain, require_domain(policy, args.positional()[1]));
  GH_TRY(const Decision decision, decide(policy, *domain, args.positional()[2], args.positional()[3]));
  std::string out;
  if (args.json()) {
    core::JsonWriter json(out);
    json.begin_object().field("allowed", decision.allowed).field("domain", domain->name);
    json.field("permission", args.positional()[2])
        .field("what", args.positional()[3])
        .field("object", decision.object);
    json.field("object_where", decision.object_where.to_string()).field("rule", decision.rule.to_string());
    json.field("reason", decision.reason).end_object();
    out += '\n';
  } else {
    out = (decision.allowed ? "allowed: " : "denied: ") + decision.reason + "\n";
  }
  GH_CHECK(core::print_result(out));
  return decision.allowed ? core::kExitDone : core::kExitNo;
}

Result<int> compile_verb(const Args& args) {
  GH_TRY(const Policy policy, require_policy(args.positional()[0]));
  GH_TRY(const IrDomain* domain, require_domain(policy, args.positional()[1]));
  GH_TRY(const Backend* backend, require_backend(args));
  GH_TRY(const BackendOptions options, backend_options(args));
  GH_TRY(const Compiled compiled, backend->compile(policy.ir, *domain, options));
  std::string out;
  if (args.json()) {
    core::JsonWriter json(out);
    json.begin_object()
        .field("backend", backend->name)
        .field("domain", domain->name)
        .field("artefact", compiled.text);
    json.key("residuals");
    write_residuals(json, compiled.residuals);
    json.end_object();
    out += '\n';
  } else {
    out = compiled.text;
    for (const Residual& r : compiled.residuals)
      out += fmt::format("# {} ({}) {}: {}\n", r.code, to_string(r.kind), r.where.to_string(), r.message);
  }
  GH_CHECK(core::print_result(out));
  return core::kExitDone;
}

Result<int> run_verb(const Args& args) {
  GH_TRY(const Policy policy, require_policy(args.positional()[0]));
  GH_TRY(const IrDomain* domain, require_domain(policy, args.positional()[1]));
  GH_TRY(const Backend* backend, require_backend(args));
  if (backend->run == nullptr)
    return fail(Errc::unsupported, "the back end `" + std::string(backend->name) + "` starts no programs");
  const std::vector<std::string> command(args.positional().begin() + 2, args.positional().end());
  return backend->run(policy.ir, *domain, {}, policy.site.mac.accept_gaps, args.has("--strict"), command);
}

core::ToolSpec make_tool() {
  core::ToolSpec tool;
  tool.name = "mac";
  tool.summary = "mandatory access control from the site policy";
  tool.description =
      "Every path and port belongs to an object; a domain may do to it what the policy grants on the object, "
      "and "
      "nothing else. The most specific pattern decides. `mac run` enforces a domain with Landlock; "
      "what Landlock cannot "
      "express must be accepted in `accept-gaps`. See docs/mac.md.";
  const auto verb = [&](const char* name, const char* arguments, std::size_t least, std::size_t most,
                        const char* summary, std::vector<core::OptionSpec> options, auto run) {
    core::VerbSpec v;
    v.name = name;
    v.arguments = arguments;
    v.least_arguments = least;
    v.most_arguments = most;
    v.summary = summary;
    v.options = std::move(options);
    v.run = run;
    tool.verbs.push_back(std::move(v));
  };
  const core::OptionSpec backend{"--backend", "NAME", "the mechanism: landlock", false, false};
  const core::OptionSpec abi{"--abi", "N", "Landlock ABI to compile for (default: this kernel's)", false,
                             false};
  verb("check", "SITE", 1, 1, "check nevers, names, ties; with --backend also what it would lose",
       {backend, abi}, check_verb);
  verb("query", "SITE DOMAIN PERMISSION PATH|PORT", 4, 4, "may this domain do that? names the deciding line",
       {}, query_verb);
  verb("compile", "SITE DOMAIN", 2, 2, "print what the back end would enforce, and the gaps", {backend, abi},
       compile_verb);
  verb("run", "SITE DOMAIN -- COMMAND [ARG...]", 3, 4096, "start a program confined to a domain",
       {backend, {"--strict", "", "fail when a path of the policy is not there", false, false}}, run_verb);
  tool.files = {{"rules/site/*.yaml", "shipped sites"}};
  tool.examples = {
      {"mac check site.yaml --backend landlock", "does the policy hold, and under Landlock?"},
      {"mac query site.yaml web read /etc/shadow", "denied, with the line that says so (exit status 1)"},
      {"mac run site.yaml web -- nginx -c /etc/nginx/nginx.conf", "nginx in its domain"}};
  tool.standards = {"Linux: Documentation/userspace-api/landlock.rst"};
  return tool;
}

}  // namespace

int main(int argc, char** argv) {
  return core::run_tool(make_tool(), argc, argv);
}
