// TLS 1.0 to 1.3, SSL 3.0 and the SSL 2.0 hello: RFC 8446, RFC 5246, RFC 6101. Reads the handshake
// up to the change to encryption, and only record headers after it.
#include <algorithm>
#include <array>

#include "ids/parsers/tls_events.h"
#include "ids/parsers/tls_hello.h"
#include "ids/parsers/tls_log.h"
#include "ids/parsers/x509.h"

namespace gatehouse::ids {
namespace {

using core::ByteReader;
using enum tls::TlsEvent;
using tls::TlsEvent;

constexpr std::array<std::uint16_t, 1> kPorts = {443};

enum RecordType : std::uint8_t {
  kChangeCipherSpec = 20,
  kAlert = 21,
  kHandshake = 22,
  kApplicationData = 23,
  kHeartbeat = 24
};
enum HandshakeType : std::uint8_t {
  kHelloRequest = 0,
  kClientHello = 1,
  kServerHello = 2,
  kCertificate = 11,
  kServerKeyExchange = 12,
  kServerHelloDone = 14,
  kClientKeyExchange = 16
};

constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMaxRecord = 16384 + 2048;
constexpr unsigned kMaxRecordsPerCall = 255;

bool known_version(std::uint16_t version) {
  const unsigned major = version >> 8U;
  return (version >= 0x0300 && version <= 0x0304) || major == 0x7f || major == 0xfb;
}

// IANA TLS HandshakeType: hellos and tickets, the key exchange, what ends it, and extensions of it.
bool known_handshake(std::uint8_t type) {
  return type <= 6 || type == 8 || (type >= 11 && type <= 16) || (type >= 20 && type <= 25) || type == 67 ||
         type == 203 || type == 254;
}

class TlsSession final : public Session {
 public:
  explicit TlsSession(const TlsConfig& config) : config_(config) {
    auto tx = std::make_unique<TlsTransaction>();
    tx->id = next_id_++;
    tx->progress = {kTlsOpen, kTlsOpen};
    transactions_.push_back(std::move(tx));
  }

  bool on_data(Direction d, ByteView data, std::int64_t /*time_us*/) override {
    TlsTransaction* tx = transaction();
    Side& s = sides_[index(d)];
    if (s.stopped) return false;
    if (tx == nullptr) return after(d, s, data);
    unsigned records = 0;
    while (!data.empty() && !s.stopped) {
      if (s.skip > 0) {
        const std::size_t count = std::min<std::uint64_t>(s.skip, data.size());
        s.skip -= count;
        data = data.subspan(count);
        continue;
      }
      // Collect one record: its header, then as much as the header says.
      const std::size_t count = std::min(data.size(), s.want - s.record.size());
      s.record.insert(s.record.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(count));
      data = data.subspan(count);
      if (s.record.size() < s.want) break;
      if (!s.have_header) {
        header(d, s, *tx);
        if (s.have_header && s.want > s.record.size()) continue;
      }
      if (s.stopped) break;
      if (s.have_header) {
        if (++records > kMaxRecordsPerCall) event(*tx, kTooManyRecordsInPacket);
        record(d, s, *tx);
        s.next_record();
      }
    }
    update_bypass(*tx);
    return !s.stopped;
  }

  Deeds deeds() const override { return deeds_; }

  bool on_gap(Direction d, std::uint64_t bytes) override {
    Side& s = sides_[index(d)];
    // Lost bytes inside a record that is not looked into change nothing.
    if (!s.stopped && s.skip >= bytes) {
      s.skip -= bytes;
      return true;
    }
    s.stopped = true;
    on_end(d);
    return false;
  }

  void on_end(Direction d) override {
    if (TlsTransaction* tx = transaction()) advance(*tx, d, kTlsComplete);
  }

 private:
  struct Side {
    std::vector<std::uint8_t> record;  // header and content so far
    std::size_t want = kRecordHeader;  // bytes `record` must have for the next step
    bool have_header = false;
    bool sslv2 = false;                   // the record at hand has a 2-byte SSL 2.0 header
    std::uint64_t skip = 0;               // bytes of a record that is not looked into
    std::vector<std::uint8_t> handshake;  // messages may span records
    std::uint64_t skip_handshake = 0;     // rest of a message that is too long to look into
    bool first = true;
    bool encrypted = false;
    bool stopped = false;

    void next_record() {
      record.clear();
      want = kRecordHeader;
      have_header = sslv2 = false;
    }
  };

