// SSH: RFC 4253. Reads the identification lines and the records in the clear, up to NEWKEYS.
#include <algorithm>
#include <array>

#include "ids/parsers/ssh_transaction.h"
#include "ids/parsers/x509.h"

namespace gatehouse::ids {
namespace {

using core::ByteReader;

constexpr std::array<std::uint16_t, 1> kPorts = {22};

enum SshEvent : AppEvent { kInvalidBanner, kLongBanner, kInvalidRecord, kLongKexRecord, kSshEventCount };
constexpr std::array<std::string_view, kSshEventCount> kEventNames = {
    "ssh.invalid_banner", "ssh.long_banner", "ssh.invalid_record", "ssh.long_kex_record"};

constexpr std::string_view kMagic = "SSH-";
constexpr std::size_t kLongestBanner = 255;     // RFC 4253 4.2, with the line end; beyond: event
constexpr std::size_t kKeptBanner = 4096;       // of a longer one
constexpr std::size_t kMostOtherLines = 16384;  // bytes of text before the banner
constexpr std::size_t kRecordHeader = 6;        // length, padding length, message number
constexpr std::uint32_t kLongestKexRecord = 65535;
constexpr std::uint8_t kKexInit = 20;
constexpr std::uint8_t kNewKeys = 21;

class SshSession final : public Session {
 public:
  explicit SshSession(const SshConfig& config) : config_(config) {
    auto tx = std::make_unique<SshTransaction>();
    tx->id = next_id_++;
    tx->wait_for_keys = config.hassh.value_or(false);
    transactions_.push_back(std::move(tx));
  }

  bool on_data(Direction d, ByteView data, std::int64_t /*time_us*/) override {
    SshTransaction* tx = transaction();
    Side& s = sides_[index(d)];
    if (tx == nullptr || s.stage == Stage::stopped) return false;
    while (!data.empty() && s.stage < Stage::encrypted) {
      if (s.stage == Stage::banner) {
        data = banner(d, s, *tx, data);
      } else {
        data = records(d, s, *tx, data);
      }
    }
    return s.stage != Stage::stopped;
  }

  bool on_gap(Direction d, std::uint64_t bytes) override {
    Side& s = sides_[index(d)];
    if (s.stage == Stage::encrypted) return true;
    if (s.stage == Stage::records && s.skip >= bytes) {
      s.skip -= static_cast<std::uint32_t>(bytes);
      return true;
    }
    stop(d, s);
    return false;
  }

  void on_end(Direction d) override {
    Side& s = sides_[index(d)];
    SshTransaction* tx = transaction();
    // Too long a line is taken for what it was going to be.
    if (tx != nullptr && s.stage == Stage::banner && s.line_size > kLongestBanner) line(d, s, *tx);
    finish(d);
  }

 private:
  enum class Stage : std::uint8_t { banner, records, encrypted, stopped };
  struct Side {
    Stage stage = Stage::banner;
    std::vector<std::uint8_t> held;  // the line, or the record, so far
    std::size_t line_size = 0;       // of the line, also of what is not kept
    std::size_t other_lines = 0;     // bytes of text before the banner
    std::uint32_t skip = 0;          // bytes of a record that is not looked into
    std::size_t want = kRecordHeader;
  };

  SshTransaction* transaction() {
    return transactions_.empty() ? nullptr : static_cast<SshTransaction*>(transactions_.front().get());
  }

  static void event(SshTransaction& tx, SshEvent e) {
    if (std::find(tx.events.begin(), tx.events.end(), e) == tx.events.end()) tx.events.push_back(e);
  }

  static void advance(SshTransaction& tx, Direction d, std::uint8_t progress) {
    tx.progress[index(d)] = std::max(tx.progress[index(d)], progress);
  }

  void finish(Direction d) {
    if (SshTransaction* tx = transaction()) advance(*tx, d, kSshFinished);
  }
  void stop(Direction d, Side& s) {
    s.stage = Stage::stopped;
    s.held = {};
    finish(d);
  }

  // Takes bytes up to the end of the line; returns the rest.
  ByteView banner(Direction d, Side& s, SshTransaction& tx, ByteView data) {
    const auto end = std::find(data.begin(), data.end(), std::uint8_t{'\n'});
    const auto size = static_cast<std::size_t>(end - data.begin());
    const std::size_t kept = std::min(size, kKeptBanner - std::min(kKeptBanner, s.held.size()));
    s.held.insert(s.held.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(kept));
    s.line_size += size;
    if (end == data.end()) {
      if (s.line_size > kLongestBanner) event(tx, kLongBanner);
      return {};
    }
    line(d, s, tx);
    return data.subspan(size + 1);
  }

  // The line is complete, or given up as endless.
  void line(Direction d, Side& s, SshTransaction& tx) {
    if (s.line_size > kLongestBanner) event(tx, kLongBanner);
    std::string_view text = core::as_text(s.held);
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (!text.starts_with(kMagic)) {
      // RFC 4253 4.2: a server may send other lines first. Not seen with the usual software.
      event(tx, kInvalidBanner);
      s.other_lines += s.line_size + 1;
      s.held.clear();
      s.line_size = 0;
      if (d == Direction::to_server || s.other_lines > kMostOtherLines) stop(d, s);
      return;
    }
    text.remove_prefix(kMagic.size());
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos || dash == 0) {
      event(tx, kInvalidBanner);
      return stop(d, s);
    }
    SshTransaction::Side& out = tx.sides[index(d)];
    out.protocol = text.substr(0, dash);
    out.software = text.substr(dash + 1, text.find_first_of(" \r", dash + 1) - dash - 1);
    s.held.clear();
    s.stage = Stage::records;
    advance(tx, d, kSshBanner);
    // The records of version 1 are others; 1.99 means that both are spoken.
    if (out.protocol.starts_with('1') && out.protocol != "1.99") stop(d, s);
  }

