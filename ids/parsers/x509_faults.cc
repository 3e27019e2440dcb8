#include "ids/parsers/x509_faults.h"

#include <algorithm>
#include <optional>

#include "ids/parsers/recognised.h"

namespace gatehouse::ids::tls {
namespace {

enum Tag : std::uint8_t {
  kInteger = 0x02,
  kBitString = 0x03,
  kObjectId = 0x06,
  kUtcTime = 0x17,
  kGeneralizedTime = 0x18,
  kSequence = 0x30,
  kSet = 0x31,
  kVersion = 0xa0,
  kIssuerId = 0x81,
  kSubjectId = 0x82,
  kExtensions = 0xa3,
};

// Takes DER elements one after the other.
class DerReader {
 public:
  explicit DerReader(ByteView data) : data_(data) {}
  bool at_end() const { return data_.empty(); }
  bool next_is(std::uint8_t tag) const { return !data_.empty() && data_[0] == tag; }
  // The content of the next element, when it has this tag and is all there.
  std::optional<ByteView> take(std::uint8_t tag) {
    const auto element = recognised::ber_element(data_);
    if (element.header == 0 || element.tag != tag || element.length > data_.size() - element.header)
      return std::nullopt;
    const ByteView content = data_.subspan(element.header, element.length);
    data_ = data_.subspan(element.header + element.length);
    return content;
  }
  // Whatever it is.
  bool skip() { return !data_.empty() && take(data_[0]).has_value(); }

 private:
  ByteView data_;
};

bool is_algorithm(std::optional<ByteView> content) {
  return content && DerReader(*content).take(kObjectId).has_value();
}

// RDNSequence: sets of pairs of a type and a value.
bool is_name(ByteView content) {
  DerReader sets(content);
  while (!sets.at_end()) {
    const auto set = sets.take(kSet);
    if (!set || set->empty()) return false;
    DerReader pairs(*set);
    while (!pairs.at_end()) {
      const auto pair = pairs.take(kSequence);
      if (!pair) return false;
      DerReader reader(*pair);
      if (!reader.take(kObjectId) || !reader.skip() || !reader.at_end()) return false;
    }
  }
  return true;
}

// YYMMDDHHMM[SS]Z or with a zone, and the same with four digits of the year.
bool is_date(ByteView text, std::size_t year_digits) {
  const auto digits = static_cast<std::size_t>(
      std::find_if(text.begin(), text.end(), [](std::uint8_t c) { return c < '0' || c > '9'; }) -
      text.begin());
  return digits >= year_digits + 8 && digits < text.size();
}

CertificateFault fault_of_validity(DerReader& tbs) {
  const auto validity = tbs.take(kSequence);
  if (!validity) return CertificateFault::validity;
  DerReader dates(*validity);
  for (int i = 0; i < 2; ++i) {
    const bool utc = dates.next_is(kUtcTime);
    const auto date = dates.take(utc ? kUtcTime : kGeneralizedTime);
    if (!date) return CertificateFault::validity;
    if (!is_date(*date, utc ? 2 : 4)) return CertificateFault::date;
  }
  return CertificateFault::none;
}

CertificateFault fault_of_name(DerReader& tbs, CertificateFault missing, CertificateFault malformed) {
  const auto name = tbs.take(kSequence);
  if (!name) return missing;
  return is_name(*name) ? CertificateFault::none : malformed;
}

CertificateFault fault_of_extensions(DerReader& tbs) {
  for (const std::uint8_t id : {kIssuerId, kSubjectId}) {
    if (tbs.next_is(id) && !tbs.take(id)) return CertificateFault::extensions;
  }
  if (tbs.at_end()) return CertificateFault::none;
  const auto outer = tbs.take(kExtensions);
  if (!outer) return CertificateFault::extensions;
  const auto list = DerReader(*outer).take(kSequence);
  if (!list) return CertificateFault::extensions;
  DerReader extensions(*list);
  while (!extensions.at_end()) {
    const auto one = extensions.take(kSequence);
    if (!one || !DerReader(*one).take(kObjectId)) return CertificateFault::extensions;
  }
  return CertificateFault::none;
}

}  // namespace

CertificateFault find_certificate_fault(ByteView der) {
  if (der.empty()) return CertificateFault::truncated;
  if (der[0] != kSequence) return CertificateFault::der;
  const auto certificate = DerReader(der).take(kSequence);
  if (!certificate || recognised::ber_element(*certificate).header == 0) return CertificateFault::truncated;
  DerReader outer(*certificate);
  const auto content = outer.take(kSequence);
  if (!content) return CertificateFault::content;
  DerReader tbs(*content);
  if (tbs.next_is(kVersion)) {
    const auto version = tbs.take(kVersion);
    const auto number = version ? DerReader(*version).take(kInteger) : std::nullopt;
    if (!number || number->size() != 1 || (*number)[0] > 2) return CertificateFault::version;
  }
  const auto serial = tbs.take(kInteger);
  if (!serial || serial->empty()) return CertificateFault::serial;
  if (!is_algorithm(tbs.take(kSequence))) return CertificateFault::algorithm;
  auto fault = fault_of_name(tbs, CertificateFault::issuer, CertificateFault::issuer_name);
  if (fault == CertificateFault::none) fault = fault_of_validity(tbs);
  if (fault == CertificateFault::none)
    fault = fault_of_name(tbs, CertificateFault::subject, CertificateFault::subject_name);
  if (fault != CertificateFault::none) return fault;
  const auto key = tbs.take(kSequence);
  if (!key || !is_algorithm(DerReader(*key).take(kSequence))) return CertificateFault::algorithm;
  fault = fault_of_extensions(tbs);
  if (fault != CertificateFault::none) return fault;
  if (!is_algorithm(outer.take(kSequence))) return CertificateFault::algorithm;
  return outer.take(kBitString) ? CertificateFault::none : CertificateFault::content;
}

}  // namespace gatehouse::ids::tls
