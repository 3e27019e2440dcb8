#include "ids/parsers/smtp_session.h"

#include <algorithm>

namespace gatehouse::ids::smtp {
namespace {

constexpr std::size_t kMaxPending = 1024;
constexpr std::size_t kMaxRecipients = 1000;
constexpr std::size_t kMaxRecipientBytes = 64 * 1024;
constexpr std::size_t kMaxUnread = 256 * 1024;

std::string_view end_of_line(std::string_view line) {
  if (!line.ends_with('\n')) return {};
  return line.substr(line.size() - (line.ends_with("\r\n") ? 2 : 1));
}

}  // namespace

SmtpSession::SmtpSession(const SmtpConfig& config) : config_(config) {}
SmtpSession::~SmtpSession() = default;

bool SmtpSession::on_data(Direction direction, ByteView data, std::int64_t /*time_us*/) {
  const std::size_t side = index(direction);
  while (!data.empty() && !upgrade) {
    if (direction == Direction::to_server && mode_ == Mode::data) {
      data = data_bytes(data);
      continue;
    }
    if (direction == Direction::to_server && mode_ == Mode::chunk) {
      data = chunk_bytes(data);
      continue;
    }
    bool complete = false;
    data = take_line(direction, data, complete);
    if (!complete) continue;
    const std::string line = std::move(line_[side]);
    line_[side].clear();
    const std::string_view line_end = end_of_line(line);
    if (line_end.empty()) {
      event(any_transaction(), kSmtpTruncatedLine);
      skip_line_[side] = true;
    }
    const std::string_view text = std::string_view(line).substr(0, line.size() - line_end.size());
    if (direction == Direction::to_server) {
      command_line(text, line_end);
    } else {
      reply_line(text);
    }
  }
  if (!upgrade) return transactions_.size() <= 2 * std::size_t{config_.max_transactions};
  unread[side].insert(unread[side].end(), data.begin(), data.end());
  return unread[side].size() <= kMaxUnread;
}

// Takes from `data` what belongs to the line being read; returns the rest.
ByteView SmtpSession::take_line(Direction direction, ByteView data, bool& complete) {
  const std::size_t side = index(direction);
  const std::string_view text = core::as_text(data);
  if (skip_line_[side]) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    skip_line_[side] = false;
    return data.subspan(end + 1);
  }
  std::string& line = line_[side];
  const std::size_t room = kMaxLine - line.size();
  const std::size_t end = text.substr(0, room).find('\n');
  const std::size_t take = end == std::string_view::npos ? std::min(room, text.size()) : end + 1;
  line += text.substr(0, take);
  complete = end != std::string_view::npos || line.size() == kMaxLine;
  return data.subspan(take);
}

bool SmtpSession::on_gap(Direction direction, std::uint64_t bytes) {
  const std::size_t side = index(direction);
  line_[side].clear();
  if (direction == Direction::to_server && mode_ != Mode::command) {
    message_lost(bytes);
    return true;
  }
  skip_line_[side] = true;
  // What was said or answered in between is not known any more.
  replies_lost_ = true;
  for (const Pending& pending : pending_) {
    SmtpTransaction* tx = pending.what == Awaited::message ? find(pending.tx_id) : nullptr;
    if (tx != nullptr) finish_transaction(*tx);
  }
  pending_.clear();
  auth_line_ = false;
  return true;
}

void SmtpSession::on_end(Direction direction) {
  if (direction == Direction::to_server) {
    if (soft_end_) {
      end_message(true);
    } else if (parser_ || raw_ != nullptr) {
      end_message(false);
    }
  } else {
    server_ended_ = true;
  }
  for (const auto& base : transactions_) {
    auto& tx = static_cast<SmtpTransaction&>(*base);
    if (direction == Direction::to_server) {
      tx.progress[0] = kSmtpDone;
    } else {
      tx.progress[1] = kSmtpAnswered;
    }
  }
}

void SmtpSession::command_line(std::string_view line, std::string_view line_end) {
  const Command parsed = parse_command(line);
  if (soft_end_ && !parsed.known) return resume_data(line, line_end);
  if (soft_end_) end_message(true);
  if (auth_line_) {
    auth_line_ = false;
    return await(Awaited::auth, open_transaction());
  }
  commanded_ = true;
  if (!pending_.empty() && pending_.back().what == Awaited::data) {
    // DATA has to be the last command of a group (RFC 2920 3.1): a command or already the message?
    SmtpTransaction* tx = find(pending_.back().tx_id);
    if (tx != nullptr && !replies_lost_) event(*tx, kSmtpPipelined);
    if (tx != nullptr && !parsed.known) {
      skip_line_[0] = false;
      assumed_ = true;
      begin_message(*tx);
      (void)data_bytes(core::as_bytes(line));
      if (mode_ == Mode::data) (void)data_bytes(core::as_bytes(line_end));
      return;
    }
  } else if (!pending_.empty() && pending_.back().what == Awaited::starttls) {
    event(any_transaction(), kSmtpPipelined);
  }
  command(parsed);
}

