// Safeguards 4 and 10: one way in, by certificate, for the people of a role; and what a session may then do.
#include <fmt/format.h>

#include "site/drill/attack.h"

namespace gatehouse::drill {
namespace {

using core::Result;

constexpr std::string_view kSessionWorked = "session-is-open";

// The first role that may (or may not) read objects beyond its domain: data readers and the rest.
const site::Role* role(const Context& context, bool reads_data) {
  for (const auto& role : context.site().roles) {
    if (role.may_read.empty() != reads_data) return &role;
  }
  return nullptr;
}

struct Login {
  std::string key;  // file in the lab's ssh directory
  std::string account;
  std::vector<std::string> options;
  std::string command;
};

Result<CommandResult> ssh(const Context& context, const Login& login) {
  const std::string& directory = context.lab().ssh_directory;
  std::vector<std::string> argv = {"ssh",
                                   "-F",
                                   "/dev/null",
                                   "-o",
                                   "BatchMode=yes",
                                   "-o",
                                   "StrictHostKeyChecking=yes",
                                   "-o",
                                   "UserKnownHostsFile=" + directory + "/known_hosts",
                                   "-o",
                                   "ConnectTimeout=3",
                                   "-o",
                                   "IdentitiesOnly=yes",
                                   "-i",
                                   directory + "/" + login.key};
  argv.insert(argv.end(), login.options.begin(), login.options.end());
  argv.push_back(login.account + "@" + context.target(4));
  argv.push_back(login.command);
  return context.on(context.lab().administration, std::move(argv));
}

Result<CommandResult> session(const Context& context, const std::string& key, const std::string& account,
                              std::vector<std::string> options = {}) {
  return ssh(context, Login{key, account, std::move(options), fmt::format("echo {}", kSessionWorked)});
}

std::string fact_of(const CommandResult& result) {
  return result.says(kSessionWorked) ? "a session was opened" : brief(result.output);
}

core::Error no_role() {
  return {core::Errc::not_found, "the site policy has no role of this kind", {}};
}

Result<Outcome> certificate(const Context& context) {
  const site::Role* member = role(context, false);
  if (member == nullptr) return tl::make_unexpected(no_role());
  GH_TRY(CommandResult result, session(context, member->name, member->account));
  return Outcome{result.ok() && result.says(kSessionWorked), fact_of(result)};
}

// Refused means that the server heard the attempt and said no; silence is another safeguard's work.
Result<Outcome> refused(const Context& context, const std::string& key,
                        std::vector<std::string> options = {}) {
  const site::Role* member = role(context, false);
  if (member == nullptr) return tl::make_unexpected(no_role());
  GH_TRY(CommandResult result, session(context, key, member->account, std::move(options)));
  return Outcome{result.exit_status == 255 && result.says("Permission denied"), fact_of(result)};
}
Result<Outcome> wrong_principal(const Context& context) {
  return refused(context, "stranger");
}
Result<Outcome> wrong_authority(const Context& context) {
  return refused(context, "forged");
}
Result<Outcome> plain_key(const Context& context) {
  return refused(context, "plain");
}

// The password is right: only the server's refusal of passwords can stop it.
Result<Outcome> password(const Context& context) {
  const Lab& lab = context.lab();
  const site::Role* member = role(context, false);
  if (member == nullptr) return tl::make_unexpected(no_role());
  GH_TRY(CommandResult result,
         context.on(lab.administration, {"env",
                                         "SSH_ASKPASS_REQUIRE=force",
                                         "SSH_ASKPASS=" + lab.ssh_directory + "/askpass",
                                         "ssh",
                                         "-F",
                                         "/dev/null",
                                         "-o",
                                         "PubkeyAuthentication=no",
                                         "-o",
                                         "NumberOfPasswordPrompts=1",
                                         "-o",
                                         "PreferredAuthentications=password,keyboard-interactive",
                                         "-o",
                                         "StrictHostKeyChecking=yes",
                                         "-o",
                                         "UserKnownHostsFile=" + lab.ssh_directory + "/known_hosts",
                                         "-o",
                                         "ConnectTimeout=3",
                                         member->account + "@" + context.target(4),
                                         fmt::format("echo {}", kSessionWorked)}));
  return Outcome{result.exit_status == 255 && result.says("Permission denied"), fact_of(result)};
}

Result<Outcome> other_host(const Context& context) {
  const site::Role* member = role(context, false);
  if (member == nullptr) return tl::make_unexpected(no_role());
  const std::string other = context.lab().machine(context.lab().administration).other_address(4);
  GH_TRY(CommandResult result, session(context, member->name, member->account, {"-b", other}));
  return Outcome{result.exit_status == 255 && result.says("timed out"), fact_of(result)};
}

// The file's permission bits let everyone read it: what decides is the role.
Result<CommandResult> read_customers_as(const Context& context, const site::Role& who) {
  return ssh(context, Login{who.name,
                            who.account,
                            {},
                            fmt::format("echo {}; cat {}", kSessionWorked, context.lab().customer_file)});
}
Result<Outcome> data_without_role(const Context& context) {
  const site::Role* member = role(context, false);
  if (member == nullptr) return tl::make_unexpected(no_role());
  GH_TRY(CommandResult result, read_customers_as(context, *member));
  return Outcome{result.says(kSessionWorked) && result.says("Permission denied"), brief(result.output)};
}
Result<Outcome> data_with_role(const Context& context) {
  const site::Role* reader = role(context, true);
  if (reader == nullptr) return tl::make_unexpected(no_role());
  GH_TRY(CommandResult result, read_customers_as(context, *reader));
  return Outcome{result.ok() && result.says(kSessionWorked),
                 result.ok() ? "read as " + reader->name : brief(result.output)};
}

}  // namespace

std::vector<Attack> ssh_attacks() {
  return {
      {"ssh-certificate", 4, "sshd-certificates",
       "SSH from the administration host with a role's certificate", Expect::works, certificate, nullptr},
      {"ssh-password", 4, "sshd", "SSH from the administration host with the right password", Expect::stopped,
       password, nullptr},
      {"ssh-plain-key", 4, "sshd", "SSH with a key that has no certificate", Expect::stopped, plain_key,
       nullptr},
      {"ssh-wrong-principal", 4, "sshd", "SSH with a certificate for another role", Expect::stopped,
       wrong_principal, nullptr},
      {"ssh-wrong-authority", 4, "sshd", "SSH with a certificate of an unknown authority", Expect::stopped,
       wrong_authority, nullptr},
      {"ssh-other-host", 4, "firewall", "SSH with a good certificate from another host of the admin network",
       Expect::stopped, other_host, nullptr},
      {"data-without-role", 10, "mac", "a session without the role reads customer data", Expect::stopped,
       data_without_role, nullptr},
      {"data-with-role", 10, "sshd-certificates", "a session with the role reads customer data",
       Expect::works, data_with_role, nullptr},
  };
}

}  // namespace gatehouse::drill
