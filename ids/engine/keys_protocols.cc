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

// "443", "139, 445", [53, 5353], "5900:5909"; blanks, quotes and brackets only separate.
std::optional<std::vector<std::uint16_t>> parse_ports(std::string_view text) {
  const auto number = [](std::string_view digits) -> int {
    int value = -1;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return result.ec == std::errc{} && result.ptr == digits.data() + digits.size() && value <= 65535 ? value
                                                                                                     : -1;
  };
  std::vector<std::uint16_t> ports;
  constexpr std::string_view kSeparators = " ,\"[]";
  for (std::size_t at = text.find_first_not_of(kSeparators); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    const std::size_t colon = word.find(':');
    const int first = number(word.substr(0, colon));
    const int last = colon == std::string_view::npos ? first : number(word.substr(colon + 1));
    if (first < 0 || last < first || ports.size() + static_cast<std::size_t>(last - first) > 1024)
      return std::nullopt;
    for (int port = first; port <= last; ++port) ports.push_back(static_cast<std::uint16_t>(port));
    at = text.find_first_not_of(kSeparators, end);
  }
  return ports;
}

// The ports of one transport: those of its own key and those of the key for both.
void set_ports(const SettingValue& v) {
  constexpr std::string_view kKeys[] = {".tcp.detection-ports.dp", ".udp.detection-ports.dp",
                                        ".detection-ports.dp"};
  if (!check_protocol(v)) return;
  std::string here;
  for (const std::string& word : v.words()) here.append(word).append(",");
  if (!parse_ports(here)) return v.wrong("a list of ports, at most 1024");
  const std::string stem = "app-layer.protocols." + std::string(v.stars[0]);
  const auto text_of = [&](std::string_view key) -> std::string {
    const std::string full = stem + std::string(key);
    if (full == v.key) return here;
    const auto known = v.settings.effective.find(full);
    return known == v.settings.effective.end() ? std::string() : known->second.value;
  };
  ProtocolSwitch& chosen = switch_of(v.settings, v.stars[0]);
  for (std::size_t t = 0; t < 2; ++t)
    chosen.ports[t] = parse_ports(text_of(kKeys[t]) + "," + text_of(kKeys[2])).value_or(chosen.ports[t]);
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
void lzma_enabled(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.parsers.http.lzma = *on;
}
void lzma_memory(const SettingValue& v) {
  if (auto n = v.size()) v.settings.parsers.http.lzma_memory = std::max<std::uint64_t>(*n, 4096);
}
void http2_streams(const SettingValue& v) {
  if (auto n = v.uint(1, 1'000'000)) v.settings.parsers.http2.max_streams = static_cast<unsigned>(*n);
}
void http2_table(const SettingValue& v) {
  if (auto n = v.size())
    v.settings.parsers.http2.max_table_bytes =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(*n, 1U << 24U));
}
void http2_block(const SettingValue& v) {
  if (auto n = v.size())
    v.settings.parsers.http2.max_header_block_bytes =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(*n, 1U << 24U));
}
void http2_frames(const SettingValue& v) {
  if (auto n = v.uint(1, 0xffff'ffff)) v.settings.parsers.http2.max_frames = static_cast<unsigned>(*n);
}
void http2_decompression(const SettingValue& v) {
  if (auto n = v.size()) v.settings.parsers.http2.decompression_limit = *n;
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

void ftp_max_tx(const SettingValue& v) {
  if (auto n = v.uint(1, 1'000'000)) v.settings.parsers.ftp.max_transactions = static_cast<unsigned>(*n);
}
void ftp_memcap(const SettingValue& v) {
  if (auto n = v.size()) v.settings.parsers.ftp.memcap = *n;
}
void ftp_max_line(const SettingValue& v) {
  const auto n = v.size();
  if (!n) return;
  if (*n < 64 || *n > 1024 * 1024) return v.wrong("64 bytes to 1 MiB");
  v.settings.parsers.ftp.max_line_bytes = static_cast<std::uint32_t>(*n);
}
void smtp_max_tx(const SettingValue& v) {
  if (auto n = v.uint(1, 1'000'000)) v.settings.parsers.smtp.max_transactions = static_cast<unsigned>(*n);
}
void smtp_content_limit(const SettingValue& v) {
  if (auto n = v.size()) v.settings.parsers.smtp.content_limit = *n;
}
template <bool SmtpConfig::*member>
void smtp_flag(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.parsers.smtp.*member = *on;
}
template <bool MimeConfig::*member>
void mime_flag(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.parsers.smtp.mime.*member = *on;
}
void mime_header_depth(const SettingValue& v) {
  constexpr std::uint64_t kMost = 16 * 1024;
  if (auto n = v.size()) {
    if (*n > kMost) return v.wrong("at most 16 KiB");
    v.settings.parsers.smtp.mime.header_value_depth = static_cast<std::uint32_t>(*n);
  }
}
void mime_schemes(const SettingValue& v) {
  auto& schemes = v.settings.parsers.smtp.mime.url_schemes;
  schemes = v.words();
  for (std::string& scheme : schemes) {
    if (scheme.empty() || scheme.size() > 32) return v.wrong("schemes such as http, https, ftp");
    for (char& c : scheme) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
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
constexpr std::string_view kNoFileWindow =
    "files are inspected from 32 KiB on, or when they are over; there is no window";
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
    {HTP "lzma-enabled", lzma_enabled},
    {HTP "lzma-memlimit", lzma_memory},
    {HTP "decompression-time-limit", any_size, "the limits on sizes bound the time, too"},
    {"app-layer.protocols.http2.http1-rules", any_flag, "rules about http hold for HTTP/2 always"},
    {"app-layer.protocols.http2.max-streams", http2_streams},
    {"app-layer.protocols.http2.max-table-size", http2_table},
    {"app-layer.protocols.http2.max-reassembly-size", http2_block},
    {"app-layer.protocols.http2.max-frames", http2_frames},
    {"app-layer.protocols.http2.compression-bomb-limit", http2_decompression},
    {"app-layer.protocols.dns.max-tx", dns_max_tx},
    {"app-layer.protocols.ftp.max-tx", ftp_max_tx},
    {"app-layer.protocols.ftp.memcap", ftp_memcap},
    {"app-layer.protocols.ftp.max-line-length", ftp_max_line},
    {"app-layer.protocols.smtp.max-tx", smtp_max_tx},
    {"app-layer.protocols.*.max-tx", protocol_size, kNoSuchLimit},
    {"app-layer.protocols.*.enabled", enabled},
    {"app-layer.protocols.*.tcp.enabled", enabled_tcp},
    {"app-layer.protocols.*.udp.enabled", enabled_udp},
    {"app-layer.protocols.*.detection-ports.dp", set_ports},
    {"app-layer.protocols.*.detection-ports.sp", source_ports, "probing looks at destination ports"},
    {"app-layer.protocols.*.tcp.detection-ports.dp", set_ports},
    {"app-layer.protocols.*.udp.detection-ports.dp", set_ports},
    {"app-layer.protocols.*.stream-depth", protocol_size, "one stream depth holds for all protocols"},
    {"app-layer.protocols.tls.encryption-handling", tls_encryption},
    {"app-layer.protocols.tls.encrypt-handling", tls_encryption},
    {"app-layer.protocols.tls.ja3-fingerprints", ja3},
    {"app-layer.protocols.tls.ja4-fingerprints", ja4},
    {"app-layer.protocols.ssh.encryption-handling", ssh_encryption},
    {"app-layer.protocols.ssh.hassh", hassh},
    {"app-layer.protocols.smtp.raw-extraction", smtp_flag<&SmtpConfig::raw_extraction>},
    {"app-layer.protocols.smtp.mime.decode-mime", smtp_flag<&SmtpConfig::decode_mime>},
    {"app-layer.protocols.smtp.mime.decode-base64", mime_flag<&MimeConfig::decode_base64>},
    {"app-layer.protocols.smtp.mime.decode-quoted-printable",
     mime_flag<&MimeConfig::decode_quoted_printable>},
    {"app-layer.protocols.smtp.mime.header-value-depth", mime_header_depth},
    {"app-layer.protocols.smtp.mime.extract-urls", mime_flag<&MimeConfig::extract_urls>},
    {"app-layer.protocols.smtp.mime.extract-urls-schemes", mime_schemes},
    {"app-layer.protocols.smtp.mime.log-url-scheme", mime_flag<&MimeConfig::log_url_scheme>},
    {"app-layer.protocols.smtp.mime.body-md5", mime_flag<&MimeConfig::body_md5>},
    {"app-layer.protocols.smtp.inspected-tracker.content-limit", smtp_content_limit},
    {"app-layer.protocols.smtp.inspected-tracker.content-inspect-min-size", any_size, kNoFileWindow},
    {"app-layer.protocols.smtp.inspected-tracker.content-inspect-window", any_size, kNoFileWindow},
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