void SmtpSession::command(const Command& command) {
  SmtpTransaction* tx = transaction_for(command);
  if (tx == nullptr) return await(Awaited::other, nullptr);
  if (!greeted_) event(*tx, kSmtpNoWelcome);
  switch (command.verb) {
    case Verb::helo:
      helo(*tx, command.argument);
      return await(Awaited::helo, tx);
    case Verb::mail:
      if (!tx->mail_from.empty()) event(*tx, kSmtpDuplicateFields);
      if (tx->mail_from.empty() || tx->mail_rejected) tx->mail_from = command.argument;
      tx->mail_rejected = false;
      return await(Awaited::mail, tx);
    case Verb::rcpt:
      rcpt(*tx, command.argument);
      return await(Awaited::other, tx);
    case Verb::data:
      announce_message(*tx);
      return await(Awaited::data, tx);
    case Verb::bdat:
      if (const auto chunk = parse_chunk(command.argument)) return begin_chunk(*tx, *chunk);
      event(*tx, kSmtpInvalidBdat);
      return await(Awaited::other, tx);
    case Verb::rset:
      tx->reset = true;
      return await(Awaited::rset, tx);
    case Verb::starttls:
      return await(Awaited::starttls, tx);
    case Verb::auth:
      return await(Awaited::auth, tx);
    case Verb::quit:
    case Verb::other:
      return await(Awaited::other, tx);
  }
}

void SmtpSession::helo(SmtpTransaction& tx, std::string_view name) {
  if (!helo_.empty()) event(tx, kSmtpDuplicateFields);
  // The first name counts, unless the server did not like it.
  if (helo_.empty() || helo_rejected_) helo_ = name;
  helo_rejected_ = false;
  tx.helo = helo_;
  // RFC 5321 4.1.4: it resets like RSET.
  if (!tx.mail_from.empty() || tx.email) tx.reset = true;
}

void SmtpSession::rcpt(SmtpTransaction& tx, std::string_view path) {
  tx.reset = false;
  if (tx.rcpt_to.size() >= kMaxRecipients || tx.recipient_bytes + path.size() > kMaxRecipientBytes) return;
  tx.recipient_bytes += path.size();
  tx.rcpt_to.emplace_back(path);
}

// The mail a command is about; null: it is about none, and begins none.
SmtpTransaction* SmtpSession::transaction_for(const Command& command) {
  SmtpTransaction* tx = open_transaction();
  if (tx != nullptr && tx->reset && command.verb == Verb::mail) {
    // Sent before RSET was answered. Its answer ends the old one.
    if (parser_) end_message(false);
    tx->sent = true;
    tx->progress[0] = kSmtpDone;
    tx = nullptr;
  }
  if (tx != nullptr) return tx;
  // After a mail, these only say that there is nothing more to come.
  const bool begins = command.verb != Verb::quit && command.verb != Verb::rset;
  return begins || transactions_.empty() ? &add_transaction() : nullptr;
}

SmtpTransaction* SmtpSession::open_transaction() {
  if (transactions_.empty()) return nullptr;
  auto& tx = static_cast<SmtpTransaction&>(*transactions_.back());
  return tx.sent ? nullptr : &tx;
}

SmtpTransaction& SmtpSession::add_transaction() {
  if (transactions_.size() >= config_.max_transactions) {
    // The server owes too many answers: those mails are over.
    for (const auto& base : transactions_) {
      auto& old = static_cast<SmtpTransaction&>(*base);
      if (old.sent) finish_transaction(old);
    }
  }
  auto tx = std::make_unique<SmtpTransaction>();
  tx->id = next_id_++;
  tx->helo = helo_;
  if (server_ended_) tx->progress[1] = kSmtpAnswered;
  transactions_.push_back(std::move(tx));
  return static_cast<SmtpTransaction&>(*transactions_.back());
}

SmtpTransaction* SmtpSession::find(std::uint64_t tx_id) {
  // They are made at the back and dropped at the front only.
  if (transactions_.empty() || tx_id < transactions_.front()->id) return nullptr;
  const std::uint64_t place = tx_id - transactions_.front()->id;
  return place < transactions_.size() ? static_cast<SmtpTransaction*>(transactions_[place].get()) : nullptr;
}

// Where an event belongs that is not of one mail.
SmtpTransaction& SmtpSession::any_transaction() {
  if (transactions_.empty()) return add_transaction();
  return static_cast<SmtpTransaction&>(*transactions_.back());
}

void SmtpSession::await(Awaited what, const SmtpTransaction* tx) {
  if (pending_.size() >= kMaxPending) pending_.pop_front();
  pending_.push_back({what, tx == nullptr ? 0 : tx->id, tx != nullptr});
}

void SmtpSession::finish_transaction(SmtpTransaction& tx) {
  tx.sent = true;
  tx.progress = {kSmtpDone, kSmtpAnswered};
}

void SmtpSession::event(SmtpTransaction& tx, SmtpEvent event) {
  if (std::find(tx.events.begin(), tx.events.end(), event) == tx.events.end()) tx.events.push_back(event);
}

}  // namespace gatehouse::ids::smtp
