// What rules can look at in a TLS handshake.
#include <algorithm>
#include <array>

#include "ids/keywords/buffers.h"
#include "ids/keywords/values.h"
#include "ids/parsers/tls_transaction.h"

namespace gatehouse::ids {
namespace {

constexpr std::string_view kTls[] = {"tls"};

const TlsTransaction& tls(const Transaction& tx) {
  return static_cast<const TlsTransaction&>(tx);
}
const TlsCertificate& certificate(const Transaction& tx, Direction direction) {
  return tls(tx).certificate[index(direction)];
}

bool one(std::string_view text, unsigned i, BufferView& out) {
  if (i != 0 || text.empty()) return false;
  out = {core::as_bytes(text), true};
  return true;
}

bool chain(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  const auto& list = certificate(tx, direction).chain;
  if (i >= list.size()) return false;
  out = {list[i], true};
  return true;
}

bool alternative_name(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  const auto& names = certificate(tx, direction).alternative_names;
  if (i >= names.size()) return false;
  out = {core::as_bytes(names[i]), true};
  return true;
}

bool alpn(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  const auto& names = direction == Direction::to_server ? tls(tx).client_alpns : tls(tx).server_alpns;
  if (i >= names.size()) return false;
  out = {core::as_bytes(names[i]), true};
  return true;
}

bool random(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  const auto& bytes = tls(tx).random[index(direction)];
  if (i != 0 || bytes.empty()) return false;
  out = {bytes, true};
  return true;
}

constexpr BufferDescriptor row(std::string_view name, std::string_view alias,
                               std::optional<Direction> direction, std::uint8_t progress,
                               TransactionGetter get, std::string_view summary, bool multiple = false) {
  BufferDescriptor d;
  d.name = name;
  d.alias = alias;
  d.protocols = kTls;
  d.direction = direction;
  d.get = get;
  d.min_progress = progress;
  d.final_progress = progress;
  d.multiple = multiple;
  d.summary = summary;
  return d;
}

#define GET [](const Transaction& tx, [[maybe_unused]] Direction d, unsigned i, BufferView& out)
const BufferDescriptor kBuffers[] = {
    row(
        "tls.sni", "tls_sni", Direction::to_server, kTlsHello, GET { return one(tls(tx).sni, i, out); },
        "the server name the client asks for"),
    row(
        "tls.cert_subject", "tls_cert_subject", std::nullopt, kTlsCertificate,
        GET { return one(certificate(tx, d).subject, i, out); }, "the subject of the certificate"),
    row(
        "tls.cert_issuer", "tls_cert_issuer", std::nullopt, kTlsCertificate,
        GET { return one(certificate(tx, d).issuer, i, out); }, "the issuer of the certificate"),
    row(
        "tls.cert_serial", "tls_cert_serial", std::nullopt, kTlsCertificate,
        GET { return one(certificate(tx, d).serial, i, out); }, "the serial number of the certificate"),
    row(
        "tls.cert_fingerprint", "tls_cert_fingerprint", std::nullopt, kTlsCertificate,
        GET { return one(certificate(tx, d).fingerprint, i, out); },
        "SHA-1 of the certificate, hex with colons"),
    row("tls.certs", "", std::nullopt, kTlsCertificate, chain, "each certificate of the chain, DER", true),
    row("tls.subjectaltname", "", std::nullopt, kTlsCertificate, alternative_name, "each alternative name",
        true),
    row("tls.alpn", "", std::nullopt, kTlsHello, alpn, "each application protocol offered or chosen", true),
    row("tls.random", "", std::nullopt, kTlsHello, random, "the 32 random bytes of the hello"),
    row(
        "tls.random_bytes", "", std::nullopt, kTlsHello,
        GET {
          if (!random(tx, d, i, out) || out.data.size() < 32) return false;
          out.data = out.data.subspan(4);
          return true;
        },
        "the random bytes without the time"),
    row(
        "tls.random_time", "", std::nullopt, kTlsHello,
        GET {
          if (!random(tx, d, i, out) || out.data.size() < 32) return false;
          out.data = out.data.first(4);
          return true;
        },
        "the time in the random bytes"),
    row(
        "ja3.hash", "ja3_hash", Direction::to_server, kTlsHello,
        GET { return one(tls(tx).ja3_hash, i, out); }, "JA3 hash of the client"),
    row(
        "ja3.string", "ja3_string", Direction::to_server, kTlsHello, GET { return one(tls(tx).ja3, i, out); },
        "JA3 string of the client"),
    row(
        "ja3s.hash", "", Direction::to_client, kTlsHello, GET { return one(tls(tx).ja3s_hash, i, out); },
        "JA3S hash of the server"),
    row(
        "ja3s.string", "", Direction::to_client, kTlsHello, GET { return one(tls(tx).ja3s, i, out); },
        "JA3S string of the server"),
    row(
        "ja4.hash", "", Direction::to_server, kTlsHello, GET { return one(tls(tx).ja4, i, out); },
        "JA4 fingerprint of the client"),
};
#undef GET

// The version as this direction says it: the client's hello, the server's choice.
class TlsVersion : public Condition {
 public:
  explicit TlsVersion(std::vector<std::uint16_t> versions, bool negated)
      : versions_(std::move(versions)), negated_(negated) {}
  bool holds(const InspectContext& context) const override {
    if (context.tx == nullptr) return false;
    const std::uint16_t version = tls(*context.tx).version_of(context.direction);
    if (version == 0) return false;
    return (std::find(versions_.begin(), versions_.end(), version) != versions_.end()) != negated_;
  }
  bool needs_packet() const override { return false; }
  bool needs_transaction() const override { return true; }

