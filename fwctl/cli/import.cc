#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>

#include "core/json.h"
#include "fwctl/cli/load.h"
#include "fwctl/cli/verbs.h"
#include "fwctl/import/propose.h"
#include "fwctl/prove/decide.h"
#include "fwctl/replay/ruleset_file.h"

namespace gatehouse::fwctl::cli {

using core::Args;
using core::Errc;
using core::fail;
using core::IpAddress;
using core::IpPrefix;
using core::JsonWriter;
using core::Result;

namespace {

core::ByteView bytes_of(const sockaddr& a) {
  if (a.sa_family == AF_INET)
    return {reinterpret_cast<const std::uint8_t*>(&reinterpret_cast<const sockaddr_in&>(a).sin_addr), 4};
  return {reinterpret_cast<const std::uint8_t*>(&reinterpret_cast<const sockaddr_in6&>(a).sin6_addr), 16};
}

// The networks that this machine's own addresses are in; link-local ones are everywhere.
std::map<std::string, std::vector<IpPrefix>> connected_networks() {
  std::map<std::string, std::vector<IpPrefix>> out;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return out;
  for (const ifaddrs* i = all; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr || i->ifa_netmask == nullptr) continue;
    if (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6) continue;
    IpAddress address = IpAddress::from_bytes(bytes_of(*i->ifa_addr));
    const core::ByteView mask = bytes_of(*i->ifa_netmask);
    if (address.is_v6() && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80) continue;
    int length = 0;
    for (std::size_t b = 0; b < mask.size(); ++b) {
      address.bytes[b] &= mask[b];
      length += __builtin_popcount(mask[b]);
    }
    out[i->ifa_name].push_back({address, static_cast<std::uint8_t>(length)});
  }
  freeifaddrs(all);
  return out;
}

Result<ImportHints> hints_of(const Args& args) {
  ImportHints out;
  out.outside = args.value("--outside");
  for (const std::string& given : args.values("--networks")) {
    const std::size_t equals = given.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(Errc::invalid_input, "--networks wants INTERFACE=PREFIX,..., not `" + given + "`");
    std::vector<IpPrefix>& networks = out.networks[given.substr(0, equals)];
    for (std::size_t at = equals + 1; at <= given.size();) {
      const std::size_t end = std::min(given.find(',', at), given.size());
      const auto prefix = IpPrefix::parse(std::string_view(given).substr(at, end - at));
      if (!prefix) return fail(Errc::invalid_input, "`" + given.substr(at, end - at) + "` is not a prefix");
      networks.push_back(*prefix);
      at = end + 1;
    }
  }
  return out;
}

// "differs" is what a proof says of a policy; here the policy is the guess.
std::string_view verdict(prove::Answer answer) {
  return answer == prove::Answer::holds ? "equal" : prove::to_string(answer);
}

constexpr const char* kWhyNot =
    "# A policy checks more than many rulesets do: sources, states, hop limits (docs/fwctl.md). Where that "
    "is the\n"
    "# difference, the policy is the stricter one.\n";

std::string commented(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out += "# " + text.substr(at, end - at) + '\n';
    at = end + 1;
  }
  return out;
}

}  // namespace

Result<int> run_import(const Args& args) {
  GH_TRY(ImportHints hints, hints_of(args));
  LiveRuleset ruleset;
  prove::Interfaces interfaces;
  if (args.has("--ruleset")) {
    std::vector<std::string> names;
    for (const auto& [name, networks] : hints.networks) names.push_back(name);
    if (!hints.outside.empty() && hints.networks.count(hints.outside) == 0) names.push_back(hints.outside);
    GH_TRY(RulesetFile file, load_ruleset_file(args.value("--ruleset"), names));
    ruleset = std::move(file.ruleset);
    interfaces = std::move(file.interfaces);
  } else {
    hints.connected = connected_networks();
    interfaces = interfaces_here();
    GH_TRY(Kernel kernel, Kernel::open());
    GH_TRY(ruleset, kernel.read_all());
  }
  GH_TRY(const Proposal proposal, propose(ruleset, interfaces, hints));
  GH_TRY(const site::Site site, load_site(core::SourceText("imported.yaml", proposal.text)));
  const prove::Proof proof = prove::decide(site, ruleset, interfaces);
  std::string out;
  if (args.json()) {
    std::string proved;
    prove::append_proof_json(proved, proof);
    JsonWriter json(out);
    json.begin_object().field("answer", verdict(proof.answer)).field("site", proposal.text);
    json.key("not_expressed").begin_array();
    for (const std::string& g : proposal.gaps) json.string(g);
    json.end_array().key("proof").raw(proved).end_object();
    out += '\n';
  } else {
    out = proposal.text + "\n# Judged against the ruleset: " + std::string(verdict(proof.answer)) + "\n" +
          (proof.answer == prove::Answer::differs ? kWhyNot : "") + commented(prove::print_proof(proof));
  }
  GH_CHECK(core::print_result(out));
  return proof.answer == prove::Answer::holds ? core::kExitDone : core::kExitNo;
}

}  // namespace gatehouse::fwctl::cli
