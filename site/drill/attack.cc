#include "site/drill/attack.h"

#include <algorithm>
#include <set>

namespace gatehouse::drill {

std::string_view to_string(Expect expect) {
  switch (expect) {
    case Expect::stopped:
      return "stopped";
    case Expect::works:
      return "works";
    case Expect::seen:
      return "seen";
  }
  return "";
}

core::Result<CommandResult> Context::try_on(const std::string& machine, std::vector<std::string> command,
                                            CommandOptions options) const {
  std::vector<std::string> argv = lab_.machine(machine).enter;
  argv.insert(argv.end(), std::make_move_iterator(command.begin()), std::make_move_iterator(command.end()));
  return run_command(argv, options);
}

core::Result<CommandResult> Context::on(const std::string& machine, std::vector<std::string> command,
                                        CommandOptions options) const {
  GH_TRY(CommandResult result, try_on(machine, std::move(command), std::move(options)));
  // `env` and the shells say 126/127 for a program that cannot be run.
  if (result.exit_status == 126 || result.exit_status == 127) {
    return core::fail(core::Errc::not_found, machine + " cannot run the attack: " + brief(result.output));
  }
  return result;
}

std::vector<std::uint16_t> Context::exposed_tcp_ports() const {
  std::set<std::uint16_t> ports;
  for (const auto& service : site_.services) {
    const bool exposed =
        std::any_of(service.exposed_to.begin(), service.exposed_to.end(), [&](const auto& to) {
          const site::Zone* zone = to.is_gatehouse() ? nullptr : site_.find_zone(to.zone);
          return zone != nullptr && zone->untrusted;
        });
    if (!exposed) continue;
    for (const auto& range : service.ports) {
      if (range.transport != site::Transport::tcp) continue;
      for (std::uint32_t port = range.first; port <= range.last; ++port)
        ports.insert(static_cast<std::uint16_t>(port));
    }
  }
  return {ports.begin(), ports.end()};
}

EventMatch alert_on_attacker(const Context& context, std::vector<std::uint64_t> sids) {
  const Lab& lab = context.lab();
  return {std::move(sids), {}, lab.machine(lab.attacker).address(4), context.target(4)};
}

std::vector<Attack> all_attacks() {
  std::vector<Attack> all;
  for (auto part : {firewall_attacks, detection_attacks, access_attacks, ssh_attacks, protocol_attacks}) {
    for (const Attack& attack : part()) all.push_back(attack);
  }
  return all;
}

std::string brief(std::string_view output, std::size_t most) {
  const std::size_t last = output.find_last_not_of(" \t\r\n");
  if (last == std::string_view::npos) return "no output";
  output = output.substr(0, last + 1);
  output.remove_prefix(output.rfind('\n') + 1);  // npos + 1 is 0: there is one line
  output.remove_prefix(output.find_first_not_of(" \t\r"));
  return std::string(output.substr(0, most));
}

}  // namespace gatehouse::drill
