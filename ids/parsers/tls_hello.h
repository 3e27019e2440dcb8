// Hello messages: bytes to fields, and the fingerprints made of them.
#pragma once

#include "ids/parsers/tls_transaction.h"

namespace gatehouse::ids::tls {

// What was odd about a hello.
struct HelloFindings {
  bool multiple_sni = false, bad_sni_type = false, bad_sni_length = false;
};

// `body`: the handshake message without its 4-byte header. False: it breaks off; what was read
// before stays set.
bool parse_client_hello(ByteView body, TlsTransaction& tx, HelloFindings& findings);

bool parse_server_hello(ByteView body, TlsTransaction& tx);
// SSL 2.0 hello of a client that may speak more (RFC 5246 E.2); `body` without the 2-byte length.
bool parse_sslv2_client_hello(ByteView body, TlsTransaction& tx);

// RFC 8701 values, which fingerprints leave out.
bool is_grease(std::uint16_t value);
void make_client_fingerprints(TlsTransaction& tx);

}  // namespace gatehouse::ids::tls
