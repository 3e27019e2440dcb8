// The only includer of OpenSSL headers in this folder.
#include "ids/parsers/x509.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "core/ip.h"

namespace gatehouse::ids::tls {
namespace {

struct Release {
  void operator()(X509* p) const { X509_free(p); }
  void operator()(GENERAL_NAMES* p) const { GENERAL_NAMES_free(p); }
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
};

// Certificates are bounded by the handshake limit; names inside are bounded once more.
constexpr int kMaxNameEntries = 64;
constexpr int kMaxAlternativeNames = 256;

struct AttributeName {
  int nid;
  std::string_view name;
};
constexpr AttributeName kAttributes[] = {{NID_commonName, "CN"},
                                         {NID_countryName, "C"},
                                         {NID_localityName, "L"},
                                         {NID_stateOrProvinceName, "ST"},
                                         {NID_organizationName, "O"},
                                         {NID_organizationalUnitName, "OU"},
                                         {NID_pkcs9_emailAddress, "Email"},
                                         {NID_domainComponent, "DC"},
                                         {NID_serialNumber, "serialNumber"},
                                         {NID_surname, "SN"},
                                         {NID_givenName, "GN"},
                                         {NID_title, "title"},
                                         {NID_streetAddress, "street"},
                                         {NID_postalCode, "postalCode"},
                                         {NID_userId, "UID"},
                                         {NID_businessCategory, "businessCategory"},
                                         {NID_dnQualifier, "dnQualifier"},
                                         {NID_initials, "initials"},
                                         {NID_pseudonym, "pseudonym"},
                                         {NID_generationQualifier, "generationQualifier"}};

std::string attribute_name(const ASN1_OBJECT* object) {
  const int nid = OBJ_obj2nid(object);
  for (const AttributeName& known : kAttributes) {
    if (known.nid == nid) return std::string(known.name);
  }
  char buffer[128] = {};
  OBJ_obj2txt(buffer, sizeof buffer, object, 1);
  return buffer;
}

std::string_view raw_text(const ASN1_STRING* text) {
  const auto* data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(text));
  const int length = ASN1_STRING_length(text);
  return length > 0 ? std::string_view(data, static_cast<std::size_t>(length)) : std::string_view();
}

// Byte strings as they are, also with NUL inside; wide ones as UTF-8.
std::string string_value(const ASN1_STRING* text) {
  const int type = ASN1_STRING_type(text);
  if (type != V_ASN1_BMPSTRING && type != V_ASN1_UNIVERSALSTRING) return std::string(raw_text(text));
  unsigned char* utf8 = nullptr;
  const int length = ASN1_STRING_to_UTF8(&utf8, text);
  if (length < 0) return std::string(raw_text(text));
  std::string out(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(length));
  OPENSSL_free(utf8);
  return out;
}

std::string distinguished_name(const X509_NAME* name) {
  std::string out;
  const int count = std::min(X509_NAME_entry_count(name), kMaxNameEntries);
  for (int i = 0; i < count; ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    if (!out.empty()) out += ", ";
    out += attribute_name(X509_NAME_ENTRY_get_object(entry)) + "=" +
           string_value(X509_NAME_ENTRY_get_data(entry));
  }
  return out;
}

// The content bytes of the DER integer, as "08:3A:FF": a leading zero byte is part of it.
std::string serial_text(const ASN1_INTEGER* serial) {
  unsigned char* der = nullptr;
  const int length = i2d_ASN1_INTEGER(serial, &der);
  if (length < 2) return {};
  std::string out;
  // Tag, length (one byte up to 127, else 0x80 + count), content.
  const int header = der[1] < 0x80 ? 2 : 2 + (der[1] & 0x7f);
  for (int i = header; i < length; ++i) out += fmt::format("{}{:02X}", out.empty() ? "" : ":", der[i]);
  OPENSSL_free(der);
  return out;
}

std::string time_text(const ASN1_TIME* time, std::int64_t& epoch_s) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  epoch_s = timegm(&parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

// False: there were too many.
bool read_alternative_names(X509* certificate, std::vector<std::string>& out) {
  const std::unique_ptr<GENERAL_NAMES, Release> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (!names) return true;
  const int count = std::min(sk_GENERAL_NAME_num(names.get()), kMaxAlternativeNames);
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS || name->type == GEN_EMAIL || name->type == GEN_URI) {
      out.emplace_back(raw_text(name->d.ia5));
    } else if (name->type == GEN_IPADD) {
      const core::IpAddress ip = core::IpAddress::from_bytes(core::as_bytes(raw_text(name->d.iPAddress)));
      if (ip.version != 0) out.push_back(ip.to_string());
    }
  }
  return sk_GENERAL_NAME_num(names.get()) <= kMaxAlternativeNames;
}

