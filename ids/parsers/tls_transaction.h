// The handshake of one TLS connection: what rule buffers and the log read. One transaction per flow.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ids/parsers/parser.h"

namespace gatehouse::ids {

// Transaction::progress, per direction. The server's hello done means ServerHelloDone or, in
// TLS 1.3, the end of what can be read.
inline constexpr std::uint8_t kTlsOpen = 1;           // from the start: ssl_state looks at either side
inline constexpr std::uint8_t kTlsHello = 2;          // ClientHello / ServerHello seen
inline constexpr std::uint8_t kTlsCertificate = 3;    // past the certificate of this side
inline constexpr std::uint8_t kTlsHandshakeDone = 4;  // this side switched to encryption
inline constexpr std::uint8_t kTlsComplete = 5;       // nothing more will be read

// What one Certificate message said. The leaf's fields are parsed, the chain is kept as sent.
struct TlsCertificate {
  std::vector<std::vector<std::uint8_t>> chain;    // DER, leaf first
  std::string subject, issuer;                     // "C=US, O=A, CN=x"
  std::string serial;                              // "08:3A:FF"
  std::string fingerprint;                         // SHA-1, lower-case hex with colons
  std::int64_t not_before_s = 0, not_after_s = 0;  // epoch
  std::string not_before, not_after;               // "2017-03-23T00:00:00"
  std::vector<std::string> alternative_names;
  bool parsed = false;          // the leaf was well formed
  bool too_many_names = false;  // not all alternative names are kept
};

// TlsTransaction::seen and current: bits, for ssl_state.
inline constexpr std::uint16_t kTlsSeenNothing = 0x8000;
inline constexpr std::uint16_t kTlsSeenClientHello = 1;
inline constexpr std::uint16_t kTlsSeenServerHello = 2;
inline constexpr std::uint16_t kTlsSeenClientKeyExchange = 4;
inline constexpr std::uint16_t kTlsSeenServerKeyExchange = 8;
inline constexpr std::uint16_t kTlsSeenEncrypted = 16;

class TlsTransaction : public Transaction {
 public:
  std::uint16_t seen = 0;
  std::uint16_t current = kTlsSeenNothing;        // of the bits: the newest hello or key exchange
  std::array<std::uint16_t, 2> record_version{};  // of the newest hello or record, per direction: ssl_version
  std::uint16_t client_version = 0;               // ClientHello.legacy_version
  std::uint16_t version = 0;                      // negotiated; before the ServerHello: the client's
  std::string sni;
  std::vector<std::string> client_alpns, server_alpns;
  std::vector<std::uint16_t> client_ciphers, client_extensions, client_signature_algorithms;
  std::vector<std::uint16_t> client_supported_versions, client_groups;
  std::vector<std::uint8_t> client_point_formats, client_session;
  bool client_ticket = false;                       // the client offered a session ticket
  bool session_echoed = false;                      // the server took up the offered session id
  std::array<std::vector<std::uint8_t>, 2> random;  // 32 bytes each, by index(Direction)
  std::string ja3, ja3_hash, ja3s, ja3s_hash, ja4;
  std::array<TlsCertificate, 2> certificate;  // [1]: the server's; [0]: the client's
  bool session_resumed = false;
  bool change_cipher_spec = false;

  // What this side says it speaks; 0: it has not spoken.
  std::uint16_t version_of(Direction d) const {
    if (d == Direction::to_server) return client_version != 0 ? client_version : record_version[0];
    return (seen & kTlsSeenServerHello) != 0 ? version : record_version[1];
  }
  const TlsCertificate& server_certificate() const { return certificate[1]; }
  const TlsCertificate& client_certificate() const { return certificate[0]; }
};

// "TLS 1.2", "TLSv1", "SSLv3", "TLS 1.3 draft-18", "UNDETERMINED", or "0x1234".
std::string tls_version_text(std::uint16_t version);

}  // namespace gatehouse::ids
