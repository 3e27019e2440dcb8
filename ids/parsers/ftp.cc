// FTP control connections: RFC 959, with RFC 2428 (EPRT, EPSV), RFC 3659 (MLSD), RFC 4217 (AUTH).
#include <algorithm>

#include "ids/parsers/ftp_session.h"
#include "ids/parsers/http_text.h"

namespace gatehouse::ids {
namespace ftp {
namespace {

constexpr std::array<std::uint16_t, 1> kPorts = {21};
// Of one transaction; a server that says more is listened to no further.
constexpr std::size_t kMostReplyLines = 512;
constexpr std::size_t kMostReplyBytes = 64 * 1024;
constexpr std::size_t kLongestCommand = 32;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return http::to_lower(c) >= 'a' && http::to_lower(c) <= 'z';
}
char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

void add_event(Transaction& tx, AppEvent event) {
  if (std::find(tx.events.begin(), tx.events.end(), event) == tx.events.end()) tx.events.push_back(event);
}

// The digits at the start of a reply; empty: it has none.
std::string_view reply_digits(std::string_view line) {
  const bool three = line.size() >= 3 && is_digit(line[0]) && is_digit(line[1]) && is_digit(line[2]);
  return three ? line.substr(0, 3) : std::string_view{};
}

// Telnet commands may stand before an urgent ABOR (RFC 959 3.1.6, RFC 854): IAC and one or two bytes.
std::string_view without_telnet(std::string_view line) {
  while (line.size() >= 2 && line[0] == '\xff') {
    const auto what = static_cast<unsigned char>(line[1]);
    line.remove_prefix(std::min<std::size_t>(what >= 251 && what <= 254 ? 3 : 2, line.size()));
  }
  return line;
}

bool is_transfer(std::string_view command) {
  constexpr std::string_view kTransfers[] = {"RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD"};
  return std::find(std::begin(kTransfers), std::end(kTransfers), command) != std::end(kTransfers);
}
bool moves_file(std::string_view command) {
  return command == "RETR" || command == "STOR" || command == "APPE" || command == "STOU";
}

}  // namespace

FtpSession::~FtpSession() {
  if (config_.memory) config_.memory->fetch_sub(charged_, std::memory_order_relaxed);
}

// Counts what transactions keep. Sessions share one limit; what a session took it gives back at its
// end, because it is the crowd of sessions that costs.
bool FtpSession::charge(std::size_t bytes) {
  if (config_.memcap == 0 || !config_.memory) return true;
  if (config_.memory->load(std::memory_order_relaxed) + bytes > config_.memcap) return false;
  config_.memory->fetch_add(bytes, std::memory_order_relaxed);
  charged_ += bytes;
  return true;
}

FtpTransaction* FtpSession::oldest_open() {
  for (const auto& tx : transactions_) {
    auto& candidate = static_cast<FtpTransaction&>(*tx);
    if (!candidate.done()) return &candidate;
  }
  return nullptr;
}

// Null: too many commands wait for their replies.
FtpTransaction* FtpSession::new_transaction() {
  const auto open = std::count_if(transactions_.begin(), transactions_.end(), [](const auto& tx) {
    return !static_cast<const FtpTransaction&>(*tx).done();
  });
  if (static_cast<std::uint64_t>(open) >= config_.max_transactions) {
    add_event(*transactions_.back(), kTooManyTransactions);
    return nullptr;
  }
  auto tx = std::make_unique<FtpTransaction>();
  tx->id = next_id_++;
  tx->progress = {kFtpOpen, kFtpOpen};
  transactions_.push_back(std::move(tx));
  return static_cast<FtpTransaction*>(transactions_.back().get());
}

bool FtpSession::on_data(Direction direction, ByteView data, std::int64_t /*time_us*/) {
  Side& side = sides_[index(direction)];
  std::string_view text = core::as_text(data);
  while (!text.empty()) {
    if (upgrade) {
      auto& rest = unread[index(direction)];
      rest.insert(rest.end(), text.begin(), text.end());
      return true;
    }
    const std::size_t lf = text.find('\n');
    const std::string_view part = text.substr(0, lf);
    const bool ends = lf != std::string_view::npos;
    text.remove_prefix(ends ? lf + 1 : text.size());
    if (side.skip_line) {
      side.skip_line = !ends;
      continue;
    }
    side.line.append(part.substr(0, config_.max_line_bytes - side.line.size()));
    const bool full = side.line.size() >= config_.max_line_bytes;
    if (!ends && !full) return true;
    side.skip_line = !ends;
    const std::string line = std::move(side.line);
    side.line.clear();
    if (!take_line(direction, line, full)) return false;
  }
  return true;
}

bool FtpSession::take_line(Direction direction, std::string_view line, bool truncated) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return direction == Direction::to_server ? take_command(line, truncated) : take_reply(line, truncated);
}

