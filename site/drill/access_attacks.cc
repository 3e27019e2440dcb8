// Safeguards 3 and 10: a process that an attacker has taken over must find nothing it may use.
#include <fmt/format.h>

#include "site/drill/attack.h"

namespace gatehouse::drill {
namespace {

using core::Result;

// Runs a command the way the site runs the process it stands for.
Result<CommandResult> as(const Context& context, const std::vector<std::string>& process,
                         std::vector<std::string> command) {
  std::vector<std::string> argv = process;
  argv.insert(argv.end(), command.begin(), command.end());
  return context.on(context.lab().target, std::move(argv));
}

// As root in the web server's domain: user and group would allow it, the domain must not; and the
// domain's own files must be readable, else a program that fails to start would look like a denial.
Result<Outcome> forbidden_read(const Context& context, const std::string& file) {
  const Lab& lab = context.lab();
  GH_TRY(CommandResult own, as(context, lab.web_process, {"cat", lab.web_file}));
  if (!own.ok()) return Outcome{false, "cannot even read its own " + lab.web_file + ": " + brief(own.output)};
  GH_TRY(CommandResult result, as(context, lab.web_process, {"cat", file}));
  return Outcome{result.exit_status == 1 && result.says("Permission denied"), brief(result.output)};
}
Result<Outcome> read_shadow(const Context& context) {
  return forbidden_read(context, context.lab().shadow_file);
}
Result<Outcome> read_customers(const Context& context) {
  return forbidden_read(context, context.lab().customer_file);
}

Result<Outcome> write_page(const Context& context) {
  const Lab& lab = context.lab();
  GH_TRY(CommandResult result, as(context, lab.web_process, {"cp", "/dev/null", lab.web_file + ".defaced"}));
  GH_TRY(CommandResult after, context.on(lab.target, {"ls", lab.web_file + ".defaced"}));
  return Outcome{!result.ok() && result.says("Permission denied") && after.says("No such file"),
                 brief(result.output)};
}

// A program of the system waits on a port the domain does not have.
Result<Outcome> backdoor_port(const Context& context) {
  GH_TRY(CommandResult result, as(context, context.lab().web_process,
                                  {"timeout", "1", "openssl", "s_server", "-nocert", "-accept", "4444"}));
  const bool denied = result.says("calling bind()") && result.says("Permission denied");
  return Outcome{denied && !result.says("ACCEPT"),
                 denied ? "bind to port 4444: permission denied" : brief(result.output)};
}

// The running nginx itself, through a real misconfiguration: `location /files { alias ...; }`
// without the final slash lets /files../ leave the web root.
Result<Outcome> nginx_traversal(const Context& context) {
  const Lab& lab = context.lab();
  const std::string base = fmt::format("https://{}", lab.server_name);
  const std::vector<std::string> curl = {"curl",
                                         "-sS",
                                         "--path-as-is",
                                         "--max-time",
                                         "5",
                                         "--cacert",
                                         lab.ca_file,
                                         "--resolve",
                                         fmt::format("{}:443:{}", lab.server_name, context.target(4)),
                                         "-w",
                                         "\nanswered %{http_code}\n"};
  auto fetch = [&](const std::string& path) {
    std::vector<std::string> command = curl;
    command.push_back(base + path);
    return context.outside(std::move(command));
  };
  GH_TRY(CommandResult page, fetch("/files/index.html"));
  if (!page.says("answered 200"))
    return Outcome{false, "the page itself is not served: " + brief(page.output)};
  GH_TRY(CommandResult result, fetch("/files.." + lab.customer_file.substr(lab.customer_file.find('/', 1))));
  return Outcome{result.says("answered 403"),
                 result.says("answered 403") ? "403 Forbidden" : brief(result.output)};
}

// A web server that has been taken over starts a shell. `env` alone must run there, else a sandbox
// that lets nothing start would look like a safeguard.
Result<Outcome> start_shell(const Context& context) {
  const Lab& lab = context.lab();
  GH_TRY(CommandResult alone, as(context, lab.sandboxed_process, {"env"}));
  if (!alone.ok()) return Outcome{false, "nothing runs in the sandbox: " + brief(alone.output)};
  std::vector<std::string> argv = lab.sandboxed_process;
  for (const char* word : {"env", "/bin/sh", "-c", "echo got a shell"}) argv.emplace_back(word);
  GH_TRY(CommandResult result, context.try_on(lab.target, std::move(argv)));
  const bool refused = result.says("Operation not permitted") || result.says("Function not implemented");
  return Outcome{!result.ok() && !result.says("got a shell") && refused, brief(result.output)};
}
Result<Outcome> forbidden_call(const Context& context) {
  GH_TRY(CommandResult result, as(context, context.lab().sandboxed_process, {"unshare", "--uts", "true"}));
  return Outcome{result.says("unshare failed: Operation not permitted") || result.signal != 0,
                 brief(result.output)};
}

// What the kernel says of the processes that serve the site right now.
Result<Outcome> nginx_filtered(const Context& context) {
  GH_TRY(CommandResult result,
         context.on(context.lab().target,
                    {"bash", "-c",
                     "n=0; f=0; for p in $(pgrep -x nginx); do n=$((n+1));"
                     "grep -q '^Seccomp:.2$' /proc/$p/status && grep -q '^NoNewPrivs:.1$' /proc/$p/status && "
                     "f=$((f+1)); done;"
                     "echo \"$f of $n nginx processes filtered\"; [ $n -gt 1 ] && [ $f = $n ]"}));
  return Outcome{result.ok(), brief(result.output)};
}

}  // namespace

std::vector<Attack> access_attacks() {
  return {
      {"web-reads-shadow", 3, "mac", "web domain, as root: read the password hashes", Expect::stopped,
       read_shadow, nullptr},
      {"web-reads-customers", 3, "mac", "web domain, as root: read the customer database", Expect::stopped,
       read_customers, nullptr},
      {"web-defaces", 3, "mac", "web domain, as root: write into the web root", Expect::stopped, write_page,
       nullptr},
      {"web-backdoor", 3, "mac", "web domain, as root: listen on another port", Expect::stopped,
       backdoor_port, nullptr},
      {"nginx-traversal", 3, "mac", "the running nginx: customer data through a path hole", Expect::stopped,
       nginx_traversal, nullptr},
      {"web-shell", 3, "seccomp", "web server's sandbox: start a shell", Expect::stopped, start_shell,
       nullptr},
      {"web-syscall", 3, "seccomp", "web server's sandbox: a system call outside its profile",
       Expect::stopped, forbidden_call, nullptr},
      {"nginx-filtered", 3, "seccomp", "every running nginx process is filtered", Expect::works,
       nginx_filtered, nullptr},
  };
}

}  // namespace gatehouse::drill
