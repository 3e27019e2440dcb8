#include "ids/keywords/header.h"

#include <algorithm>
#include <array>

namespace gatehouse::ids {
namespace {

struct ProtocolRow {
  std::string_view name;
  std::uint8_t numbers[2];  // 0: unused; both 0: any
  std::uint8_t ip_version;  // 0: any
  bool packet_only = false, stream_only = false, any_packet = false;
};

constexpr ProtocolRow kProtocols[] = {
    {"ip", {0, 0}, 0},
    {"ipv4", {0, 0}, 4},
    {"ip4", {0, 0}, 4},
    {"ipv6", {0, 0}, 6},
    {"ip6", {0, 0}, 6},
    {"tcp", {kProtoTcp, 0}, 0},
    {"tcp-pkt", {kProtoTcp, 0}, 0, true, false, false},
    {"tcp-stream", {kProtoTcp, 0}, 0, false, true, false},
    {"udp", {kProtoUdp, 0}, 0},
    {"icmp", {kProtoIcmp, kProtoIcmp6}, 0},
    {"icmpv4", {kProtoIcmp, 0}, 4},
    {"icmp4", {kProtoIcmp, 0}, 4},
    {"icmpv6", {kProtoIcmp6, 0}, 6},
    {"icmp6", {kProtoIcmp6, 0}, 6},
    {"sctp", {kProtoSctp, 0}, 0},
    {"pkthdr", {0, 0}, 0, false, false, true},
};

// Names of the field's rule language for protocols that have another name here.
constexpr std::pair<std::string_view, std::string_view> kParserAliases[] = {{"http1", "http"},
                                                                            {"ssl", "tls"}};

// Protocols of the field's rule sets: their lack is worth another message than a typo.
constexpr std::string_view kFieldProtocols[] = {
    "smtp", "ftp",   "ftp-data",       "ssh",  "smb",  "nfs",  "dcerpc", "modbus",    "dnp3",
    "enip", "ike",   "krb5",           "ntp",  "dhcp", "snmp", "tftp",   "sip",       "rfb",
    "mqtt", "rdp",   "http2",          "quic", "imap", "pop3", "telnet", "websocket", "ldap",
    "mdns", "pgsql", "bittorrent-dht", "doh2", "arp"};

// Protocols that are the same to a rule. `http1` means HTTP/1 only.
struct Family {
  std::string_view name;
  std::array<std::string_view, 2> also;
};
constexpr Family kFamilies[] = {
    {"http", {"http2", "doh2"}}, {"http2", {"doh2", ""}}, {"dns", {"doh2", ""}}, {"dcerpc", {"smb", ""}}};

void apply_transport(Rule& rule, AppTransport transport) {
  const auto bits = static_cast<unsigned>(transport);
  if ((bits & static_cast<unsigned>(AppTransport::tcp)) != 0) rule.ip_protocols.push_back(kProtoTcp);
  if ((bits & static_cast<unsigned>(AppTransport::udp)) != 0) rule.ip_protocols.push_back(kProtoUdp);
}

void check_protocol(RuleBuilder& builder) {
  const lang::RuleHeader& h = builder.ast.header;
  Rule& rule = builder.rule;
  const auto length = static_cast<std::uint32_t>(h.protocol.size());
  std::string word = h.protocol;
  for (char& c : word) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  for (const ProtocolRow& row : kProtocols) {
    if (row.name != word) continue;
    for (const std::uint8_t number : row.numbers) {
      if (number != 0) rule.ip_protocols.push_back(number);
    }
    rule.ip_version = row.ip_version;
    rule.packet_only = row.packet_only;
    rule.stream_only = row.stream_only;
    rule.any_packet = row.any_packet;
    return;
  }
  rule.app_protocols = protocols_named(word);
  if (!rule.app_protocols.empty()) {
    apply_transport(rule, parser_of(rule.app_protocols[0]).transport);
    return;
  }
  if (std::find(std::begin(kFieldProtocols), std::end(kFieldProtocols), word) != std::end(kFieldProtocols)) {
    builder.error_text(h.protocol_at, length, "protocol-unsupported",
                       "this version has no parser for the protocol `" + h.protocol + "`");
    return;
  }
  std::vector<std::string> names;
  for (const ProtocolRow& row : kProtocols) names.emplace_back(row.name);
  for (const ParserDescriptor* parser : parser_table()) names.emplace_back(parser->name);
  builder.error_text(h.protocol_at, length, "unknown-protocol", "unknown protocol `" + h.protocol + "`")
      .hint = core::did_you_mean(h.protocol, names);
}

void check_action(RuleBuilder& builder) {
  static const std::pair<std::string_view, RuleAction> kActions[] = {
      {"alert", RuleAction::alert},       {"pass", RuleAction::pass},
      {"drop", RuleAction::drop},         {"reject", RuleAction::reject},
      {"rejectsrc", RuleAction::reject},  {"rejectdst", RuleAction::reject},
      {"rejectboth", RuleAction::reject}, {"config", RuleAction::config}};
  const lang::RuleHeader& h = builder.ast.header;
  std::vector<std::string> names;
  for (const auto& [name, action] : kActions) {
    if (h.action == name) {
      builder.rule.action = action;
      return;
    }
    names.emplace_back(name);
  }
  builder
      .error_text(h.action_at, static_cast<std::uint32_t>(h.action.size()), "unknown-action",
                  "unknown action `" + h.action + "`")
      .hint = core::did_you_mean(h.action, names);
}

void report(RuleBuilder& builder, const GroupError& error) {
  builder.error_text(error.at, error.length, error.code, error.message).hint = error.hint;
}

}  // namespace

std::vector<AppProto> protocols_named(std::string_view name) {
  std::vector<AppProto> out;
  const auto add = [&out](std::string_view parser) {
    if (const AppProto proto = find_parser(parser); proto != kAppUnknown) out.push_back(proto);
  };
  std::string_view own = name;
  for (const auto& [alias, parser] : kParserAliases) {
    if (name == alias) own = parser;
  }
  add(own);
  for (const Family& family : kFamilies) {
    if (family.name == name) std::for_each(family.also.begin(), family.also.end(), add);
  }
  return out;
}

void check_header(RuleBuilder& builder, GroupResolver& groups) {
  const lang::RuleHeader& h = builder.ast.header;
  check_action(builder);
  check_protocol(builder);
  GroupError error;
  const auto addresses = [&](const lang::GroupExpr& group, AddressSet& out) {
    const AddressSet* set = groups.addresses(group, error);
    set == nullptr ? report(builder, error) : void(out = *set);
  };
  const auto ports = [&](const lang::GroupExpr& group, PortSet& out) {
    const PortSet* set = groups.ports(group, error);
    set == nullptr ? report(builder, error) : void(out = *set);
  };
  addresses(h.source, builder.rule.source);
  ports(h.source_port, builder.rule.source_port);
  addresses(h.destination, builder.rule.destination);
  ports(h.destination_port, builder.rule.destination_port);
  builder.rule.bidirectional = h.direction == lang::RuleDirection::both;
  builder.rule.transactional = h.direction == lang::RuleDirection::transaction;
  if (builder.rule.transactional && builder.rule.app_protocols.empty() && builder.ok) {
    builder
        .error_text(h.direction_at, 2, "transaction-protocol",
                    "`=>` needs an application protocol in the header")
        .hint = "alert http ... => ...";
  }
}

}  // namespace gatehouse::ids