bool FtpSession::take_command(std::string_view line, bool truncated) {
  line = without_telnet(line);
  const std::size_t end =
      static_cast<std::size_t>(std::find_if_not(line.begin(), line.end(), is_letter) - line.begin());
  // What does not begin with a word is no command; the server's answer then stands alone.
  if (end == 0 || end > kLongestCommand || (end < line.size() && line[end] != ' ')) return true;
  if (!charge(sizeof(FtpTransaction) + line.size())) return false;
  FtpTransaction* tx = new_transaction();
  if (tx == nullptr) return false;
  for (const char c : line.substr(0, end)) tx->command.push_back(upper(c));
  line.remove_prefix(std::min(end + 1, line.size()));
  if (tx->command == "AUTH" && http::equal_nocase(line, "TLS")) {
    tx->command = "AUTH TLS";
    line = {};
  }
  tx->argument = std::string(line);
  tx->has_argument = !line.empty();
  tx->command_truncated = truncated;
  if (truncated) add_event(*tx, kRequestCommandTooLong);
  if (is_transfer(tx->command)) begin_transfer(*tx);
  return true;
}

// The data connection is opened about now: before the reply that says so is seen here.
void FtpSession::begin_transfer(FtpTransaction& tx) {
  if (data_.port == 0) {
    if (moves_file(tx.command)) add_event(tx, kFileBeforePort);
    return;
  }
  ExpectedFlow expected;
  expected.parser = "ftp-data";
  expected.opened = active_ ? Direction::to_client : Direction::to_server;
  expected.address = data_.address;
  expected.port = data_.port;
  expected.note =
      std::make_shared<TransferNote>(tx.command, moves_file(tx.command) ? tx.argument : std::string{});
  announced.push_back(std::move(expected));
  data_ = {};
  active_ = false;
}

bool FtpSession::take_reply(std::string_view line, bool truncated) {
  const std::string_view digits = reply_digits(line);
  if (line.empty() && open_reply_.empty()) return true;
  FtpTransaction* tx = oldest_open();
  if (tx == nullptr) {
    if (!charge(sizeof(FtpTransaction))) return false;
    tx = new_transaction();
    if (tx == nullptr) return false;
  }
  if (truncated) {
    tx->reply_truncated = true;
    add_event(*tx, kResponseCommandTooLong);
  }
  std::size_t kept = line.size();
  for (const FtpReplyLine& reply : tx->replies) kept += reply.line.size();
  if (tx->replies.size() >= kMostReplyLines || kept > kMostReplyBytes) {
    tx->reply_truncated = true;
  } else {
    if (!charge(line.size())) return false;
    tx->replies.push_back({std::string(line)});
  }
  // A reply of several lines begins with its code and a hyphen, and ends with the same code and a
  // blank (RFC 959 4.2).
  if (open_reply_.empty() && !digits.empty() && line.size() > 3 && line[3] == '-') {
    open_reply_ = std::string(digits);
    return true;
  }
  const bool last = !digits.empty() && (line.size() == 3 || line[3] == ' ');
  if (!open_reply_.empty() && !(last && digits == open_reply_)) return true;
  open_reply_.clear();
  settle_data_port(*tx, digits, line);
  // 1xx: the last reply is still to come.
  if (last && digits[0] == '1') return true;
  tx->progress = {kFtpComplete, kFtpComplete};
  if (tx->command.starts_with("AUTH") && digits == "234") {
    upgrade = true;
    upgrade_to = "tls";
  }
  return true;
}

void FtpSession::settle_data_port(FtpTransaction& tx, std::string_view code, std::string_view text) {
  if (code.empty() || code[0] != '2' || !tx.sets_data_port()) return;
  std::optional<DataAddress> address;
  tx.active = tx.command == "PORT" || tx.command == "EPRT";
  if (tx.command == "PORT") {
    address = parse_host_port(tx.argument);
  } else if (tx.command == "EPRT") {
    address = parse_extended_port(tx.argument);
  } else if (tx.command == "PASV") {
    address = parse_host_port(text.substr(3));
  } else if (const auto port = parse_passive_port(text)) {
    address = DataAddress{{}, *port};
  }
  if (!address || address->port == 0) {
    tx.active = false;
    return;
  }
  data_ = *address;
  active_ = tx.active;
  tx.dynamic_port = address->port;
  if (tx.active) tx.port_address = address->address;
}

