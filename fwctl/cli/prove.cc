#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "core/control_group.h"
#include "core/json.h"
#include "fwctl/cli/load.h"
#include "fwctl/cli/verbs.h"
#include "fwctl/compile/compile.h"
#include "fwctl/control/tracking.h"
#include "fwctl/prove/decide.h"
#include "fwctl/prove/lint.h"
#include "fwctl/replay/replay.h"

namespace gatehouse::fwctl::cli {

using core::Args;
using core::Errc;
using core::fail;
using core::JsonWriter;
using core::Result;

namespace {

// The kernel's path of the packet through a copy of the ruleset, in a namespace that ends with this process.
Result<KernelTrace> ask_kernel(const Policy& policy, const Asked& asked, const prove::Packet& packet) {
  RulesetCopy copy;
  if (!asked.planned) {
    GH_TRY(Kernel kernel, Kernel::open());
    GH_TRY(copy, kernel.copy());
  }
  prove::Interfaces devices = asked.interfaces;
  for (const auto kind : {prove::ByteKey::Kind::iifname, prove::ByteKey::Kind::oifname}) {
    const std::string name = packet.interface(kind);
    const bool known =
        std::any_of(devices.begin(), devices.end(), [&](const auto& d) { return d.first == name; });
    if (!name.empty() && !known) devices.emplace_back(name, 0);
  }
  GH_CHECK(Replay::enter_namespace());
  GH_TRY(Replay replay, Replay::make(devices));
  GH_CHECK(asked.planned ? replay.load(compile(policy.ruleset)) : replay.load(copy));
  return replay.send(packet);
}

// Whether its source is among those that are refused for a time now.
bool is_banned_in(const LiveRuleset& ruleset, const prove::Packet& packet) {
  if (packet.path == prove::Path::from_gatehouse) return false;
  const core::IpAddress source = packet.address(prove::ByteKey::Kind::source);
  const Bytes key(source.view().begin(), source.view().end());
  for (const LiveTable& t : ruleset.tables) {
    for (const KernelSet& s : t.table.sets) {
      if (t.is_ban_set(s) && std::any_of(s.elements.begin(), s.elements.end(),
                                         [&](const KernelElement& e) { return e.first == key; }))
        return true;
    }
  }
  return false;
}

// Rules may compare the index of an interface, which belongs to its name.
void set_indexes(prove::Packet& packet, const prove::Interfaces& interfaces) {
  using Kind = prove::ByteKey::Kind;
  for (const auto& [kind, key] : {std::pair{Kind::iifname, NFT_META_IIF}, {Kind::oifname, NFT_META_OIF}}) {
    const std::string name = packet.interface(kind);
    const auto at = std::find_if(interfaces.begin(), interfaces.end(),
                                 [&](const auto& i) { return !name.empty() && i.first == name; });
    if (at == interfaces.end()) continue;
    const Bytes index = host_order(at->second);
    for (std::uint32_t b = 0; b < index.size(); ++b)
      packet.set({Kind::meta, static_cast<std::uint32_t>(key), b}, index[b]);
  }
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

}  // namespace

Result<int> run_prove(const Args& args) {
  GH_TRY(const Policy policy, load_policy(args));
  GH_TRY(const Asked asked, ruleset_asked_for(args, policy));
  prove::Proof proof = prove::decide(policy.site, asked.ruleset, asked.interfaces);
  const bool in_force = !asked.planned && !args.has("--ruleset");
  if (in_force && answers_handshakes(asked.ruleset)) {
    // The proof supposes that connection tracking calls such an ACK invalid.
    GH_TRY(const bool loose, picks_up_connections());
    if (loose) proof.reasons.emplace_back(kPicksUp);
    if (loose && proof.answer == prove::Answer::holds) proof.answer = prove::Answer::cannot_decide;
  }
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

Result<int> run_explain(const Args& args) {
  GH_TRY(const Policy policy, load_policy(args));
  std::string text;
  for (std::size_t i = 1; i < args.positional().size(); ++i) text += args.positional()[i] + ' ';
  const auto interface_of = [&](const std::string& name) {
    const site::Zone* zone = policy.site.find_zone(name);
    return zone != nullptr ? zone->interface : name;
  };
  GH_TRY(prove::Packet packet, prove::parse_packet(text, interface_of, core::control_group_ids));
  GH_TRY(const Asked asked, ruleset_asked_for(args, policy));
  if (is_banned_in(asked.ruleset, packet)) packet.set({prove::ByteKey::Kind::banned}, 1);
  set_indexes(packet, asked.interfaces);
  const prove::Example example = prove::explain(policy.site, asked.ruleset, packet);
  std::optional<KernelTrace> kernel;
  if (args.has("--trace")) {
    GH_TRY(kernel, ask_kernel(policy, asked, packet));
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
  GH_TRY(const Asked asked, ruleset_asked_for(args, policy));
  std::vector<prove::Finding> findings = prove::lint_site(policy.site);
  for (prove::Finding& f : prove::lint_ruleset(policy.site, asked.ruleset)) findings.push_back(std::move(f));
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

}  // namespace gatehouse::fwctl::cli
