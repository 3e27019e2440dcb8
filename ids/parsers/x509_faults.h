// Why a certificate cannot be read: which part of it is malformed.
#pragma once

#include "core/bytes.h"

namespace gatehouse::ids::tls {

using core::ByteView;

// In the order of the parts (RFC 5280 4.1). `none`: the outline is sound; `truncated`: it breaks off;
// `der`: not DER at all; `content`: what is signed cannot be delimited.
enum class CertificateFault : std::uint8_t {
  none,
  truncated,
  der,
  content,
  version,
  serial,
  algorithm,
  issuer,
  issuer_name,
  validity,
  date,
  subject,
  subject_name,
  extensions,
};

CertificateFault find_certificate_fault(ByteView der);

}  // namespace gatehouse::ids::tls
