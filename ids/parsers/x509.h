// Certificates: DER to the fields that rules and logs use.
#pragma once

#include "ids/parsers/tls_transaction.h"

namespace gatehouse::ids::tls {

// Fills the leaf's fields of `out`; false (and `parsed` unset) when it is no certificate.
bool parse_certificate(ByteView der, TlsCertificate& out);

std::string md5_hex(std::string_view text);
std::string sha256_hex(std::string_view text);
// Lower-case hexadecimal SHA-1 with colons.
std::string sha1_fingerprint(ByteView bytes);

}  // namespace gatehouse::ids::tls
