// `harden`: system call profiles and remote administration from the site policy.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "core/cli.h"
#include "core/json.h"
#include "core/log.h"
#include "core/os.h"
#include "hardening/seccomp/compile.h"
#include "hardening/seccomp/install.h"
#include "hardening/sshd/authority.h"
#include "hardening/sshd/config.h"
#include "site/load/load.h"

namespace {

using namespace gatehouse;             // NOLINT: a program, not a header
using namespace gatehouse::hardening;  // NOLINT
using core::Args;
using core::Errc;
using core::fail;
using core::Result;

// The profile, or an Error after its diagnostics were printed.
Result<Profile> require_profile(const std::string& name) {
  core::Diagnostics diagnostics;
  GH_TRY(std::optional<Profile> profile, load_profile(name, diagnostics));
  core::print_diagnostics(diagnostics);
  if (!profile) return fail(Errc::invalid_input, name + " is not usable");
  return std::move(*profile);
}

Result<site::Site> require_site(const std::string& path) {
  core::Diagnostics diagnostics;
  GH_TRY(std::optional<site::Site> site, site::load_site_file(path, diagnostics));
  core::print_diagnostics(diagnostics);
  if (!site) return fail(Errc::invalid_input, path + " is not usable");
  return std::move(*site);
}

Result<int> run_verb(const Args& args) {
  GH_TRY(const Profile profile, require_profile(args.positional()[0]));
  const std::vector<std::string> command(args.positional().begin() + 1, args.positional().end());
  if (profile.exec == ExecMode::never) {
    return fail(Errc::invalid_input,
                "profile `" + profile.name + "` has `exec: never`: it is for a daemon that restricts itself");
  }
  GH_TRY(const Program program, compile(profile, {true, args.has("--log-only")}));
  core::log_debug("{}: {} instructions, default {}, exec {}", profile.name, program.size(),
                  profile.fallback.to_string(), to_string(profile.exec));
  return tl::make_unexpected(exec_filtered(program, command));
}

struct Checked {
  std::string mode;
  std::size_t instructions = 0;
  Proof proof;
};

Result<Checked> check_mode(const Profile& profile, bool launching) {
  const CompileOptions options{launching, false};
  GH_TRY(const Program program, compile(profile, options));
  GH_TRY(Proof proof, prove(profile, options, program));
  return Checked{launching ? "started by harden run" : "on itself", program.size(), std::move(proof)};
}

std::string describe(const Disagreement& d) {
  std::string arguments;
  for (const std::uint64_t a : d.call.arguments) arguments += fmt::format(" {:#x}", a);
  return fmt::format("call {} arch {:#x} arguments{}: the filter says {}, the profile {}", d.call.number,
                     d.call.arch, arguments, describe_return(d.program_says),
                     describe_return(d.profile_says));
}

Result<int> check_verb(const Args& args) {
  core::Diagnostics diagnostics;
  GH_TRY(const std::optional<Profile> profile, load_profile(args.positional()[0], diagnostics));
  core::print_diagnostics(diagnostics);
  std::vector<Checked> modes;
  bool good = profile.has_value();
  if (profile) {
    for (const bool launching : {false, true}) {
      GH_TRY(Checked checked, check_mode(*profile, launching));
      good = good && checked.proof.disagreements.empty();
      modes.push_back(std::move(checked));
    }
  }
  std::string out;
  if (args.json()) {
    core::JsonWriter json(out);
    json.begin_object().field("ok", good).key("modes").begin_array();
    for (const Checked& m : modes) {
      json.begin_object()
          .field("mode", m.mode)
          .field("instructions", m.instructions)
          .field("calls_tried", m.proof.calls_tried);
      json.field("disagreements", m.proof.disagreements.size()).end_object();
    }
    json.end_array().key("diagnostics");
    std::string list;
    core::append_diagnostics_json(list, diagnostics);
    json.raw(list).end_object();
    out += '\n';
  } else {
    for (const Checked& m : modes) {
      out += fmt::format(
          "{} ({}): {} instructions, {} calls tried, {}\n", profile->name, m.mode, m.instructions,
          m.proof.calls_tried,
          m.proof.disagreements.empty() ? "the filter does what the profile says" : "THE FILTER DIFFERS");
      for (const Disagreement& d : m.proof.disagreements) out += "  " + describe(d) + "\n";
    }
  }
  GH_CHECK(core::print_result(out));
  if (!profile) return core::kExitUsage;  // nothing was proved: the profile itself is unusable
  return good ? core::kExitDone : core::kExitNo;
}

Result<int> show_verb(const Args& args) {
  GH_TRY(const Profile profile, require_profile(args.positional()[0]));
  GH_TRY(const Program program, compile(profile, {true, false}));
  std::string out;
  if (args.json()) {
    core::JsonWriter json(out);
    json.begin_object().field("profile", profile.name).field("default", profile.fallback.to_string());
    json.field("exec", to_string(profile.exec))
        .field("instructions", program.size())
        .key("rules")
        .begin_array();
    for (const auto& [number, rule] : profile.rules) {
      json.begin_object()
          .field("call", rule.name)
          .field("number", number)
          .field("action", rule.action.to_string());
      json.field("when", rule.when.to_string()).field("line", rule.where.line).end_object();
    }
    json.end_array().end_object();
    out += '\n';
  } else if (args.has("--bpf")) {
    out = dump(program);
  } else {
    out = allowed_text(profile);
    core::log_info("{} calls named, {} instructions", profile.rules.size(), program.size());
  }
  GH_CHECK(core::print_result(out));
  return core::kExitDone;
}

Result<int> sshd_verb(const Args& args) {
  GH_TRY(const site::Site site, require_site(args.positional()[0]));
  const std::string directory = args.value("--out");
  core::Diagnostics diagnostics;
  const std::optional<SshdPlan> plan =
      plan_sshd(site, {args.value("--installed-at", SshdOptions{}.installed_at)}, diagnostics);
  core::print_diagnostics(diagnostics);
  if (!plan) return fail(Errc::invalid_input, "no sshd configuration can be made of this site");
  GH_CHECK(core::make_directories(directory + "/principals", 0755));
  std::string out;
  for (const GeneratedFile& file : plan->files) {
    const std::string path = directory + "/" + file.name;
    struct stat info {};
    // The list of revoked certificates is the one file people keep by hand.
    if (file.name == "revoked_keys" && stat(path.c_str(), &info) == 0) continue;
    GH_CHECK(core::write_file_atomic(path, file.content, 0644));
    out += path + "\n";
  }
  GH_CHECK(core::print_result(out));
  return core::kExitDone;
}

Result<int> ca_verb(const Args& args) {
  const std::vector<std::string>& words = args.positional();
  if (words[0] == "init" && words.size() == 2) {
    GH_CHECK(init_authority(words[1]));
    GH_CHECK(core::print_result(words[1] + "/user-ca.pub\n"));
    return core::kExitDone;
  }
  if (words[0] != "sign" || words.size() != 2) {
    return fail(Errc::invalid_input,
                "usage: harden ca init DIR, or harden ca sign SITE --ca DIR --role R --person P --key "
                "FILE.pub --valid 8h");
  }
  for (const char* name : {"--ca", "--role", "--person", "--key"}) {
    if (!args.has(name)) return fail(Errc::invalid_input, std::string("harden ca sign needs ") + name);
  }
  GH_TRY(const site::Site site, require_site(words[1]));
  constexpr std::uint64_t kMinute_us = 60'000'000;
  GH_TRY(const std::uint64_t valid,
         args.duration_us("--valid", 480 * kMinute_us, kMinute_us, kLongestValidityUs));
  const SignRequest request{args.value("--ca"), args.value("--role"), args.value("--person"),
                            args.value("--key"), valid};
  const Result<std::string> certificate = sign_certificate(site, request);
  if (!certificate && certificate.error().code == Errc::permission) {
    core::log_error("{}", certificate.error().to_string());
    return core::kExitNo;
  }
  if (!certificate) return tl::make_unexpected(certificate.error());
  GH_CHECK(core::print_result(*certificate + "\n"));
  return core::kExitDone;
}

core::ToolSpec make_tool() {
  core::ToolSpec tool;
  tool.name = "harden";
  tool.summary = "system call profiles and certificate-only SSH";
  tool.description =
      "PROFILE is a built-in name (ids, socfwd) or a file. A profile lists the system calls a program may "
      "make; "
      "everything else gets the profile's default action. `exec: once` lets `harden run` start the "
      "program and "
      "refuses every later execve. See docs/hardening.md for what a filter cannot see.";
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
  verb("run", "PROFILE -- COMMAND [ARG...]", 2, 4096, "run a program under a profile",
       {{"--log-only", "", "refuse nothing, let the kernel log what would be refused", false, false}},
       run_verb);
  verb("check", "PROFILE", 1, 1, "check a profile and prove its filter over all calls", {}, check_verb);
  verb("show", "PROFILE", 1, 1, "list what a profile lets through",
       {{"--bpf", "", "the filter's instructions instead", false, false}}, show_verb);
  verb("sshd", "SITE", 1, 1, "write sshd_config and the principals of each account",
       {{"--out", "DIR", "directory to write to", true, false},
        {"--installed-at", "DIR", "where it will stand on the server (default /etc/gatehouse/ssh)", false,
         false}},
       sshd_verb);
  verb("ca", "init DIR | sign SITE", 2, 2,
       "make a user certificate authority; sign a person's key for a role",
       {{"--ca", "DIR", "sign: the authority's directory", false, false},
        {"--role", "ROLE", "sign: the role the certificate is for", false, false},
        {"--person", "PERSON", "sign: who; must be in the role's group", false, false},
        {"--key", "FILE.pub", "sign: the person's public key", false, false},
        {"--valid", "DURATION", "sign: 1m to 24h, default 8h", false, false}},
       ca_verb);
  tool.files = {{"rules/hardening/*.yaml", "shipped profiles, each beside the list of what it allows"},
                {"/etc/gatehouse/ssh", "sshd_config, principals/ACCOUNT, revoked_keys"}};
  tool.examples = {{"harden run rules/hardening/web-server.yaml -- nginx", "nginx with the calls it needs"},
                   {"harden check ids", "prove the built-in filter of the detection engine"},
                   {"harden ca sign site.yaml --ca ca --role operator --person cy --key cy.pub --valid 8h",
                    "a day's certificate"}};
  tool.standards = {"seccomp(2); OpenSSH certificates (PROTOCOL.certkeys)"};
  return tool;
}

}  // namespace

int main(int argc, char** argv) {
  return core::run_tool(make_tool(), argc, argv);
}
