#include "ids/parsers/tls_hello.h"

#include <fmt/format.h>

#include <algorithm>

#include "ids/parsers/x509.h"

namespace gatehouse::ids::tls {
namespace {

using core::ByteReader;

enum : std::uint16_t {
  kServerName = 0,
  kSupportedGroups = 10,
  kPointFormats = 11,
  kSignatureAlgorithms = 13,
  kAlpn = 16,
  kSessionTicket = 35,
  kSupportedVersions = 43
};

// Stands for the drafts before 16, which did not number themselves.
constexpr std::uint16_t kEarlyDraft = 0x7f01;

// A length-prefixed list inside an extension.
ByteReader block8(ByteReader& r) {
  return ByteReader(r.bytes(r.u8()));
}
ByteReader block16(ByteReader& r) {
  return ByteReader(r.bytes(r.u16()));
}

std::vector<std::uint16_t> read_u16s(ByteReader list) {
  std::vector<std::uint16_t> out;
  while (list.remaining() >= 2) out.push_back(list.u16());
  return out;
}

std::vector<std::string> read_alpns(ByteReader extension) {
  std::vector<std::string> out;
  ByteReader list = block16(extension);
  while (list.ok() && !list.at_end()) {
    const ByteView name = list.bytes(list.u8());
    if (!list.ok()) break;
    out.emplace_back(core::as_text(name));
  }
  return out;
}

void read_sni(ByteReader extension, TlsTransaction& tx, HelloFindings& findings) {
  if (extension.at_end()) return;
  ByteReader list = block16(extension);
  const std::uint8_t type = list.u8();
  const ByteView name = list.bytes(list.u16());
  if (!extension.ok() || !list.ok() || name.empty()) {
    findings.bad_sni_length = true;
    return;
  }
  if (type != 0) {
    findings.bad_sni_type = true;
    return;
  }
  if (!tx.sni.empty()) {
    findings.multiple_sni = true;
    return;
  }
  tx.sni = std::string(core::as_text(name));
}

std::string join(const std::vector<std::uint16_t>& values) {
  std::string out;
  for (const std::uint16_t v : values) {
    if (is_grease(v)) continue;
    if (!out.empty()) out.push_back('-');
    out += std::to_string(v);
  }
  return out;
}

std::vector<std::uint16_t> without_grease(std::vector<std::uint16_t> values) {
  std::erase_if(values, is_grease);
  return values;
}

std::string hex_list(const std::vector<std::uint16_t>& values) {
  std::string out;
  for (const std::uint16_t v : values) out += fmt::format("{}{:04x}", out.empty() ? "" : ",", v);
  return out;
}

std::string_view ja4_version(std::uint16_t version) {
  switch (version) {
    case 0x0304:
      return "13";
    case 0x0303:
      return "12";
    case 0x0302:
      return "11";
    case 0x0301:
      return "10";
    case 0x0300:
      return "s3";
    case 0x0002:
      return "s2";
    default:
      return "00";
  }
}

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// First and last character of the first protocol; of its hexadecimal form when they are not alphanumeric.
std::string ja4_alpn(const std::vector<std::string>& alpns) {
  if (alpns.empty() || alpns.front().empty()) return "00";
  const std::string& name = alpns.front();
  if (is_alnum(name.front()) && is_alnum(name.back())) return {name.front(), name.back()};
  const std::string first = fmt::format("{:02x}", static_cast<unsigned char>(name.front()));
  const std::string last = fmt::format("{:02x}", static_cast<unsigned char>(name.back()));
  return {first.front(), last.back()};
}

// JA4: https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md
std::string make_ja4(const TlsTransaction& tx) {
  std::uint16_t version = tx.client_version;
  const auto offered = without_grease(tx.client_supported_versions);
  if (!offered.empty()) version = *std::max_element(offered.begin(), offered.end());
  auto ciphers = without_grease(tx.client_ciphers);
  auto extensions = without_grease(tx.client_extensions);
  const bool sni = std::find(extensions.begin(), extensions.end(), kServerName) != extensions.end();
  std::string out = fmt::format("t{}{}{:02}{:02}{}_", ja4_version(version), sni ? 'd' : 'i',
                                std::min<std::size_t>(ciphers.size(), 99),
                                std::min<std::size_t>(extensions.size(), 99), ja4_alpn(tx.client_alpns));
  constexpr std::string_view kNothing = "000000000000";
  std::sort(ciphers.begin(), ciphers.end());
  out += ciphers.empty() ? kNothing : sha256_hex(hex_list(ciphers)).substr(0, 12);
  std::erase_if(extensions, [](std::uint16_t e) { return e == kServerName || e == kAlpn; });
  std::sort(extensions.begin(), extensions.end());
  std::string third = hex_list(extensions);
  const auto algorithms = without_grease(tx.client_signature_algorithms);
  // The technical note drops the underscore when there are no algorithms; the field keeps it.
  third += "_" + hex_list(algorithms);
  out += "_";
  out += sha256_hex(third).substr(0, 12);
  return out;
}

}  // namespace

bool is_grease(std::uint16_t value) {
  return (value & 0x0f0fU) == 0x0a0aU && (value >> 8U) == (value & 0xffU);
}

// JA3: version, ciphers, extensions, groups, point formats; then the two fingerprints.
void make_client_fingerprints(TlsTransaction& tx) {
  std::string formats;
  for (const std::uint8_t f : tx.client_point_formats)
    formats += (formats.empty() ? "" : "-") + std::to_string(f);
  tx.ja3 = fmt::format("{},{},{},{},{}", tx.client_version, join(tx.client_ciphers),
                       join(tx.client_extensions), join(tx.client_groups), formats);
  tx.ja3_hash = md5_hex(tx.ja3);
  tx.ja4 = make_ja4(tx);
}

bool parse_client_hello(ByteView body, TlsTransaction& tx, HelloFindings& findings) {
  ByteReader r(body);
  tx.client_version = r.u16();
  const ByteView random = r.bytes(32);
  if (!r.ok()) return false;
  tx.random[0].assign(random.begin(), random.end());
  const ByteView session = r.bytes(r.u8());
  tx.client_session.assign(session.begin(), session.end());
  tx.client_ciphers = read_u16s(block16(r));
  r.skip(r.u8());  // compression methods
  if (!r.ok()) return false;
  if (!r.at_end()) {
    ByteReader extensions = block16(r);
    while (extensions.ok() && !extensions.at_end()) {
      const std::uint16_t type = extensions.u16();
      ByteReader content = block16(extensions);
      if (!extensions.ok()) return false;
      tx.client_extensions.push_back(type);
      switch (type) {
        case kServerName:
          read_sni(content, tx, findings);
          break;
        case kSupportedGroups:
          tx.client_groups = read_u16s(block16(content));
          break;
        case kPointFormats: {
          const ByteView formats = content.bytes(content.u8());
          tx.client_point_formats.assign(formats.begin(), formats.end());
          break;
        }
        case kSignatureAlgorithms:
          tx.client_signature_algorithms = read_u16s(block16(content));
          break;
        case kAlpn:
          tx.client_alpns = read_alpns(content);
          break;
        case kSessionTicket:
          tx.client_ticket = content.remaining() > 0;
          break;
        case kSupportedVersions:
          tx.client_supported_versions = read_u16s(block8(content));
          break;
        default:
          break;
      }
    }
  }
  return r.ok();
}

bool parse_server_hello(ByteView body, TlsTransaction& tx) {
  ByteReader r(body);
  const std::uint16_t version = r.u16();
  const ByteView random = r.bytes(32);
  if (!r.ok()) return false;
  tx.random[1].assign(random.begin(), random.end());
  tx.version = version;
  // Until draft 21, TLS 1.3 had a hello without session id and compression method.
  const bool short_form = version == 0x0304 || ((version >> 8U) == 0x7f && (version & 0xffU) < 22);
  if (version == 0x0304) tx.version = kEarlyDraft;  // the final version says so in an extension only
  ByteView session;
  if (!short_form) session = r.bytes(r.u8());
  const std::uint16_t cipher = r.u16();
  if (!short_form) r.skip(1);
  if (!r.ok()) return false;
  tx.session_echoed = !session.empty() && std::equal(session.begin(), session.end(),
                                                     tx.client_session.begin(), tx.client_session.end());
  std::vector<std::uint16_t> types;
  ByteReader extensions = r.at_end() ? ByteReader() : block16(r);
  while (extensions.ok() && !extensions.at_end()) {
    const std::uint16_t type = extensions.u16();
    ByteReader content = block16(extensions);
    if (!extensions.ok()) return false;
    types.push_back(type);
    if (type == kSupportedVersions && content.remaining() >= 2) tx.version = content.u16();
    if (type == kAlpn) tx.server_alpns = read_alpns(content);
  }
  tx.ja3s = fmt::format("{},{},{}", version, cipher, join(types));
  tx.ja3s_hash = md5_hex(tx.ja3s);
  return r.ok();
}

bool parse_sslv2_client_hello(ByteView body, TlsTransaction& tx) {
  ByteReader r(body);
  if (r.u8() != 1) return false;
  const std::uint16_t version = r.u16();
  const std::uint16_t ciphers = r.u16(), session = r.u16(), challenge = r.u16();
  r.skip(std::size_t{ciphers} + session + challenge);
  if (!r.ok()) return false;
  tx.client_version = version;
  return true;
}

}  // namespace gatehouse::ids::tls

namespace gatehouse::ids {

std::string tls_version_text(std::uint16_t version) {
  switch (version) {
    case 0:
      return "UNDETERMINED";
    case 0x0002:
      return "SSLv2";
    case 0x0300:
      return "SSLv3";
    case 0x0301:
      return "TLSv1";
    case 0x0302:
      return "TLS 1.1";
    case 0x0303:
      return "TLS 1.2";
    case 0x0304:
      return "TLS 1.3";
    default:
      break;
  }
  if (version >> 8U == 0x7f) {
    const unsigned draft = version & 0xffU;
    return draft < 16 ? "TLS 1.3 draft-<16" : fmt::format("TLS 1.3 draft-{}", draft);
  }
  if (version >> 8U == 0xfb) return fmt::format("TLS 1.3 draft-{}-fb", version & 0xffU);
  return fmt::format("0x{:04x}", version);
}

}  // namespace gatehouse::ids
