// Safeguard 1 and the network half of 4: what the firewall must stop.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "site/drill/attack.h"
#include "site/drill/nmap.h"

namespace gatehouse::drill {
namespace {

using core::Result;

// Every TCP port of the target: exactly the exposed ones open, every other one silent.
Result<Outcome> tcp_scan(const Context& context, int version) {
  std::vector<std::string> command = {"nmap",  "-n",
                                      "-Pn",   "-sS",
                                      "-p-",   "--min-rate",
                                      "50000", "--max-retries",
                                      "1",     "--initial-rtt-timeout",
                                      "20ms",  "--max-rtt-timeout",
                                      "50ms",  "-oX",
                                      "-"};
  if (version == 6) command.emplace_back("-6");
  command.push_back(context.target(version));
  CommandOptions options;
  options.limit = std::chrono::seconds(120);
  GH_TRY(CommandResult result, context.outside(std::move(command), options));
  GH_TRY(NmapPorts ports, parse_nmap_xml(result.output));
  Outcome outcome;
  outcome.held = ports.open == context.exposed_tcp_ports() && ports.closed == 0 &&
                 ports.open.size() + ports.filtered == 65535;
  outcome.fact = ports.to_string();
  return outcome;
}
Result<Outcome> tcp_scan_v4(const Context& context) {
  return tcp_scan(context, 4);
}
Result<Outcome> tcp_scan_v6(const Context& context) {
  return tcp_scan(context, 6);
}

EventMatch scan_report(const Context& context, int version) {
  return {{},
          {"scan.syn.vertical"},
          context.lab().machine(context.lab().attacker).address(version),
          context.target(version)};
}
EventMatch scan_report_v4(const Context& context) {
  return scan_report(context, 4);
}
EventMatch scan_report_v6(const Context& context) {
  return scan_report(context, 6);
}

std::string port_list(const std::vector<std::uint16_t>& ports) {
  return fmt::format("{}", fmt::join(ports, ","));
}

// The target runs echo servers on these ports, so that silence means that something stopped it.
Result<Outcome> udp_probe(const Context& context, int version) {
  std::vector<std::string> command = {"nmap",          "-n",  "-Pn",
                                      "-sU",           "-p",  port_list(context.lab().decoy_udp),
                                      "--max-retries", "1",   "--max-rtt-timeout",
                                      "300ms",         "-oX", "-"};
  if (version == 6) command.emplace_back("-6");
  command.push_back(context.target(version));
  GH_TRY(CommandResult result, context.outside(std::move(command)));
  GH_TRY(NmapPorts ports, parse_nmap_xml(result.output));
  return Outcome{ports.open.empty() && ports.closed == 0 && ports.filtered == context.lab().decoy_udp.size(),
                 ports.to_string()};
}
Result<Outcome> udp_probe_v4(const Context& context) {
  return udp_probe(context, 4);
}
Result<Outcome> udp_probe_v6(const Context& context) {
  return udp_probe(context, 6);
}

Result<Outcome> forbidden_ports(const Context& context) {
  GH_TRY(
      CommandResult result,
      context.outside({"nmap", "-n", "-Pn", "-sT", "-p", port_list(context.lab().decoy_tcp), "--max-retries",
                       "1", "--max-rtt-timeout", "300ms", "-oX", "-", context.target(4)}));
  GH_TRY(NmapPorts ports, parse_nmap_xml(result.output));
  return Outcome{ports.open.empty() && ports.closed == 0 && ports.filtered == context.lab().decoy_tcp.size(),
                 ports.to_string()};
}

// A bind shell's opposite: the server calls the attacker, who is waiting.
Result<Outcome> call_home(const Context& context) {
  const Lab& lab = context.lab();
  const std::string address = lab.machine(lab.attacker).address(4);
  GH_TRY(CommandResult result,
         context.on(lab.target, {"curl", "-sS", "--http0.9", "--max-time", "2",
                                 fmt::format("http://{}:{}/", address, lab.attacker_listener)}));
  // The listener greets whoever connects; 28 is curl's time-out, 7 its refused connection.
  const bool stopped = !result.says("decoy") && (result.exit_status == 28 || result.exit_status == 7);
  return Outcome{stopped, brief(result.output)};
}

Result<Outcome> ssh_from_outside(const Context& context) {
  Outcome outcome{true, ""};
  for (int version : {4, 6}) {
    std::vector<std::string> command = {"nmap",          "-n", "-Pn", "-sT", "-p", "22",
                                        "--max-retries", "1",  "-oX", "-"};
    if (version == 6) command.emplace_back("-6");
    command.push_back(context.target(version));
    GH_TRY(CommandResult result, context.outside(std::move(command)));
    GH_TRY(NmapPorts ports, parse_nmap_xml(result.output));
    outcome.held = outcome.held && ports.open.empty() && ports.closed == 0 && ports.filtered == 1;
    outcome.fact += fmt::format("{}v{}: {}", version == 6 ? "; " : "", version, ports.to_string());
  }
  return outcome;
}

// TCP segments the target's kernel has received so far.
Result<std::uint64_t> segments_received(const Context& context) {
  GH_TRY(CommandResult result,
         context.on(context.lab().target, {"awk", "$1 == \"Tcp:\" && n++ { print $11 }", "/proc/net/snmp"}));
  std::uint64_t count = 0;
  const std::string& text = result.output;
  if (!result.ok() || std::from_chars(text.data(), text.data() + text.size(), count).ec != std::errc()) {
    return core::fail(core::Errc::io, "cannot read the target's packet counters: " + brief(text));
  }
  return count;
}

// From outside, with the administration host's address as the sender: the one source that may
// reach SSH. The answers go elsewhere, so the target's own counter tells what arrived.
Result<Outcome> forged_source(const Context& context) {
  const Lab& lab = context.lab();
  GH_TRY(const std::uint64_t before, segments_received(context));
  GH_TRY(CommandResult sent,
         context.outside({"hping3", "-q", "-n", "-S", "-p", "22", "-c", "20", "-i", "u10000", "-a",
                          lab.machine(lab.administration).address(4), context.target(4)}));
  GH_TRY(const std::uint64_t after, segments_received(context));
  if (!sent.says("20 packets transmitted"))
    return Outcome{false, "hping3 did not send: " + brief(sent.output)};
  return Outcome{after == before,
                 fmt::format("{} of 20 packets arrived", std::min<std::uint64_t>(after - before, 20))};
}

// A server that has been taken over tries the SOC's receiver, which listens and is reachable from
// the gatehouse.
Result<Outcome> sideways(const Context& context) {
  for (const auto& receiver : context.site().soc.receivers) {
    if (receiver.kind != site::ReceiverKind::syslog_tls) continue;
    const auto networks = context.site().networks_of(receiver.host);
    if (networks.empty()) break;
    GH_TRY(CommandResult result,
           context.on(context.lab().target,
                      {"nmap", "-n", "-Pn", "-sT", "-p", std::to_string(receiver.port), "--max-retries", "1",
                       "-oX", "-", networks.front().address.to_string()}));
    GH_TRY(NmapPorts ports, parse_nmap_xml(result.output));
    return Outcome{ports.open.empty() && ports.closed == 0 && ports.filtered == 1, ports.to_string()};
  }
  return core::fail(core::Errc::not_found, "the site policy has no syslog-tls receiver to try");
}

}  // namespace

std::vector<Attack> firewall_attacks() {
  return {
      {"tcp-scan-v4", 1, "firewall", "nmap SYN scan of all 65535 TCP ports, IPv4", Expect::stopped,
       tcp_scan_v4, scan_report_v4},
      {"tcp-scan-v6", 1, "firewall", "nmap SYN scan of all 65535 TCP ports, IPv6", Expect::stopped,
       tcp_scan_v6, scan_report_v6},
      {"udp-probe-v4", 1, "firewall", "UDP probes to echo servers, IPv4", Expect::stopped, udp_probe_v4,
       nullptr},
      {"udp-probe-v6", 1, "firewall", "UDP probes to echo servers, IPv6", Expect::stopped, udp_probe_v6,
       nullptr},
      {"forbidden-ports", 1, "firewall", "connections to listeners the policy does not expose",
       Expect::stopped, forbidden_ports, nullptr},
      {"call-home", 4, "firewall", "the server connects to a listener of the attacker", Expect::stopped,
       call_home, nullptr},
      {"sideways", 4, "firewall", "the server connects to the SOC's receiver", Expect::stopped, sideways,
       nullptr},
      {"forged-source", 4, "firewall", "SSH from outside with the administration host's address as sender",
       Expect::stopped, forged_source, nullptr},
      {"ssh-from-outside", 4, "firewall", "SSH from outside, IPv4 and IPv6", Expect::stopped,
       ssh_from_outside, nullptr},
  };
}

}  // namespace gatehouse::drill