bool FtpSession::on_gap(Direction direction, std::uint64_t /*bytes*/) {
  Side& side = sides_[index(direction)];
  side.line.clear();
  side.skip_line = true;
  if (direction == Direction::to_client) open_reply_.clear();
  return true;
}

void FtpSession::on_end(Direction direction) {
  Side& side = sides_[index(direction)];
  const std::string line = std::move(side.line);
  side.line.clear();
  if (!line.empty() && !upgrade) (void)take_line(direction, line, false);
}

namespace {

// Only what FTP alone begins with, on any port: its greeting is also that of mail servers.
ProbeVerdict probe_client(std::string_view text) {
  constexpr std::string_view kStarts[] = {"USER ", "PASS ", "PORT ", "AUTH TLS", "AUTH SSL", "FEAT\r\n"};
  ProbeVerdict verdict = ProbeVerdict::no;
  for (const std::string_view start : kStarts) {
    const std::size_t count = std::min(text.size(), start.size());
    if (!http::equal_nocase(text.substr(0, count), start.substr(0, count))) continue;
    if (count == start.size()) return ProbeVerdict::yes;
    verdict = ProbeVerdict::maybe;
  }
  return verdict;
}

// A greeting that says what it is, or the answer to USER behind it.
ProbeVerdict probe_server(std::string_view text) {
  constexpr std::string_view kGreeting = "220";
  if (text.substr(0, 3) != kGreeting.substr(0, std::min<std::size_t>(3, text.size())))
    return ProbeVerdict::no;
  if (text.size() > 3 && text[3] != ' ' && text[3] != '-') return ProbeVerdict::no;
  const std::size_t lf = text.find('\n');
  if (lf == std::string_view::npos) return ProbeVerdict::maybe;
  const std::string_view first = text.substr(0, lf);
  if (http::find_nocase(first, "SMTP") != std::string_view::npos) return ProbeVerdict::no;
  if (http::find_nocase(first, "FTP") != std::string_view::npos || first.starts_with("220 ("))
    return ProbeVerdict::yes;
  for (std::size_t at = lf; at != std::string_view::npos; at = text.find('\n', at + 1)) {
    const std::string_view next = text.substr(at + 1, 4);
    if (next == "331 " || next == "230 " || next == "530 " || next == "234 ") return ProbeVerdict::yes;
    if (next == "250 " || next == "250-" || next == "354 ") return ProbeVerdict::no;
  }
  return ProbeVerdict::maybe;
}

ProbeVerdict probe(ByteView data, Direction direction, AppTransport /*transport*/) {
  const std::string_view text = core::as_text(data);
  return direction == Direction::to_server ? probe_client(text) : probe_server(text);
}

// Beside a client that speaks FTP, any reply will do.
ProbeVerdict confirm(ByteView data, Direction direction) {
  const std::string_view text = core::as_text(data);
  if (direction == Direction::to_server) {
    const std::size_t word =
        static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_letter) - text.begin());
    if (word == text.size()) return word < 3 ? ProbeVerdict::maybe : ProbeVerdict::yes;
    return word >= 3 ? ProbeVerdict::yes : ProbeVerdict::no;
  }
  const auto digits = std::find_if_not(text.begin(), text.end(), is_digit) - text.begin();
  if (digits < 3)
    return static_cast<std::size_t>(digits) == text.size() ? ProbeVerdict::maybe : ProbeVerdict::no;
  return ProbeVerdict::yes;
}

std::unique_ptr<Session> make_session(const ParserConfig& config, AppTransport /*transport*/) {
  return std::make_unique<FtpSession>(config.ftp);
}

bool ready_to_log(const Transaction& tx) {
  return tx.progress[0] == kFtpComplete;
}

}  // namespace
}  // namespace ftp

extern const ParserDescriptor parser_ftp;
const ParserDescriptor parser_ftp = {
    .name = "ftp",
    .event_type = "ftp",
    .spec = "RFC 959",
    .transport = AppTransport::tcp,
    .default_ports = ftp::kPorts,
    .probe = ftp::probe,
    .confirm = ftp::confirm,
    .make_session = ftp::make_session,
    .complete = {kFtpComplete, kFtpComplete},
    .event_names = ftp::kFtpEventNames,
    .upper_case_events = false,
    .first_data = std::nullopt,
    .ports_only = false,
    .write_log = ftp::write_ftp_log,
    .log_records = nullptr,
    .ready_to_log = ftp::ready_to_log,
};

}  // namespace gatehouse::ids
