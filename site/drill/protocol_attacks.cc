// Safeguards 6, 7 and 8: what is said between client and server.
#include <fmt/format.h>

#include "site/drill/attack.h"

namespace gatehouse::drill {
namespace {

using core::Result;

Result<Outcome> tls_verifies(const Context& context) {
  const Lab& lab = context.lab();
  Outcome outcome{true, ""};
  for (int version : {4, 6}) {
    const std::string address = version == 6 ? "[" + context.target(6) + "]" : context.target(4);
    GH_TRY(
        CommandResult result,
        context.outside({"curl", "-sS", "--max-time", "5", "--tlsv1.2", "--cacert", lab.ca_file, "--resolve",
                         fmt::format("{}:443:{}", lab.server_name, address), "-o", "/dev/null", "-w",
                         "answered %{http_code}", fmt::format("https://{}/", lab.server_name)}));
    outcome.held = outcome.held && result.says("answered 200");
    outcome.fact += fmt::format("{}v{}: {}", version == 6 ? "; " : "", version, brief(result.output));
  }
  return outcome;
}

// With every cipher allowed on our side, so that the refusal is the server's.
Result<Outcome> old_tls(const Context& context) {
  Outcome outcome{true, ""};
  for (const char* version : {"-tls1", "-tls1_1"}) {
    GH_TRY(CommandResult result,
           context.outside({"openssl", "s_client", "-brief", "-cipher", "ALL:@SECLEVEL=0", version,
                            "-connect", context.target(4) + ":443"}));
    const bool spoke = result.says("CONNECTION ESTABLISHED");
    outcome.held = outcome.held && !spoke && result.says("alert protocol version");
    outcome.fact += fmt::format("{}{}: {}", outcome.fact.empty() ? "" : "; ", version + 1,
                                spoke                                   ? "accepted"
                                : result.says("alert protocol version") ? "refused"
                                                                        : brief(result.output));
  }
  return outcome;
}

Result<Outcome> clear_http(const Context& context) {
  GH_TRY(CommandResult result, context.outside({"curl", "-sS", "--max-time", "5", "-o", "/dev/null", "-w",
                                                "answered %{http_code} %{redirect_url}",
                                                "http://" + context.target(4) + "/index.html"}));
  return Outcome{result.says("answered 301 https://"), brief(result.output)};
}

// One SMTP conversation by curl; the fact is the server's last word.
Result<CommandResult> mail(const Context& context, const std::string& recipient, std::string message) {
  CommandOptions options;
  options.input = std::move(message);
  return context.outside(
      {"curl", "-sS", "-v", "--max-time", "5", "--mail-from", "mallory@attacker.example", "--mail-rcpt",
       recipient, "-T", "-", fmt::format("smtp://{}/attacker.example", context.target(4))},
      options);
}

std::string last_reply(const CommandResult& result) {
  std::string reply = "no reply";
  std::string_view rest = result.output;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.substr(0, 2) == "< " && line.substr(0, 5) != "< 221") reply = brief(line.substr(2));
  }
  return reply;
}

std::string plain_message(const std::string& to) {
  return fmt::format("From: mallory@attacker.example\r\nTo: {}\r\nSubject: drill\r\n\r\nhello\r\n", to);
}

Result<Outcome> mail_accepted(const Context& context) {
  const std::string to = context.lab().mail_user + "@" + context.lab().mail_domain;
  GH_TRY(CommandResult result, mail(context, to, plain_message(to)));
  return Outcome{result.ok() && result.says("< 250 2.0.0 Ok: queued"), last_reply(result)};
}
Result<Outcome> mail_relay(const Context& context) {
  GH_TRY(CommandResult result,
         mail(context, "victim@elsewhere.example", plain_message("victim@elsewhere.example")));
  return Outcome{!result.ok() && result.says("< 554 5.7.1"), last_reply(result)};
}
Result<Outcome> mail_unknown(const Context& context) {
  const std::string to = "nobody-of-that-name@" + context.lab().mail_domain;
  GH_TRY(CommandResult result, mail(context, to, plain_message(to)));
  return Outcome{!result.ok() && result.says("< 550 5.1.1"), last_reply(result)};
}

// The mail goes through: stripping it is the mail filter's work, not the IDS's.
Result<Outcome> mail_program(const Context& context) {
  const std::string to = context.lab().mail_user + "@" + context.lab().mail_domain;
  const std::string message = fmt::format(
      "From: mallory@attacker.example\r\nTo: {}\r\nSubject: invoice\r\nMIME-Version: 1.0\r\n"
      "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
      "Content-Disposition: attachment; filename=\"invoice.exe\"\r\n\r\nTVqQAAMAAAAEAAAA\r\n",
      to);
  GH_TRY(CommandResult result, mail(context, to, message));
  return Outcome{result.ok() && result.says("< 250 2.0.0 Ok: queued"), last_reply(result)};
}
EventMatch mail_program_report(const Context& context) {
  return alert_on_attacker(context, {9000061});
}

Result<Outcome> password_form(const Context& context) {
  GH_TRY(CommandResult result,
         context.outside({"curl", "-sS", "--max-time", "5", "-o", "/dev/null", "-w", "answered %{http_code}",
                          "-d", "user=ana&password=correct-horse",
                          fmt::format("http://{}/login", context.target(4))}));
  return Outcome{result.ok() && !result.says("answered 000"), brief(result.output)};
}
EventMatch password_form_report(const Context& context) {
  return alert_on_attacker(context, {9000041});
}

// "\0ana\0correct-horse" to a server that must not take it.
Result<Outcome> password_smtp(const Context& context) {
  const std::string script = fmt::format(
      "exec 3<>/dev/tcp/{}/25; read -r -t 5 line <&3; "
      "printf 'EHLO attacker.example\\r\\nAUTH PLAIN AGFuYQBjb3JyZWN0LWhvcnNl\\r\\nQUIT\\r\\n' >&3; timeout "
      "5 cat <&3",
      context.target(4));
  GH_TRY(CommandResult result, context.outside({"bash", "-c", script}));
  const std::size_t at = result.output.find("503 ");
  if (at == std::string::npos) return Outcome{false, brief(result.output)};
  return Outcome{!result.says("235 "), result.output.substr(at, result.output.find('\r', at) - at)};
}
EventMatch password_smtp_report(const Context& context) {
  return alert_on_attacker(context, {9000042});
}

}  // namespace

std::vector<Attack> protocol_attacks() {
  return {
      {"tls", 6, "web", "HTTPS with a verified certificate, IPv4 and IPv6", Expect::works, tls_verifies,
       nullptr},
      {"tls-old", 6, "tls", "TLS 1.0 and 1.1", Expect::stopped, old_tls, nullptr},
      {"http-in-clear", 6, "tls", "pages over unencrypted HTTP", Expect::stopped, clear_http, nullptr},
      {"mail", 7, "mail", "mail to a user of the site", Expect::works, mail_accepted, nullptr},
      {"mail-relay", 7, "mail-rules", "mail through the site to somewhere else", Expect::stopped, mail_relay,
       nullptr},
      {"mail-unknown", 7, "mail-rules", "mail to an address that does not exist", Expect::stopped,
       mail_unknown, nullptr},
      {"mail-program", 7, "ids", "mail with a program attached", Expect::seen, mail_program,
       mail_program_report},
      {"password-form", 8, "ids", "login form sent without TLS", Expect::seen, password_form,
       password_form_report},
      {"password-smtp", 8, "ids", "SMTP login in clear", Expect::stopped, password_smtp,
       password_smtp_report},
  };
}

}  // namespace gatehouse::drill
