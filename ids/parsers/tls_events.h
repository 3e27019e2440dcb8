// What a TLS session can find odd.
#pragma once

#include <array>
#include <string_view>

#include "ids/parsers/parser.h"
#include "ids/parsers/x509_faults.h"

namespace gatehouse::ids::tls {

enum TlsEvent : AppEvent {
  kInvalidSslv2Header,
  kInvalidTlsHeader,
  kInvalidRecordVersion,
  kInvalidRecordType,
  kInvalidRecordLength,
  kInvalidHandshakeMessage,
  kHandshakeInvalidLength,
  kHeartbeatMessage,
  kInvalidHeartbeatMessage,
  kOverflowHeartbeatMessage,
  kDataleakHeartbeatMismatch,
  kMultipleSniExtensions,
  kInvalidSniType,
  kInvalidSniLength,
  kTooManyRecordsInPacket,
  kInvalidAlertMessage,
  kErrorMessageEncountered,
  kCertificateInvalidLength,
  kCertificateInvalidDer,
  kInvalidCertificate,
  kCertificateMissingElement,
  kInvalidSslRecord,
  kCertificateInvalidVersion,
  kCertificateInvalidSerial,
  kCertificateInvalidAlgorithm,
  kCertificateInvalidIssuer,
  kCertificateInvalidName,
  kCertificateInvalidValidity,
  kCertificateInvalidDate,
  kCertificateInvalidSubject,
  kCertificateInvalidExtensions,
  kTooManyAlternativeNames,
  kTlsEventCount,
};
inline constexpr std::array<std::string_view, kTlsEventCount> kEventNames = {
    "tls.invalid_sslv2_header",
    "tls.invalid_tls_header",
    "tls.invalid_record_version",
    "tls.invalid_record_type",
    "tls.invalid_record_length",
    "tls.invalid_handshake_message",
    "tls.handshake_invalid_length",
    "tls.heartbeat_message",
    "tls.invalid_heartbeat_message",
    "tls.overflow_heartbeat_message",
    "tls.dataleak_heartbeat_mismatch",
    "tls.multiple_sni_extensions",
    "tls.invalid_sni_type",
    "tls.invalid_sni_length",
    "tls.too_many_records_in_packet",
    "tls.invalid_alert_message",
    "tls.error_message_encountered",
    "tls.certificate_invalid_length",
    "tls.certificate_invalid_der",
    "tls.invalid_certificate",
    "tls.certificate_missing_element",
    "tls.invalid_ssl_record",
    "tls.certificate_invalid_version",
    "tls.certificate_invalid_serial",
    "tls.certificate_invalid_algorithmidentifier",
    "tls.certificate_invalid_issuer",
    "tls.certificate_invalid_x509name",
    "tls.certificate_invalid_validity",
    "tls.certificate_invalid_date",
    "tls.certificate_invalid_subject",
    "tls.certificate_invalid_extensions",
    "tls.too_many_subject_alternative_names"};

inline TlsEvent event_of(CertificateFault fault) {
  using Fault = CertificateFault;
  switch (fault) {
    case Fault::none:  // sound in outline only
    case Fault::content:
      return kInvalidCertificate;
    case Fault::truncated:
      return kCertificateInvalidLength;
    case Fault::der:
      return kCertificateInvalidDer;
    case Fault::version:
      return kCertificateInvalidVersion;
    case Fault::serial:
      return kCertificateInvalidSerial;
    case Fault::algorithm:
      return kCertificateInvalidAlgorithm;
    case Fault::issuer:
      return kCertificateInvalidIssuer;
    case Fault::issuer_name:
    case Fault::subject_name:
      return kCertificateInvalidName;
    case Fault::validity:
      return kCertificateInvalidValidity;
    case Fault::date:
      return kCertificateInvalidDate;
    case Fault::subject:
      return kCertificateInvalidSubject;
    case Fault::extensions:
      return kCertificateInvalidExtensions;
  }
  return kCertificateInvalidDer;
}

}  // namespace gatehouse::ids::tls