  // The handshake is told of and gone: until data flows, keys may change again.
  bool after(Direction d, Side& s, ByteView data) {
    while (!data.empty()) {
      const std::size_t skipped = std::min<std::uint64_t>(s.skip, data.size());
      s.skip -= skipped;
      data = data.subspan(skipped);
      const std::size_t count =
          std::min(data.size(), kRecordHeader - std::min(kRecordHeader, s.record.size()));
      s.record.insert(s.record.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(count));
      data = data.subspan(count);
      if (s.record.size() < kRecordHeader) break;
      const std::uint8_t type = s.record[0];
      if (!s.encrypted || s.record.size() > kRecordHeader || type < kChangeCipherSpec || type > kHandshake) {
        s.stopped = true;
        return false;
      }
      if (type == kChangeCipherSpec && d == Direction::to_server) ++deeds_.key_changes;
      s.skip = s.record[3] * 256U + s.record[4];
      s.next_record();
    }
    return true;
  }

  TlsTransaction* transaction() {
    return transactions_.empty() ? nullptr : static_cast<TlsTransaction*>(transactions_.front().get());
  }

  static void event(TlsTransaction& tx, TlsEvent e) {
    if (std::find(tx.events.begin(), tx.events.end(), e) == tx.events.end()) tx.events.push_back(e);
  }

  static void advance(TlsTransaction& tx, Direction d, std::uint8_t progress) {
    tx.progress[index(d)] = std::max(tx.progress[index(d)], progress);
  }

  // `record` holds a header: how long is it, and is it looked into at all?
  void header(Direction d, Side& s, TlsTransaction& tx) {
    const std::uint8_t type = s.record[0];
    const auto version = static_cast<std::uint16_t>(s.record[1] << 8U | s.record[2]);
    const std::size_t length = s.record[3] * 256U + s.record[4];
    if (s.first && (type & 0x80U) != 0 && s.record[2] == kClientHello) {
      s.sslv2 = s.have_header = true;
      s.want = 2U + (type & 0x7fU) * 256U + s.record[1];
      s.first = false;
      if (s.want < kRecordHeader || s.want > kMaxRecord) refuse(d, s, tx, kInvalidSslv2Header);
      return;
    }
    if (s.first && !known_version(version)) event(tx, kInvalidTlsHeader);
    s.first = false;
    if (type < kChangeCipherSpec || type > kHeartbeat) return refuse(d, s, tx, kInvalidRecordType);
    if (!known_version(version)) return refuse(d, s, tx, kInvalidRecordVersion);
    if (length > kMaxRecord) return refuse(d, s, tx, kInvalidRecordLength);
    tx.record_version[index(d)] = version;
    s.have_header = true;
    s.want = kRecordHeader + length;
    // TLS 1.3 needs no such record: then the first that is encrypted says that the handshake is done.
    if (d == Direction::to_server &&
        (type == kChangeCipherSpec || (type == kApplicationData && !s.encrypted)))
      ++deeds_.key_changes;
    const bool readable = !s.encrypted && type != kApplicationData;
    if (readable || length == 0) return;
    if (type == kHeartbeat) encrypted_heartbeat(d, tx, length);
    if (type == kApplicationData) {
      encrypted(d, s, tx);
      application_data_ = true;
    }
    s.skip = length;
    s.next_record();
  }

  void refuse(Direction d, Side& s, TlsTransaction& tx, TlsEvent e) {
    event(tx, e);
    event(tx, kInvalidSslRecord);
    s.stopped = true;
    advance(tx, d, kTlsComplete);
  }

  void record(Direction d, Side& s, TlsTransaction& tx) {
    const ByteView content =
        ByteView(s.record).subspan(std::min<std::size_t>(kRecordHeader, s.record.size()));
    if (s.sslv2) {
      if (!tls::parse_sslv2_client_hello(ByteView(s.record).subspan(2), tx))
        return event(tx, kInvalidSslv2Header);
      hello_seen(d, tx);
      tx.record_version[index(d)] = tx.client_version;
      if (tx.version == 0) tx.version = tx.client_version;
      return;
    }
    switch (s.record[0]) {
      case kChangeCipherSpec:
        tx.change_cipher_spec = true;
        if (tx.version < 0x0304 || d == Direction::to_server) change_cipher(d, s, tx);
        break;
      case kAlert:
        if (content.size() < 2) event(tx, kInvalidAlertMessage);
        if (content.size() >= 2 && content[0] == 2) event(tx, kErrorMessageEncountered);
        break;
      case kHandshake:
        handshake(d, s, tx, content);
        break;
      case kHeartbeat:
        heartbeat(d, tx, content);
        break;
      default:
        break;
    }
  }

  void change_cipher(Direction d, Side& s, TlsTransaction& tx) {
    const bool server = d == Direction::to_client;
    if (server && !tx.certificate[1].parsed && tx.certificate[1].chain.empty() &&
        (tx.seen & kTlsSeenServerHello) != 0 && tx.version < 0x0304 &&
        (tx.session_echoed || tx.client_ticket)) {
      tx.session_resumed = true;
    }
    encrypted(d, s, tx);
  }

