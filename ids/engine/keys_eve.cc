// Settings below eve: which events are written and how.
#include <algorithm>

#include "ids/engine/setting_keys.h"
#include "ids/parsers/smtp_log.h"

namespace gatehouse::ids::engine {
namespace {

// Event types that configurations of the field name. `Settings::notes` tells which of those
// switched on this build never writes.
constexpr std::string_view kKnownTypes[] = {
    "alert",    "anomaly",  "arp",    "bittorrent-dht", "dcerpc",  "dhcp", "dnp3",  "dns",    "doh2", "drop",
    "enip",     "files",    "flow",   "frame",          "ftp",     "http", "http2", "ike",    "krb5", "ldap",
    "mdns",     "metadata", "modbus", "mqtt",           "netflow", "nfs",  "pgsql", "pop3",   "quic", "rdp",
    "rfb",      "sip",      "smb",    "smtp",           "snmp",    "ssh",  "stats", "stream", "tftp", "tls",
    "websocket"};

bool check_type(const SettingValue& v, std::string_view type) {
  if (std::find(std::begin(kKnownTypes), std::end(kKnownTypes), type) != std::end(kKnownTypes)) return true;
  std::vector<std::string> known(std::begin(kKnownTypes), std::end(kKnownTypes));
  core::Diagnostic& d = v.diagnostics.error("unknown-event-type", v.node.where,
                                            "unknown event type `" + std::string(type) + "`");
  d.hint = core::did_you_mean(type, known);
  return false;
}

// Both connections of FTP go by one name.
void switch_type(const SettingValue& v, bool on) {
  v.settings.eve.types[std::string(v.stars[0])] = on;
  if (v.stars[0] == "ftp") v.settings.eve.types["ftp_data"] = on;
}

// `dns: {}`, `dns:` and `dns: yes` all switch dns on.
void type_alone(const SettingValue& v) {
  if (!check_type(v, v.stars[0])) return;
  bool on = true;
  if (v.node.is_scalar()) on = v.flag().value_or(true);
  switch_type(v, on);
}
void type_enabled(const SettingValue& v) {
  if (!check_type(v, v.stars[0])) return;
  if (auto on = v.flag()) switch_type(v, *on);
}

template <bool EveSettings::*member>
void eve_flag(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.eve.*member = *on;
}
template <bool alert::EveOptions::*member>
void option_flag(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.eve.options.*member = *on;
}
template <bool StreamEventSettings::*member>
void stream_flag(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.eve.stream.*member = *on;
}
template <bool LogOptions::*member>
void log_flag(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.eve.log.*member = *on;
}

void host(const SettingValue& v) {
  if (auto text = v.text()) v.settings.eve.options.host = std::move(*text);
}
void seed(const SettingValue& v) {
  if (auto n = v.uint(0, 65535)) v.settings.eve.options.community_id_seed = static_cast<std::uint16_t>(*n);
}
void dns_version(const SettingValue& v) {
  if (auto n = v.uint(2, 3)) v.settings.eve.log.dns_version = static_cast<int>(*n);
}
void dns_types(const SettingValue& v) {
  v.settings.eve.dns_types = v.words();
  for (std::string& word : v.settings.eve.dns_types) {
    for (char& c : word) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
}
void http_headers(const SettingValue& v) {
  const auto text = v.text();
  if (!text) return;
  if (*text != "none" && *text != "request" && *text != "response" && *text != "both")
    return v.wrong("none, request, response or both");
  v.settings.eve.log.http_request_headers = *text == "request" || *text == "both";
  v.settings.eve.log.http_response_headers = *text == "response" || *text == "both";
}
// What holds for every kind of event, and what alerts do in their own way.
ForwardedSettings& for_all(const SettingValue& v) {
  return v.settings.eve.forwarded;
}
ForwardedSettings& for_alerts(const SettingValue& v) {
  auto& own = v.settings.eve.alert_forwarded;
  return own ? *own : own.emplace();
}
template <auto target>
void forwarded(const SettingValue& v) {
  if (auto on = v.flag()) target(v).enabled = *on;
}
template <auto target>
void forwarded_mode(const SettingValue& v) {
  const auto text = v.text();
  if (!text) return;
  if (*text != "extra-data" && *text != "overwrite") return v.wrong("extra-data or overwrite");
  target(v).overwrite = *text == "overwrite";
}
template <auto target>
void forwarded_deployment(const SettingValue& v) {
  const auto text = v.text();
  if (!text) return;
  if (*text != "reverse" && *text != "forward") return v.wrong("reverse or forward");
  target(v).forward = *text == "forward";
}
template <auto target>
void forwarded_header(const SettingValue& v) {
  if (auto text = v.text()) target(v).header = std::move(*text);
}
void tls_custom(const SettingValue& v) {
  for (const std::string& word : v.words()) {
    if (word != "client_handshake") return v.unsupported("the custom TLS field `" + word + "`");
    v.settings.eve.log.tls_client_handshake = true;
  }
}
void smtp_custom(const SettingValue& v) {
  const auto table = smtp::email_field_table();
  v.settings.eve.log.email_fields = 0;
  for (const std::string& word : v.words()) {
    std::size_t i = 0;
    while (i < table.size() && table[i].name != word && table[i].key != word) ++i;
    if (i == table.size()) {
      std::vector<std::string> known;
      for (const auto& row : table) known.emplace_back(row.name);
      core::Diagnostic& d = v.diagnostics.error("unknown-email-field", v.node.where,
                                                "no event has the mail header field `" + word + "`");
      d.hint = core::did_you_mean(word, known);
      return;
    }
    v.settings.eve.log.email_fields |= 1U << i;
  }
}
void smtp_md5(const SettingValue& v) {
  LogOptions& log = v.settings.eve.log;
  log.email_body_md5 = log.email_subject_md5 = false;
  for (const std::string& word : v.words()) {
    if (word != "body" && word != "subject") return v.wrong("body, subject");
    (word == "body" ? log.email_body_md5 : log.email_subject_md5) = true;
  }
}
void payload_buffer(const SettingValue& v) {
  if (auto n = v.size()) v.settings.eve.payload_buffer_bytes = *n;
}
void stats_interval(const SettingValue& v) {
  if (auto us = core::yaml_duration_us(v.node, v.diagnostics))
    v.settings.eve.stats_interval_s = static_cast<std::uint32_t>(std::max<std::uint64_t>(*us / 1'000'000, 1));
}
// `metadata: no`, or a mapping of its parts.
void alert_metadata(const SettingValue& v) {
  if (v.node.is_map()) return;
  if (auto on = v.flag()) v.settings.eve.alert_metadata = v.settings.eve.alert_flow_metadata = *on;
}
void any_flag(const SettingValue& v) {
  (void)v.flag();
}
void not_on(const SettingValue& v) {
  if (v.flag().value_or(false)) v.unsupported("this");
}
void not_a_list(const SettingValue& v) {
  if (!v.words().empty()) v.unsupported("this");
}
// Options of event types that are not written here anyway.
void option_of_type(const SettingValue& v) {
  constexpr std::string_view kHere[] = {"alert",   "anomaly", "dns",   "files",  "flow", "http",
                                        "netflow", "smtp",    "stats", "stream", "tls"};
  if (!check_type(v, v.stars[0])) return;
  if (std::find(std::begin(kHere), std::end(kHere), v.stars[0]) == std::end(kHere)) return;
  core::Diagnostic& d =
      v.diagnostics.error("unknown-key", v.node.where, "unknown setting `" + std::string(v.key) + "`");
  std::vector<std::string> known;
  for (const KeyRow& row : eve_keys()) known.emplace_back(row.pattern);
  d.hint = core::did_you_mean(v.key, known);
}

#define T "eve.types."
constexpr std::string_view kTypeNotWritten = "no event of this type is written by this build";

// Rows without a star stand first: the first row that fits is taken.
constexpr KeyRow kRows[] = {
    {"eve.host", host},
    {"eve.community-id", option_flag<&alert::EveOptions::community_id>},
    {"eve.community-id-seed", seed},
    {"eve.ethernet", option_flag<&alert::EveOptions::ethernet>},
    {"eve.pcap-file", not_on},
    {"eve.xff.enabled", forwarded<for_all>},
    {"eve.xff.mode", forwarded_mode<for_all>},
    {"eve.xff.deployment", forwarded_deployment<for_all>},
    {"eve.xff.header", forwarded_header<for_all>},
    {T "alert.payload", option_flag<&alert::EveOptions::payload>},
    {T "alert.payload-printable", option_flag<&alert::EveOptions::payload_printable>},
    {T "alert.packet", option_flag<&alert::EveOptions::packet>},
    {T "alert.payload-buffer-size", payload_buffer},
    {T "alert.payload-length", option_flag<&alert::EveOptions::payload_length>},
    {T "alert.metadata", alert_metadata},
    {T "alert.metadata.rule.metadata", eve_flag<&EveSettings::alert_metadata>},
    {T "alert.metadata.rule.reference", not_on},
    {T "alert.metadata.rule.raw", not_on},
    {T "alert.metadata.flow", eve_flag<&EveSettings::alert_flow_metadata>},
    {T "alert.verdict", eve_flag<&EveSettings::alert_verdict>},
    {T "alert.tagged-packets", eve_flag<&EveSettings::tagged_packets>},
    {T "alert.xff.enabled", forwarded<for_alerts>},
    {T "alert.xff.mode", forwarded_mode<for_alerts>},
    {T "alert.xff.deployment", forwarded_deployment<for_alerts>},
    {T "alert.xff.header", forwarded_header<for_alerts>},
    {T "alert.smtp", any_flag, "the object of the transaction is always written"},
    {T "alert.dnp3", any_flag, "the object of the transaction is always written"},
    {T "anomaly.types.decode", eve_flag<&EveSettings::anomaly_decode>},
    {T "anomaly.types.stream", eve_flag<&EveSettings::anomaly_stream>},
    {T "anomaly.types.applayer", eve_flag<&EveSettings::anomaly_applayer>},
    {T "anomaly.packethdr", eve_flag<&EveSettings::anomaly_packet>},
    {T "http.extended", log_flag<&LogOptions::http_extended>},
    {T "http.dump-all-headers", http_headers},
    {T "http.custom", not_a_list},
    {T "dns.version", dns_version},
    {T "dns.requests", eve_flag<&EveSettings::dns_requests>},
    {T "dns.responses", eve_flag<&EveSettings::dns_responses>},
    {T "dns.query", eve_flag<&EveSettings::dns_requests>},
    {T "dns.answer", eve_flag<&EveSettings::dns_responses>},
    {T "dns.types", dns_types},
    {T "tls.extended", log_flag<&LogOptions::tls_extended>},
    {T "tls.custom", tls_custom},
    {T "smtp.extended", log_flag<&LogOptions::email_extended>},
    {T "smtp.custom", smtp_custom},
    {T "smtp.md5", smtp_md5},
    {T "stream.all", stream_flag<&StreamEventSettings::all>},
    {T "stream.event-set", stream_flag<&StreamEventSettings::event_set>},
    {T "stream.state-update", stream_flag<&StreamEventSettings::state_update>},
    {T "stream.spurious-retransmission", stream_flag<&StreamEventSettings::spurious_retransmission>},
    {T "stats.totals", any_flag, "the counters are always totals"},
    {T "stats.threads", not_on},
    {T "stats.deltas", not_on},
    {T "stats.null-values", eve_flag<&EveSettings::stats_null_values>},
    {T "stats.interval", stats_interval},
    {T "*.enabled", type_enabled},
    {T "*", type_alone},
    {T "*.*", option_of_type, kTypeNotWritten},
};
#undef T

}  // namespace

std::span<const KeyRow> eve_keys() {
  return kRows;
}

}  // namespace gatehouse::ids::engine
