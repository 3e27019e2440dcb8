// Settings below app-layer.protocols.
#include <algorithm>
#include <charconv>

#include "ids/engine/setting_keys.h"

namespace gatehouse::ids::engine {
namespace {

// Protocols that configurations of the field name. Those without a parser here are reported when
// a configuration switches them on.
constexpr std::string_view kKnownProtocols[] = {"bittorrent-dht",
                                                "dcerpc",
                                                "dhcp",
                                                "dnp3",
                                                "dns",
                                                "doh2",
                                                "enip",
                                                "ftp",
                                                "ftp-data",
                                                "http",
                                                "http2",
                                                "ike",
                                                "imap",
                                                "krb5",
                                                "ldap",
                                                "mdns",
                                                "modbus",
                                                "mqtt",
                                                "msn",
                                                "nfs",
                                                "ntp",
                                                "pgsql",
                                                "pop3",
                                                "quic",
                                                "rdp",
                                                "rfb",
                                                "sip",
                                                "smb",
                                                "smtp",
                                                "snmp",
                                                "ssh",
                                                "telnet",
                                                "tftp",
                                                "tls",
                                                "websocket"};

ProtocolSwitch& switch_of(Settings& settings, std::string_view name) {
  for (ProtocolSwitch& s : settings.parsers.protocols) {
    if (s.name == name) return s;
  }
  ProtocolSwitch& added = settings.parsers.protocols.emplace_back();
  added.name = name;
  return added;
}

bool check_protocol(const SettingValue& v) {
  const std::string_view name = v.stars[0];
  if (find_parser(name) != kAppUnknown) return true;
  if (std::find(std::begin(kKnownProtocols), std::end(kKnownProtocols), name) != std::end(kKnownProtocols))
    return true;
  std::vector<std::string> known(std::begin(kKnownProtocols), std::end(kKnownProtocols));
  core::Diagnostic& d =
      v.diagnostics.error("unknown-protocol", v.node.where, "unknown protocol `" + std::string(name) + "`");
  d.hint = core::did_you_mean(name, known);
  return false;
}

void enabled(const SettingValue& v) {
  if (!check_protocol(v)) return;
  const bool only_detection = v.node.is_scalar() && v.node.text == "detection-only";
  const std::optional<bool> on = only_detection ? std::optional<bool>(true) : v.flag();
  if (!on) return;
  ProtocolSwitch& s = switch_of(v.settings, v.stars[0]);
  s.enabled = *on;
  s.detection_only = only_detection;
}
// One transport of a protocol that runs over both.
void enabled_on(const SettingValue& v, std::size_t transport) {
  if (!check_protocol(v)) return;
  const bool only_detection = v.node.is_scalar() && v.node.text == "detection-only";
  const std::optional<bool> on = only_detection ? std::optional<bool>(true) : v.flag();
  if (!on) return;
  ProtocolSwitch& s = switch_of(v.settings, v.stars[0]);
  s.transports[transport] = *on;
  s.detection_only = s.detection_only || only_detection;
}
void enabled_tcp(const SettingValue& v) {
  enabled_on(v, 0);
}
void enabled_udp(const SettingValue& v) {
  enabled_on(v, 1);
}

// "443", "139, 445", [53, 5353], "5900:5909"
void set_ports(const SettingValue& v, bool tcp, bool udp) {
  if (!check_protocol(v)) return;
  std::vector<std::uint16_t> ports;
  const auto number = [](std::string_view text) -> int {
    int value = -1;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    return result.ec == std::errc{} && result.ptr == text.data() + text.size() && value <= 65535 ? value : -1;
  };
  for (const std::string& word : v.words()) {
    const std::size_t colon = word.find(':');
    const int first = number(std::string_view(word).substr(0, colon));
    const int last = colon == std::string::npos ? first : number(std::string_view(word).substr(colon + 1));
    if (first < 0 || last < first || ports.size() + static_cast<std::size_t>(last - first) > 1024)
      return v.wrong("a list of ports, at most 1024");
    for (int port = first; port <= last; ++port) ports.push_back(static_cast<std::uint16_t>(port));
  }
  auto& chosen = switch_of(v.settings, v.stars[0]).ports;
  if (tcp) chosen[0] = ports;
  if (udp) chosen[1] = std::move(ports);
}
void detection_ports(const SettingValue& v) {
  set_ports(v, true, true);
}
void tcp_ports(const SettingValue& v) {
  set_ports(v, true, false);
}
void udp_ports(const SettingValue& v) {
  set_ports(v, false, true);
}
void source_ports(const SettingValue& v) {
  if (check_protocol(v)) (void)v.words();
}

void request_body_limit(const SettingValue& v) {
  if (auto n = v.size()) v.settings.parsers.http.request_body_limit = *n;
}
void response_body_limit(const SettingValue& v) {
  if (auto n = v.size()) v.settings.parsers.http.response_body_limit = *n;
}
void decompress_layers(const SettingValue& v) {
  if (auto n = v.uint(0, 16)) v.settings.parsers.http.decompress_layer_limit = static_cast<unsigned>(*n);
}
void decompression_limit(const SettingValue& v) {
  if (auto n = v.size()) v.settings.parsers.http.decompression_limit = *n;
}
void double_path(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.parsers.http.double_decode_path = *on;
}
void double_query(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.parsers.http.double_decode_query = *on;
}
void http_max_tx(const SettingValue& v) {
  if (auto n = v.uint(1, 1'000'000)) v.settings.parsers.http.max_transactions = static_cast<unsigned>(*n);
}
void dns_max_tx(const SettingValue& v) {
  if (auto n = v.uint(1, 1'000'000)) v.settings.parsers.dns.max_transactions = static_cast<unsigned>(*n);
}

void ja3(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.eve.log.tls_ja3 = *on;
}
void ja4(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.eve.log.tls_ja4 = *on;
}

void any_flag(const SettingValue& v) {
  (void)v.flag();
}
void any_size(const SettingValue& v) {
  (void)v.size();
}
void any_text(const SettingValue& v) {
  (void)v.text();
}
void any_words(const SettingValue& v) {
  (void)v.words();
}
void personality(const SettingValue& v) {
  if (v.node.text != "IDS") v.unsupported("server personalities other than IDS");
}
void body_inline(const SettingValue& v) {
  if (v.node.text != "auto" && v.node.text != "no") v.unsupported("inline body inspection");
}
void not_on(const SettingValue& v) {
  if (v.flag().value_or(false)) v.unsupported("this");
}
void encryption_handling(const SettingValue& v, EncryptedData& out) {
  if (v.node.text == "bypass") {
    out = EncryptedData::bypass;
  } else if (v.node.text == "full") {
    out = EncryptedData::full;
  } else if (v.node.text == "default" || v.node.text == "track-only") {
    out = EncryptedData::track_only;
  } else {
    v.wrong("default, track-only, bypass or full");
  }
}
void tls_encryption(const SettingValue& v) {
  encryption_handling(v, v.settings.parsers.tls.encrypted);
}
void ssh_encryption(const SettingValue& v) {
  encryption_handling(v, v.settings.parsers.ssh.encrypted);
}
void hassh(const SettingValue& v) {
  if (v.node.is_scalar() && v.node.text == "auto") return;
  if (auto on = v.flag()) v.settings.parsers.ssh.hassh = *on;
}
void protocol_size(const SettingValue& v) {
  if (check_protocol(v)) (void)v.size();
}

#define HTP "app-layer.protocols.http.libhtp.default-config."
constexpr std::string_view kNoWindow = "bodies are inspected as far as they have arrived; there is no window";
constexpr std::string_view kNoMail = "mail parsing is not supported by this build";
constexpr std::string_view kNoSuchLimit = "this protocol has no such limit in this build";

// Rows without a star stand first: the first row that fits is taken.
constexpr KeyRow kRows[] = {
    {HTP "personality", personality},
    {HTP "request-body-limit", request_body_limit},
    {HTP "response-body-limit", response_body_limit},
    {HTP "response-body-decompress-layer-limit", decompress_layers},
    {HTP "compression-bomb-limit", decompression_limit},
    {HTP "double-decode-path", double_path},
    {HTP "double-decode-query", double_query},
    {HTP "max-tx", http_max_tx},
    {HTP "request-body-minimal-inspect-size", any_size, kNoWindow},
    {HTP "request-body-inspect-window", any_size, kNoWindow},
    {HTP "response-body-minimal-inspect-size", any_size, kNoWindow},
    {HTP "response-body-inspect-window", any_size, kNoWindow},
    {HTP "http-body-inline", body_inline},
    {HTP "swf-decompression.enabled", not_on},
    {HTP "swf-decompression.type", any_text, "flash is not unpacked"},
    {HTP "swf-decompression.compress-depth", any_size, "flash is not unpacked"},
    {HTP "swf-decompression.decompress-depth", any_size, "flash is not unpacked"},
    {HTP "lzma-enabled", not_on},
    {"app-layer.protocols.http2.http1-rules", not_on},
    {"app-layer.protocols.dns.max-tx", dns_max_tx},
    {"app-layer.protocols.*.max-tx", protocol_size, kNoSuchLimit},
    {"app-layer.protocols.*.enabled", enabled},
    {"app-layer.protocols.*.tcp.enabled", enabled_tcp},
    {"app-layer.protocols.*.udp.enabled", enabled_udp},
    {"app-layer.protocols.*.detection-ports.dp", detection_ports},
    {"app-layer.protocols.*.detection-ports.sp", source_ports, "probing looks at destination ports"},
    {"app-layer.protocols.*.tcp.detection-ports.dp", tcp_ports},
    {"app-layer.protocols.*.udp.detection-ports.dp", udp_ports},
    {"app-layer.protocols.*.stream-depth", protocol_size, "one stream depth holds for all protocols"},
    {"app-layer.protocols.tls.encryption-handling", tls_encryption},
    {"app-layer.protocols.tls.encrypt-handling", tls_encryption},
    {"app-layer.protocols.tls.ja3-fingerprints", ja3},
    {"app-layer.protocols.tls.ja4-fingerprints", ja4},
    {"app-layer.protocols.ssh.encryption-handling", ssh_encryption},
    {"app-layer.protocols.ssh.hassh", hassh},
    {"app-layer.protocols.smtp.raw-extraction", not_on},
    {"app-layer.protocols.smtp.mime.decode-mime", any_flag, kNoMail},
    {"app-layer.protocols.smtp.mime.decode-base64", any_flag, kNoMail},
    {"app-layer.protocols.smtp.mime.decode-quoted-printable", any_flag, kNoMail},
    {"app-layer.protocols.smtp.mime.header-value-depth", any_size, kNoMail},
    {"app-layer.protocols.smtp.mime.extract-urls", any_flag, kNoMail},
    {"app-layer.protocols.smtp.mime.extract-urls-schemes", any_words, kNoMail},
    {"app-layer.protocols.smtp.mime.log-url-scheme", any_flag, kNoMail},
    {"app-layer.protocols.smtp.mime.body-md5", any_flag, kNoMail},
    {"app-layer.protocols.smtp.inspected-tracker.content-limit", any_size, kNoMail},
    {"app-layer.protocols.smtp.inspected-tracker.content-inspect-min-size", any_size, kNoMail},
    {"app-layer.protocols.smtp.inspected-tracker.content-inspect-window", any_size, kNoMail},
    {"app-layer.protocols.mqtt.max-msg-length", any_size, kNoSuchLimit},
    {"app-layer.protocols.smb.max-write-size", any_size, kNoSuchLimit},
    {"app-layer.protocols.dnp3.max-objects", any_size, kNoSuchLimit},
};
#undef HTP

}  // namespace

std::span<const KeyRow> protocol_keys() {
  return kRows;
}

}  // namespace gatehouse::ids::engine