 private:
  std::vector<std::uint16_t> versions_;
  bool negated_;
};

void add_version(RuleBuilder& builder, const lang::RuleOption& option, std::vector<std::uint16_t> versions,
                 bool negated) {
  if (!builder.require_protocols(kTls, option)) return;
  builder.add_condition(std::make_unique<TlsVersion>(std::move(versions), negated));
}

// tls.version:1.2, or the number in hex: 0x0303.
void apply_tls_version(RuleBuilder& builder, const lang::RuleOption& option) {
  static const std::pair<std::string_view, std::uint16_t> kVersions[] = {
      {"1.0", 0x0301}, {"1.1", 0x0302}, {"1.2", 0x0303}, {"1.3", 0x0304}};
  for (const auto& [name, number] : kVersions) {
    if (option.value == name) return add_version(builder, option, {number}, false);
  }
  const auto number = parse_number(option.value);
  if (!option.value.starts_with("0x") || !number || *number < 0 || *number > 0xffff) {
    builder.error(option, "tls-version", "unknown TLS version").hint =
        "1.0, 1.1, 1.2, 1.3, or its number as 0x0303";
    return;
  }
  add_version(builder, option, {static_cast<std::uint16_t>(*number)}, false);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

// The number `word` has in a table of names; reports when there is none.
template <class Table, class Number>
bool number_of(RuleBuilder& builder, const lang::RuleOption& option, const Part& word, const Table& table,
               std::string_view code, std::string_view what, Number& out) {
  const std::string wanted = lower(word.text);
  std::vector<std::string> names;
  for (const auto& [name, number] : table) {
    if (wanted == name) {
      out = number;
      return true;
    }
    names.emplace_back(name);
  }
  builder.error_at(option, word.at, word.text.size(), std::string(code), "unknown " + std::string(what))
      .hint = core::did_you_mean(wanted, names);
  return false;
}

bool take_negation(Part& part) {
  if (!part.text.starts_with('!')) return false;
  part = trim({part.text.substr(1), part.at + 1});
  return true;
}

// ssl_version:sslv3,tls1.0 or !tls1.3,tls1.2: a leading `!` stands for the whole list.
void apply_ssl_version(RuleBuilder& builder, const lang::RuleOption& option) {
  static const std::pair<std::string_view, std::uint16_t> kVersions[] = {
      {"sslv2", 0x0002},  {"sslv3", 0x0300},  {"tls1.0", 0x0301},
      {"tls1.1", 0x0302}, {"tls1.2", 0x0303}, {"tls1.3", 0x0304}};
  std::vector<std::uint16_t> versions;
  bool negated = false;
  for (Part part : split(option.value, ',')) {
    const std::size_t at = part.at;
    const bool here = take_negation(part);
    if (versions.empty()) negated = here;
    if (here && !negated) {
      builder.error_at(option, at, 1, "tls-version", "either all versions are negated or none").hint =
          "a `!` before the first version stands for the whole list";
      return;
    }
    if (!number_of(builder, option, part, kVersions, "tls-version", "TLS version", versions.emplace_back()))
      return;
  }
  add_version(builder, option, std::move(versions), negated);
}

// What the handshake is at. A negated state holds while it is not there.
class HandshakeState : public Condition {
 public:
  HandshakeState(std::uint16_t wanted, std::uint16_t negated) : wanted_(wanted), negated_(negated) {}
  bool holds(const InspectContext& context) const override {
    return context.tx != nullptr && ((wanted_ & tls(*context.tx).current) ^ negated_) != 0;
  }
  bool needs_packet() const override { return false; }
  bool needs_transaction() const override { return true; }

 private:
  std::uint16_t wanted_, negated_;  // bits of TlsTransaction::current; negated ones are in both
};

// ssl_state:client_hello|server_hello, separated by `|` or `,`, each with its own `!`.
void apply_ssl_state(RuleBuilder& builder, const lang::RuleOption& option) {
  static const std::pair<std::string_view, std::uint16_t> kStates[] = {
      {"client_hello", kTlsSeenClientHello},
      {"server_hello", kTlsSeenServerHello},
      {"client_keyx", kTlsSeenClientKeyExchange},
      {"server_keyx", kTlsSeenServerKeyExchange},
      {"unknown", kTlsSeenNothing}};
  std::uint16_t wanted = 0, negated = 0;
  const char separator = option.value.find('|') == std::string::npos ? ',' : '|';
  for (Part part : split(option.value, separator)) {
    const bool here = take_negation(part);
    std::uint16_t bit = 0;
    if (!number_of(builder, option, part, kStates, "ssl-state", "state of the handshake", bit)) return;
    wanted = static_cast<std::uint16_t>(wanted | bit);
    if (here) negated = static_cast<std::uint16_t>(negated | bit);
  }
  if (!builder.require_protocols(kTls, option)) return;
  builder.add_condition(std::make_unique<HandshakeState>(wanted, negated));
}

class ChainLength : public Condition {
 public:
  explicit ChainLength(const NumberTest& test) : test_(test) {}
  bool holds(const InspectContext& context) const override {
    if (context.tx == nullptr) return false;
    const std::size_t size = certificate(*context.tx, context.direction).chain.size();
    return size != 0 && test_.holds(size);
  }
  bool needs_packet() const override { return false; }
  bool needs_transaction() const override { return true; }

 private:
  NumberTest test_;
};

void apply_chain_length(RuleBuilder& builder, const lang::RuleOption& option) {
  NumberTest test;
  if (!builder.require_protocols(kTls, option)) return;
  if (!parse_number_test(builder, option, whole(option), 65535, test)) return;
  builder.add_condition(std::make_unique<ChainLength>(test));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"tls.version", ValueNeed::required, "the negotiated TLS version", apply_tls_version},
    {"ssl_version", ValueNeed::required, "one of these TLS versions", apply_ssl_version},
    {"ssl_state", ValueNeed::required, "what the handshake is at", apply_ssl_state},
    {"tls.cert_chain_len", ValueNeed::required, "certificates in the chain", apply_chain_length},
};

}  // namespace

std::span<const BufferDescriptor> buffer_family_tls_buffers() {
  return kBuffers;
}
std::span<const KeywordDescriptor> keyword_family_tls_buffers() {
  return kKeywords;
}

}  // namespace gatehouse::ids
