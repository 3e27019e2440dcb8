#include "ids/parsers/tls_log.h"

namespace gatehouse::ids::tls {
namespace {

void write_strings(std::string_view key, const std::vector<std::string>& values, core::JsonWriter& json) {
  if (values.empty()) return;
  json.key(key).begin_array();
  for (const std::string& value : values) json.string(value);
  json.end_array();
}

void write_numbers(std::string_view key, const std::vector<std::uint16_t>& values, core::JsonWriter& json) {
  if (values.empty()) return;
  json.key(key).begin_array();
  for (const std::uint16_t value : values) json.number(static_cast<unsigned>(value));
  json.end_array();
}

void write_text(std::string_view key, const std::string& value, core::JsonWriter& json) {
  if (!value.empty()) json.field(key, value);
}

void write_certificate(const TlsCertificate& certificate, core::JsonWriter& json) {
  if (!certificate.parsed) return;
  json.field("subject", certificate.subject).field("issuerdn", certificate.issuer);
  write_strings("subjectaltname", certificate.alternative_names, json);
  write_text("serial", certificate.serial, json);
  write_text("fingerprint", certificate.fingerprint, json);
}

void write_validity(const TlsCertificate& certificate, core::JsonWriter& json) {
  write_text("notbefore", certificate.not_before, json);
  write_text("notafter", certificate.not_after, json);
}

}  // namespace

void write_tls_log(const Transaction& base, const LogOptions& options, core::JsonWriter& json) {
  const auto& tx = static_cast<const TlsTransaction&>(base);
  const TlsCertificate& server = tx.server_certificate();
  if (tx.session_resumed) {
    json.field("session_resumed", true);
  } else {
    write_certificate(server, json);
  }
  if (options.tls_extended) {
    write_text("sni", tx.sni, json);
    json.field("version", tls_version_text(tx.version));
    if (!tx.session_resumed) write_validity(server, json);
    write_strings("client_alpns", tx.client_alpns, json);
    write_strings("server_alpns", tx.server_alpns, json);
    if (tx.client_certificate().parsed) {
      json.key("client").begin_object();
      write_certificate(tx.client_certificate(), json);
      write_validity(tx.client_certificate(), json);
      json.end_object();
    }
  }
  if (options.tls_ja3 && !tx.ja3.empty()) {
    json.key("ja3").begin_object().field("hash", tx.ja3_hash).field("string", tx.ja3).end_object();
  }
  if (options.tls_ja3 && !tx.ja3s.empty()) {
    json.key("ja3s").begin_object().field("hash", tx.ja3s_hash).field("string", tx.ja3s).end_object();
  }
  if (options.tls_ja4) write_text("ja4", tx.ja4, json);
  if (options.tls_client_handshake) {
    json.key("client_handshake").begin_object().field("version", tls_version_text(tx.client_version));
    write_numbers("ciphers", tx.client_ciphers, json);
    write_numbers("exts", tx.client_extensions, json);
    write_numbers("sig_algs", tx.client_signature_algorithms, json);
    json.end_object();
  }
}

}  // namespace gatehouse::ids::tls
