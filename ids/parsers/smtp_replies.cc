// What the server answers, and what that makes of the commands before.
#include <algorithm>

#include "ids/parsers/smtp_session.h"

namespace gatehouse::ids::smtp {

void SmtpSession::reply_line(std::string_view line) {
  const std::optional<Reply> reply = parse_reply(line);
  if (!reply || !reply->known) event(any_transaction(), kSmtpInvalidReply);
  // The last line of a reply decides.
  if (!reply || reply->more) return;
  if (!greeted_ && greeting(*reply)) return;
  if (reply->code == 354) {
    // It answers DATA and nothing else, whatever was lost before.
    const auto data = std::find_if(pending_.begin(), pending_.end(),
                                   [](const Pending& p) { return p.what == Awaited::data; });
    if (data != pending_.end()) pending_.erase(pending_.begin(), data);
  }
  if (pending_.empty()) {
    if (mode_ == Mode::data && replies_lost_) {
      // Its end was in a gap.
      if (SmtpTransaction* tx = find(message_tx_)) {
        end_message(false);
        finish_transaction(*tx);
      }
    } else if (mode_ == Mode::command && !replies_lost_ && reply->code != 421) {
      event(any_transaction(), kSmtpUnmatchedReply);
    }
    return;
  }
  const Pending pending = pending_.front();
  pending_.pop_front();
  answer(pending, reply->code);
}

// The first thing a server says answers no command.
bool SmtpSession::greeting(const Reply& reply) {
  greeted_ = true;
  if (reply.code != 220 && commanded_) return false;
  // The client did not wait for it.
  if (commanded_) event(any_transaction(), kSmtpInvalidReply);
  return true;
}

void SmtpSession::answer(const Pending& pending, unsigned code) {
  SmtpTransaction* tx = pending.has_tx ? find(pending.tx_id) : nullptr;
  const bool positive = code / 100 == 2;
  switch (pending.what) {
    case Awaited::helo:
      if (!positive) helo_rejected_ = true;
      [[fallthrough]];
    case Awaited::rset:
      if (!positive || tx == nullptr || !tx->reset) break;
      if (parser_ && message_tx_ == tx->id) end_message(false);
      finish_transaction(*tx);
      break;
    case Awaited::mail:
      if (tx != nullptr && !positive) tx->mail_rejected = true;
      break;
    case Awaited::data:
      if (tx != nullptr) data_answered(*tx, code);
      break;
    case Awaited::message:
      if (soft_end_) end_message(true);
      if (tx != nullptr) finish_transaction(*tx);
      break;
    case Awaited::starttls:
      if (positive) {
        begin_upgrade();
      } else {
        event(any_transaction(), kSmtpTlsRejected);
      }
      break;
    case Awaited::auth:
      auth_line_ = code == 334;
      // RFC 4954 6: the credentials are right, or they are not.
      deeds_.logins_granted += code == 235;
      deeds_.logins_refused += code == 535;
      break;
    case Awaited::other:
      break;
  }
}

void SmtpSession::data_answered(SmtpTransaction& tx, unsigned code) {
  if (code / 100 == 3) {
    if (assumed_ && message_tx_ == tx.id) {
      assumed_ = false;
    } else if (mode_ == Mode::command) {
      // What came behind DATA and looked like commands was the beginning of the message.
      pending_.clear();
      begin_message(tx);
    }
    return;
  }
  event(tx, kSmtpDataRejected);
  if (!assumed_ || message_tx_ != tx.id) return;
  // The server took the supposed message for commands.
  assumed_ = false;
  soft_end_ = false;
  std::erase_if(pending_, [&](const Pending& p) { return p.what == Awaited::message && p.tx_id == tx.id; });
  end_message(false);
  finish_transaction(tx);
}

// RFC 3207 4: nothing said before counts any more.
void SmtpSession::begin_upgrade() {
  upgrade = true;
  upgrade_to = "tls";
  for (std::size_t side = 0; side < 2; ++side) unread[side].assign(line_[side].begin(), line_[side].end());
  for (const auto& tx : transactions_) finish_transaction(static_cast<SmtpTransaction&>(*tx));
}

}  // namespace gatehouse::ids::smtp
