#include "ids/parsers/x509_faults.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace gatehouse::ids::tls {
namespace {

std::string der(int tag, const std::string& content) {
  std::string out(1, static_cast<char>(tag));
  if (content.size() >= 128) out += static_cast<char>(0x82), out += static_cast<char>(content.size() >> 8U);
  return out + static_cast<char>(content.size() & 0xffU) + content;
}
std::string sequence(const std::string& content) {
  return der(0x30, content);
}

const std::string kAlgorithm = sequence(der(6, "\x2a\x86\x48"));
const std::string kName = sequence(der(0x31, sequence(der(6, "\x55\x04\x03") + der(0x0c, "example"))));

// The parts of a sound certificate; a test replaces one.
struct Parts {
  std::string version = der(0xa0, der(2, "\x02"));
  std::string serial = der(2, "\x01");
  std::string algorithm = kAlgorithm;
  std::string issuer = kName;
  std::string validity = sequence(der(0x17, "260101000000Z") + der(0x18, "20560101000000Z"));
  std::string subject = kName;
  std::string key = sequence(kAlgorithm + der(3, std::string(20, 'k')));
  std::string extensions = der(0xa3, sequence(sequence(der(6, "\x55\x1d\x11") + der(4, "x"))));
  std::string after = kAlgorithm + der(3, std::string(20, 's'));
};

std::string certificate(const Parts& p) {
  return sequence(sequence(p.version + p.serial + p.algorithm + p.issuer + p.validity + p.subject + p.key +
                           p.extensions) +
                  p.after);
}

struct Row {
  CertificateFault fault;
  std::string Parts::*part;
  std::string value;
};

TEST(CertificateFaults, NameThePartThatIsMalformed) {
  using Fault = CertificateFault;
  const Row rows[] = {
      {Fault::none, &Parts::version, ""},  // version 1
      {Fault::none, &Parts::extensions, ""},
      {Fault::none, &Parts::subject, sequence("")},
      {Fault::version, &Parts::version, der(0xa0, der(2, "\x07"))},
      {Fault::version, &Parts::version, der(0xa0, "")},
      {Fault::serial, &Parts::serial, der(4, "\x01")},
      {Fault::serial, &Parts::serial, der(2, "")},
      {Fault::algorithm, &Parts::algorithm, sequence(der(5, ""))},
      {Fault::issuer, &Parts::issuer, der(0x31, "")},
      {Fault::issuer_name, &Parts::issuer, sequence(sequence(""))},
      {Fault::validity, &Parts::validity, sequence(der(0x17, "260101000000Z"))},
      {Fault::date, &Parts::validity, sequence(der(0x17, "2601010000Z") + der(0x17, "26-1-1"))},
      {Fault::subject, &Parts::subject, der(2, "\x01")},
      {Fault::subject_name, &Parts::subject, sequence(der(0x31, sequence(der(6, "\x55"))))},
      {Fault::algorithm, &Parts::key, sequence(der(3, "k"))},
      {Fault::extensions, &Parts::extensions, der(0xa3, sequence(der(4, "x")))},
      {Fault::extensions, &Parts::extensions, der(0xa4, "")},
      {Fault::algorithm, &Parts::after, ""},
      {Fault::content, &Parts::after, kAlgorithm},
  };
  for (const Row& row : rows) {
    Parts parts;
    parts.*row.part = row.value;
    EXPECT_EQ(find_certificate_fault(core::as_bytes(certificate(parts))), row.fault)
        << "row " << &row - std::begin(rows);
  }
  EXPECT_EQ(find_certificate_fault({}), Fault::truncated);
  EXPECT_EQ(find_certificate_fault(core::as_bytes("no certificate")), Fault::der);
  EXPECT_EQ(find_certificate_fault(core::as_bytes("\x30\x05\x30\x84\xff\xff\xff")), Fault::truncated);
  EXPECT_EQ(find_certificate_fault(core::as_bytes("\x30\x06\x30\x84\xff\xff\xff\xfa")), Fault::content);
}

// Wherever it breaks off, that is noticed.
TEST(CertificateFaults, NothingCutShortIsSound) {
  const std::string whole = certificate({});
  EXPECT_EQ(find_certificate_fault(core::as_bytes(whole)), CertificateFault::none);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(find_certificate_fault(core::as_bytes(std::string_view(whole).substr(0, size))),
              CertificateFault::none)
        << size;
  }
}

RC_GTEST_PROP(CertificateFaults, AnyBytesAreJudged, (const std::vector<std::uint8_t>& bytes)) {
  RC_ASSERT(find_certificate_fault(bytes) != CertificateFault::none);  // no chance makes a certificate
}

}  // namespace
}  // namespace gatehouse::ids::tls