  ByteView records(Direction d, Side& s, SshTransaction& tx, ByteView data) {
    if (s.skip > 0) {
      const std::size_t count = std::min<std::size_t>(s.skip, data.size());
      s.skip -= static_cast<std::uint32_t>(count);
      return data.subspan(count);
    }
    const std::size_t count = std::min(data.size(), s.want - s.held.size());
    s.held.insert(s.held.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(count));
    if (s.held.size() < s.want) return {};
    if (s.want == kRecordHeader) {
      header(d, s, tx);
    } else {
      key_exchange(d, s, tx);
      next_record(s);
    }
    return data.subspan(count);
  }

  static void next_record(Side& s) {
    s.held.clear();
    s.want = kRecordHeader;
  }

  // RFC 4253 6: the length counts what follows it.
  void header(Direction d, Side& s, SshTransaction& tx) {
    ByteReader r(s.held);
    const std::uint32_t length = r.u32();
    r.skip(1);
    const std::uint8_t message = r.u8();
    if (length < 2) {
      event(tx, kInvalidRecord);
      return stop(d, s);
    }
    if (message == kNewKeys) return new_keys(d, s, tx);
    if (message == kKexInit && length > kLongestKexRecord) event(tx, kLongKexRecord);
    if (message == kKexInit && length <= kLongestKexRecord && length > 2 && config_.hassh.value_or(false)) {
      s.want = 4 + std::size_t{length};
      return;
    }
    if (message >= kKexInit) advance(tx, d, kSshKeyExchange);
    s.skip = length - 2;
    next_record(s);
  }

  void new_keys(Direction d, Side& s, SshTransaction& tx) {
    s.stage = Stage::encrypted;
    s.held = {};
    advance(tx, d, kSshFinished);
    if (sides_[0].stage != Stage::encrypted || sides_[1].stage != Stage::encrypted) return;
    bypass = true;
    opaque = config_.encrypted != EncryptedData::full;
    leave_alone = config_.encrypted == EncryptedData::bypass;
  }

  // RFC 4253 7.1. Both fingerprints take what the sender offers for its own direction.
  void key_exchange(Direction d, const Side& s, SshTransaction& tx) {
    advance(tx, d, kSshKeyExchange);
    ByteReader r(s.held);
    const std::size_t padding = ByteView(s.held)[4];
    r.skip(kRecordHeader + 16);  // the cookie is random
    std::array<std::string_view, 8> lists;
    for (std::string_view& list : lists) list = core::as_text(r.bytes(r.u32()));
    if (!r.ok() || r.remaining() < padding) return event(tx, kInvalidRecord);
    const std::size_t own = d == Direction::to_server ? 0 : 1;
    SshTransaction::Side& out = tx.sides[index(d)];
    if (!out.hassh.empty()) return;
    out.hassh_string = lists[0];
    for (const std::size_t i : {2 + own, 4 + own, 6 + own}) out.hassh_string.append(";").append(lists[i]);
    out.hassh = tls::md5_hex(out.hassh_string);
  }

  const SshConfig config_;
  std::array<Side, 2> sides_;
};

ProbeVerdict probe(ByteView data, Direction /*direction*/, AppTransport /*transport*/) {
  const std::size_t size = std::min(data.size(), kMagic.size());
  if (core::as_text(data.first(size)) != kMagic.substr(0, size)) return ProbeVerdict::no;
  return size < kMagic.size() ? ProbeVerdict::maybe : ProbeVerdict::yes;
}

std::unique_ptr<Session> make_session(const ParserConfig& config, AppTransport /*transport*/) {
  return std::make_unique<SshSession>(config.ssh);
}

const SshTransaction& ssh(const Transaction& tx) {
  return static_cast<const SshTransaction&>(tx);
}

bool ready_to_log(const Transaction& tx) {
  const std::uint8_t due = ssh(tx).wait_for_keys ? kSshFinished : kSshBanner;
  return tx.progress[0] >= due && tx.progress[1] >= due;
}

unsigned log_records(const Transaction& tx, const LogOptions& /*options*/) {
  return ssh(tx).sides[0].protocol.empty() && ssh(tx).sides[1].protocol.empty() ? 0 : 1;
}

void write_log(const Transaction& tx, const LogOptions& /*options*/, core::JsonWriter& json) {
  constexpr std::array<std::string_view, 2> kSides = {"client", "server"};
  for (std::size_t i = 0; i < 2; ++i) {
    const SshTransaction::Side& side = ssh(tx).sides[i];
    if (side.protocol.empty()) continue;
    json.key(kSides[i]).begin_object().field("proto_version", side.protocol);
    if (!side.software.empty()) json.field("software_version", side.software);
    if (!side.hassh.empty()) {
      json.key("hassh").begin_object().field("hash", side.hassh).field("string", side.hassh_string);
      json.end_object();
    }
    json.end_object();
  }
}

}  // namespace

extern const ParserDescriptor parser_ssh;
const ParserDescriptor parser_ssh = {
    .name = "ssh",
    .event_type = "ssh",
    .spec = "RFC 4253",
    .transport = AppTransport::tcp,
    .default_ports = kPorts,
    .probe = probe,
    .make_session = make_session,
    .complete = {kSshFinished, kSshFinished},
    .event_names = kEventNames,
    .upper_case_events = false,
    .first_data = std::nullopt,
    .ports_only = false,
    .write_log = write_log,
    .log_records = log_records,
    .ready_to_log = ready_to_log,
};

}  // namespace gatehouse::ids
