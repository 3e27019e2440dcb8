#include "hardening/sshd/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace gatehouse::hardening {
namespace {

constexpr std::size_t kMaxAccount = 32;  // useradd(8)

// A name that is safe as a file name, as a word of sshd_config, where `*?!,@ ` are special, and as
// a certificate principal.
bool is_plain_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxAccount || name[0] == '-' || name[0] == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

bool is_plain_path(std::string_view path) {
  return !path.empty() && path[0] == '/' && path.find_first_of(" \t\n\r\"'#%\\") == std::string_view::npos;
}

// Account to the principals that may use it.
using Principals = std::map<std::string, std::set<std::string>>;

Principals collect_principals(const site::Site& site, core::Diagnostics& diagnostics) {
  Principals out;
  for (const site::Role& role : site.roles) {
    if (!is_plain_name(role.account) || !is_plain_name(role.name)) {
      diagnostics.error(
          "sshd-name", role.where,
          "role `" + role.name + "`: account and role names must be letters, digits, `-`, `_` and `.`");
      continue;
    }
    if (role.account == "root") {
      diagnostics.error("sshd-root", role.where, "role `" + role.name + "` logs in as root").hint =
          "give the role an account of its own; nobody logs in as root";
      continue;
    }
    const site::Group* group = site.find_group(role.group);
    if (group == nullptr || group->people.empty()) {
      diagnostics.warning("sshd-empty-role", role.where, "no person can hold the role `" + role.name + "`");
    }
    out[role.account].insert(role.name);
  }
  return out;
}

std::vector<std::uint16_t> ssh_ports(const site::Site& site) {
  std::set<std::uint16_t> ports;
  for (const site::Service& service : site.services) {
    if (!service.ssh) continue;
    for (const site::PortRange& range : service.ports) {
      if (range.transport == site::Transport::tcp && range.first == range.last) ports.insert(range.first);
    }
  }
  if (ports.empty()) ports.insert(22);
  return {ports.begin(), ports.end()};
}

// Only what OpenSSH 9.2 (Debian 12) and later know; AEAD ciphers, and hybrid or X25519 exchange.
constexpr std::string_view kCryptography =
    "KexAlgorithms sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org\n"
    "Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com\n"
    "MACs hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com\n"
    "HostKeyAlgorithms ssh-ed25519,ssh-ed25519-cert-v01@openssh.com\n"
    "PubkeyAcceptedAlgorithms ssh-ed25519-cert-v01@openssh.com,sk-ssh-ed25519-cert-v01@openssh.com\n"
    "CASignatureAlgorithms ssh-ed25519,sk-ssh-ed25519@openssh.com\n";

std::string sshd_config(const site::Site& site, const SshdOptions& options,
                        const std::vector<std::string>& accounts) {
  const std::string& at = options.installed_at;
  std::string out = fmt::format(
      "# Written by `harden sshd` from the site `{}`; changes here are lost.\n"
      "# Who may log in: holders of a certificate of the user authority whose principal is a role.\n",
      site.name);
  for (const std::uint16_t port : ssh_ports(site)) out += fmt::format("Port {}\n", port);
  out += fmt::format("HostKey {}/ssh_host_ed25519_key\n\n", at);
  out += fmt::format(
      "# Certificates only.\n"
      "PubkeyAuthentication yes\n"
      "TrustedUserCAKeys {}\n"
      "AuthorizedPrincipalsFile {}/principals/%u\n"
      "AuthorizedKeysFile none\n"
      "AuthorizedKeysCommand none\n"
      "AuthenticationMethods publickey\n"
      "RevokedKeys {}/revoked_keys\n"
      "PasswordAuthentication no\n"
      "KbdInteractiveAuthentication no\n"
      "HostbasedAuthentication no\n"
      "GSSAPIAuthentication no\n"
      "KerberosAuthentication no\n"
      "PermitEmptyPasswords no\n"
      "PermitRootLogin no\n",
      site.administration->certificate_authority, at, at);
  // PAM would bring its own ways in; sessions and limits are the MAC domains' business.
  out += "UsePAM no\n";
  out += fmt::format("AllowUsers {}\n\n", fmt::join(accounts, " "));
  out +=
      "# A session is a session: no tunnels out of it, nothing set from outside.\n"
      "DisableForwarding yes\n"
      "AllowTcpForwarding no\n"
      "AllowStreamLocalForwarding no\n"
      "AllowAgentForwarding no\n"
      "X11Forwarding no\n"
      "PermitTunnel no\n"
      "GatewayPorts no\n"
      "PermitUserEnvironment no\n"
      "PermitUserRC no\n\n"
      "# Few, short attempts; every use of a key is logged with its certificate's identity.\n"
      "LogLevel VERBOSE\n"
      "MaxAuthTries 3\n"
      "MaxSessions 4\n"
      "MaxStartups 10:30:60\n"
      "LoginGraceTime 20\n"
      "ClientAliveInterval 60\n"
      "ClientAliveCountMax 3\n"
      "StrictModes yes\n"
      "UseDNS no\n"
      "PrintMotd no\n\n";
  out += kCryptography;
  return out;
}

}  // namespace

std::optional<SshdPlan> plan_sshd(const site::Site& site, const SshdOptions& options,
                                  core::Diagnostics& diagnostics) {
  const std::size_t before = diagnostics.error_count();
  if (!site.administration) {
    diagnostics.error("sshd-no-administration", {site.file, 0, 0},
                      "the site has no `administration`, so nobody may log in by SSH");
    return std::nullopt;
  }
  if (!is_plain_path(site.administration->certificate_authority) || !is_plain_path(options.installed_at)) {
    diagnostics.error("sshd-path", site.administration->where,
                      "sshd needs an absolute path without blanks, quotes, `#`, `%` or backslashes for the "
                      "certificate authority");
  }
  const Principals principals = collect_principals(site, diagnostics);
  if (principals.empty() && diagnostics.error_count() == before) {
    diagnostics.error("sshd-no-role", site.administration->where,
                      "no role has an account, so nobody could log in");
  }
  if (diagnostics.error_count() != before) return std::nullopt;
  SshdPlan plan;
  for (const auto& [account, roles] : principals) {
    plan.accounts.push_back(account);
    std::string text;
    for (const std::string& role : roles) text += role + "\n";
    plan.files.push_back({"principals/" + account, std::move(text)});
  }
  plan.files.push_back({"sshd_config", sshd_config(site, options, plan.accounts)});
  // sshd refuses all keys while RevokedKeys names a missing file: it must exist from the start.
  plan.files.push_back({"revoked_keys", ""});
  return plan;
}

}  // namespace gatehouse::hardening