std::string digest_hex(const EVP_MD* algorithm, ByteView bytes, std::string_view separator) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &length, algorithm, nullptr) != 1) return {};
  std::string out;
  out.reserve(length * (2 + separator.size()));
  for (unsigned i = 0; i < length; ++i) {
    if (i > 0) out += separator;
    out += kDigits[digest[i] >> 4U];
    out += kDigits[digest[i] & 15U];
  }
  return out;
}

// Looking an algorithm up takes a lock and longer than digesting a hello: once per program.
const EVP_MD* algorithm(const char* name) {
  return EVP_MD_fetch(nullptr, name, nullptr);
}

bool parse_der(ByteView der, TlsCertificate& out) {
  const unsigned char* at = der.data();
  const std::unique_ptr<X509, Release> certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!certificate) return false;
  out.subject = distinguished_name(X509_get_subject_name(certificate.get()));
  out.issuer = distinguished_name(X509_get_issuer_name(certificate.get()));
  out.serial = serial_text(X509_get0_serialNumber(certificate.get()));
  out.fingerprint = sha1_fingerprint(der);
  out.not_before = time_text(X509_get0_notBefore(certificate.get()), out.not_before_s);
  out.not_after = time_text(X509_get0_notAfter(certificate.get()), out.not_after_s);
  out.too_many_names = !read_alternative_names(certificate.get(), out.alternative_names);
  out.parsed = true;
  return true;
}

// The certificates a thread saw last, parsed. Few servers make most handshakes, and parsing one costs as much
// as inspecting ten packets. An entry counts only when all its bytes are equal.
class CertificateCache {
 public:
  bool parse(ByteView der, TlsCertificate& out) {
    if (der.size() > kMostBytes) return parse_der(der, out);
    Entry& entry = entries_[std::hash<std::string_view>{}(core::as_text(der)) % kEntries];
    if (entry.der != core::as_text(der) || der.empty()) {
      entry.der = core::as_text(der);
      entry.parsed = {};
      parse_der(der, entry.parsed);
    }
    std::vector<std::vector<std::uint8_t>> chain = std::move(out.chain);
    out = entry.parsed;
    out.chain = std::move(chain);
    return out.parsed;
  }

 private:
  static constexpr std::size_t kEntries = 256, kMostBytes = 8192;
  struct Entry {
    std::string der;
    TlsCertificate parsed;
  };
  std::vector<Entry> entries_{kEntries};
};

}  // namespace

bool parse_certificate(ByteView der, TlsCertificate& out) {
  static thread_local CertificateCache cache;
  return cache.parse(der, out);
}

std::string md5_hex(std::string_view text) {
  static const EVP_MD* const kMd5 = algorithm("MD5");
  return digest_hex(kMd5, core::as_bytes(text), "");
}
std::string sha256_hex(std::string_view text) {
  static const EVP_MD* const kSha256 = algorithm("SHA256");
  return digest_hex(kSha256, core::as_bytes(text), "");
}
std::string sha1_fingerprint(ByteView bytes) {
  static const EVP_MD* const kSha1 = algorithm("SHA1");
  return digest_hex(kSha1, bytes, ":");
}

}  // namespace gatehouse::ids::tls