  void encrypted(Direction d, Side& s, TlsTransaction& tx) {
    s.encrypted = true;
    s.handshake.clear();
    tx.seen |= kTlsSeenEncrypted;
    advance(tx, d, kTlsHandshakeDone);
  }

  void update_bypass(TlsTransaction& tx) {
    if (!sides_[0].encrypted || !sides_[1].encrypted) return;
    advance(tx, Direction::to_server, kTlsComplete);
    advance(tx, Direction::to_client, kTlsComplete);
    // Before that, alerts and heartbeats tell something although they are encrypted: their lengths.
    if (!application_data_) return;
    bypass = true;
    opaque = config_.encrypted != EncryptedData::full;
    leave_alone = config_.encrypted == EncryptedData::bypass;
  }

  void handshake(Direction d, Side& s, TlsTransaction& tx, ByteView content) {
    const std::size_t skipped = std::min<std::uint64_t>(s.skip_handshake, content.size());
    s.skip_handshake -= skipped;
    content = content.subspan(skipped);
    s.handshake.insert(s.handshake.end(), content.begin(), content.end());
    std::size_t at = 0;
    while (s.handshake.size() - at >= 4 && !s.encrypted) {
      ByteReader r(ByteView(s.handshake).subspan(at));
      const std::uint8_t type = r.u8();
      const std::size_t length = r.u24();
      if (!known_handshake(type)) {
        // Where the next message begins, nobody knows.
        event(tx, kInvalidHandshakeMessage);
        s.handshake.clear();
        return;
      }
      if (length > config_.max_handshake_bytes) {
        event(tx, kHandshakeInvalidLength);
        const std::size_t here = std::min<std::size_t>(length, r.remaining());
        s.skip_handshake = length - here;
        at += 4 + here;
        continue;
      }
      if (r.remaining() < length) break;
      message(d, tx, type, r.bytes(length));
      at += 4 + length;
    }
    at = std::min(at, s.handshake.size());
    s.handshake.erase(s.handshake.begin(), s.handshake.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void message(Direction d, TlsTransaction& tx, std::uint8_t type, ByteView body) {
    const bool from_client = d == Direction::to_server;
    switch (type) {
      case kClientHello:
        if (!from_client || (tx.seen & kTlsSeenClientHello) != 0) break;  // the first hello counts
        client_hello(tx, body);
        break;
      case kServerHello:
        if (from_client) break;
        if (!tls::parse_server_hello(body, tx)) event(tx, kInvalidHandshakeMessage);
        hello_seen(d, tx);
        break;
      case kCertificate:
        certificate(d, tx, body);
        break;
      case kServerKeyExchange:
        saw(tx, kTlsSeenServerKeyExchange);
        break;
      case kClientKeyExchange:
        saw(tx, kTlsSeenClientKeyExchange);
        advance(tx, d, kTlsCertificate);
        break;
      case kServerHelloDone:
        advance(tx, d, kTlsCertificate);
        break;
      default:
        break;
    }
  }

  // Until the server has chosen: what the client likes best (RFC 8446 4.2.1), GREASE left out.
  static std::uint16_t wanted_version(const TlsTransaction& tx) {
    const auto& offered = tx.client_supported_versions;
    const auto best = std::find_if(offered.begin(), offered.end(), known_version);
    return best == offered.end() ? tx.client_version : *best;
  }

  void client_hello(TlsTransaction& tx, ByteView body) {
    tls::HelloFindings findings;
    if (!tls::parse_client_hello(body, tx, findings)) event(tx, kInvalidHandshakeMessage);
    if (findings.multiple_sni) event(tx, kMultipleSniExtensions);
    if (findings.bad_sni_type) event(tx, kInvalidSniType);
    if (findings.bad_sni_length) event(tx, kInvalidSniLength);
    if (tx.version == 0) tx.version = wanted_version(tx);
    tls::make_client_fingerprints(tx);
    hello_seen(Direction::to_server, tx);
  }

  static void saw(TlsTransaction& tx, std::uint16_t message) {
    tx.seen |= message;
    tx.current = message;
  }

  static void hello_seen(Direction d, TlsTransaction& tx) {
    saw(tx, d == Direction::to_server ? kTlsSeenClientHello : kTlsSeenServerHello);
    advance(tx, d, kTlsHello);
  }

  // RFC 5246 7.4.2. (TLS 1.3 encrypts this message.)
  void certificate(Direction d, TlsTransaction& tx, ByteView body) {
    TlsCertificate& out = tx.certificate[index(d)];
    ByteReader r(body);
    ByteReader list(r.bytes(r.u24()));
    if (!r.ok()) event(tx, kCertificateInvalidLength);
    while (r.ok() && !list.at_end() && out.chain.size() < config_.max_chain) {
      const ByteView der = list.bytes(list.u24());
      if (!list.ok()) {
        event(tx, kCertificateInvalidLength);
        break;
      }
      out.chain.emplace_back(der.begin(), der.end());
    }
    if (!out.chain.empty() && !out.parsed && !tls::parse_certificate(out.chain.front(), out)) {
      event(tx, tls::event_of(tls::find_certificate_fault(out.chain.front())));
    }
    if (out.parsed && (out.not_before.empty() || out.not_after.empty())) event(tx, kCertificateInvalidDate);
    if (out.too_many_names) event(tx, kTooManyAlternativeNames);
    if (out.parsed && (out.subject.empty() || out.issuer.empty())) event(tx, kCertificateMissingElement);
    advance(tx, d, kTlsCertificate);
  }

  // RFC 6520: type, length of the payload, payload, at least 16 bytes of padding.
  void heartbeat(Direction d, TlsTransaction& tx, ByteView content) {
    event(tx, kHeartbeatMessage);
    ByteReader r(content);
    const std::uint8_t type = r.u8();
    const std::size_t payload = r.u16();
    if (!r.ok() || (type != 1 && type != 2)) return event(tx, kInvalidHeartbeatMessage);
    if (payload + 3 > content.size()) event(tx, kOverflowHeartbeatMessage);
    remember_heartbeat(d, tx, content.size());
  }

  void encrypted_heartbeat(Direction d, TlsTransaction& tx, std::size_t length) {
    remember_heartbeat(d, tx, length);
  }

  // An answer longer than the question has more in it than was sent.
  void remember_heartbeat(Direction d, TlsTransaction& tx, std::size_t length) {
    if (heartbeat_bytes_ > 0 && d != heartbeat_from_) {
      if (length > heartbeat_bytes_) event(tx, kDataleakHeartbeatMismatch);
      heartbeat_bytes_ = 0;
      return;
    }
    heartbeat_from_ = d;
    heartbeat_bytes_ = length;
  }

  const TlsConfig config_;
  std::array<Side, 2> sides_;
  Direction heartbeat_from_ = Direction::to_server;
  std::size_t heartbeat_bytes_ = 0;
  Deeds deeds_;
  bool application_data_ = false;
};

ProbeVerdict probe(ByteView data, Direction direction, AppTransport /*transport*/) {
  const bool from_client = direction == Direction::to_server;
  // SSL 2.0 hello: two bytes of length, type, version.
  if (from_client && (data[0] & 0x80U) != 0) {
    if (data.size() < 5)
      return data.size() >= 3 && data[2] != kClientHello ? ProbeVerdict::no : ProbeVerdict::maybe;
    const bool hello =
        data[2] == kClientHello && ((data[3] == 3 && data[4] <= 4) || (data[3] == 0 && data[4] == 2));
    return hello ? ProbeVerdict::yes : ProbeVerdict::no;
  }
  if (data[0] != kHandshake && data[0] != kAlert && data[0] != kApplicationData) return ProbeVerdict::no;
  if (data.size() >= 2 && data[1] != 3) return ProbeVerdict::no;
  if (data.size() >= 3 && data[2] > 4) return ProbeVerdict::no;
  if (data.size() < 6) return ProbeVerdict::maybe;
  const std::size_t length = data[3] * 256U + data[4];
  if (length == 0 || length > kMaxRecord) return ProbeVerdict::no;
  if (data[0] == kHandshake && data[5] != kClientHello && data[5] != kServerHello &&
      data[5] != kHelloRequest && data[5] != kCertificate) {
    return ProbeVerdict::no;
  }
  return ProbeVerdict::yes;
}

std::unique_ptr<Session> make_session(const ParserConfig& config, AppTransport /*transport*/) {
  return std::make_unique<TlsSession>(config.tls);
}

// Once the server's certificate is there, or will not come in the clear.
bool ready_to_log(const Transaction& tx) {
  return tx.progress[0] >= kTlsHello && tx.progress[1] >= kTlsCertificate;
}

}  // namespace

extern const ParserDescriptor parser_tls;
const ParserDescriptor parser_tls = {
    .name = "tls",
    .event_type = "tls",
    .spec = "RFC 8446",
    .transport = AppTransport::tcp,
    .default_ports = kPorts,
    .probe = probe,
    .make_session = make_session,
    .complete = {kTlsComplete, kTlsComplete},
    .event_names = tls::kEventNames,
    .upper_case_events = true,
    .first_data = Direction::to_server,
    .ports_only = false,
    .write_log = tls::write_tls_log,
    .log_records = nullptr,
    .ready_to_log = ready_to_log,
};

}  // namespace gatehouse::ids
