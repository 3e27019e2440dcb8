// The messages of an SMTP session: between DATA and its dot, or in chunks.
#include <algorithm>

#include "ids/parsers/smtp_session.h"

namespace gatehouse::ids::smtp {
namespace {

// Bytes kept of all files of one mail together.
constexpr std::uint64_t kMaxKept = 8 * 1024 * 1024;
// Rules look into a file when so much of it is there, or all: engines of the field wait as long, and
// a rule that negates something is not decided on a few first bytes.
constexpr std::size_t kInspectFrom = 32 * 1024;

}  // namespace

// A mail is about to come, if the server wants it.
void SmtpSession::announce_message(SmtpTransaction& tx) {
  tx.reset = false;
  if (!config_.decode_mime) return;
  if (tx.email) {
    event(tx, kSmtpUnparsable);
  } else {
    tx.email = std::make_unique<Email>();
  }
}

void SmtpSession::begin_message(SmtpTransaction& tx) {
  message_tx_ = tx.id;
  mode_ = Mode::data;
  line_start_ = true;
  bare_newline_ = last_was_cr_ = soft_end_ = false;
  held_.clear();
  parser_.reset();
  file_head_.clear();
  file_ = raw_ = nullptr;
  if (config_.decode_mime) {
    tx.email = std::make_unique<Email>();
    parser_ = std::make_unique<MimeParser>(config_.mime, static_cast<MimeHandler&>(*this), *tx.email);
  } else if (config_.raw_extraction) {
    raw_ = tx.open_file("rawmsg", Direction::to_server, config_.content_limit, file_policy.get());
  }
  tx.progress[0] = std::max<std::uint8_t>(tx.progress[0], kSmtpHeader);
}

void SmtpSession::begin_chunk(SmtpTransaction& tx, const Chunk& chunk) {
  if ((!parser_ && raw_ == nullptr) || message_tx_ != tx.id) {
    announce_message(tx);
    begin_message(tx);
  }
  tx.reset = false;
  mode_ = Mode::chunk;
  chunk_left_ = chunk.size;
  chunk_last_ = chunk.last;
  if (chunk_left_ == 0) chunk_end();
}

ByteView SmtpSession::chunk_bytes(ByteView data) {
  const std::size_t count = std::min<std::uint64_t>(chunk_left_, data.size());
  message_text(core::as_text(data.first(count)));
  chunk_left_ -= count;
  if (chunk_left_ == 0) chunk_end();
  return data.subspan(count);
}

void SmtpSession::chunk_end() {
  mode_ = Mode::command;
  const SmtpTransaction* tx = find(message_tx_);
  await(chunk_last_ ? Awaited::message : Awaited::other, tx);
  if (chunk_last_) end_message(true);
}

// Takes the text of DATA from `data`, up to its end; returns the rest.
ByteView SmtpSession::data_bytes(ByteView data) {
  std::string_view rest = core::as_text(data);
  while (!rest.empty() && mode_ == Mode::data) {
    if ((line_start_ || !held_.empty()) && take_dot(rest)) continue;
    const std::size_t newline = rest.find('\n');
    const std::size_t take = newline == std::string_view::npos ? rest.size() : newline + 1;
    const std::string_view text = rest.substr(0, take);
    rest.remove_prefix(take);
    if (newline != std::string_view::npos) {
      bare_newline_ = text.size() > 1 ? text[text.size() - 2] != '\r' : !last_was_cr_;
      line_start_ = true;
    } else {
      line_start_ = false;
    }
    last_was_cr_ = text.back() == '\r';
    message_text(text);
  }
  return data.last(rest.size());
}

// RFC 5321 4.5.2: a dot at the start of a line is the end, or goes. True: a byte of `rest` was used
// up for that.
bool SmtpSession::take_dot(std::string_view& rest) {
  const char c = rest.front();
  if (held_.empty()) {
    line_start_ = false;
    if (c != '.') return false;
  } else if (c == '\n') {
    rest.remove_prefix(1);
    const std::string line_end = held_ == ".\r" ? "\r\n" : "\n";
    held_.clear();
    data_end(line_end);
    return true;
  } else if (held_ != "." || c != '\r') {
    // It was there to hide the next byte.
    const bool cr = held_ == ".\r";
    held_.clear();
    if (cr) message_text("\r");
    last_was_cr_ = cr;
    return false;
  }
  held_.push_back(c);
  rest.remove_prefix(1);
  return true;
}

void SmtpSession::data_end(std::string_view line_end) {
  mode_ = Mode::command;
  await(Awaited::message, find(message_tx_));
  // Some servers want CR LF around the dot: the sender may rely on either reading.
  soft_end_ = line_end != "\r\n" || bare_newline_;
  soft_end_text_ = "." + std::string(line_end);
  if (!soft_end_) end_message(true);
}

// The dot was no end for the client: what follows is no command.
void SmtpSession::resume_data(std::string_view line, std::string_view line_end) {
  soft_end_ = false;
  if (!pending_.empty() && pending_.back().what == Awaited::message) pending_.pop_back();
  skip_line_[0] = false;
  mode_ = Mode::data;
  bare_newline_ = soft_end_text_.size() == 2;
  line_start_ = true;
  message_text(soft_end_text_);
  (void)data_bytes(core::as_bytes(line));
  if (mode_ == Mode::data && !line_end.empty()) (void)data_bytes(core::as_bytes(line_end));
}

void SmtpSession::message_text(std::string_view text) {
  SmtpTransaction* tx = find(message_tx_);
  if (tx == nullptr || text.empty()) return;
  if (raw_ != nullptr) raw_->append(core::as_bytes(text));
  if (!parser_) return;
  parser_->feed(core::as_bytes(text));
  if (tx->email->header_done) tx->progress[0] = std::max<std::uint8_t>(tx->progress[0], kSmtpBody);
}

void SmtpSession::message_lost(std::uint64_t bytes) {
  if (file_ != nullptr) {
    release_file_head();
    file_->skip(bytes);
  }
  if (raw_ != nullptr) raw_->skip(bytes);
  if (mode_ == Mode::chunk) {
    chunk_left_ -= std::min(chunk_left_, bytes);
    if (chunk_left_ == 0) chunk_end();
    return;
  }
  // Its end may have been in there; the server will tell.
  replies_lost_ = true;
  line_start_ = false;
  held_.clear();
}

void SmtpSession::end_message(bool complete) {
  SmtpTransaction* tx = find(message_tx_);
  mode_ = Mode::command;
  soft_end_ = false;
  if (tx != nullptr) {
    if (parser_) parser_->finish(complete);
    if (raw_ != nullptr) raw_->close(complete ? FileState::closed : FileState::truncated);
    tx->sent = true;
    tx->progress[0] = kSmtpDone;
  }
  parser_.reset();
  file_head_.clear();
  raw_ = file_ = nullptr;
}

bool SmtpSession::begin_file(std::string name) {
  SmtpTransaction* tx = find(message_tx_);
  if (tx == nullptr) return false;
  std::uint64_t kept = 0;
  for (const TransferredFile& file : tx->files) kept += file.data.size();
  // Zero would be no limit; a byte is always kept.
  const std::uint64_t room = std::max<std::uint64_t>(kMaxKept - std::min(kMaxKept, kept), 1);
  const std::uint64_t limit = config_.content_limit == 0 ? room : std::min(room, config_.content_limit);
  file_ = tx->open_file(std::move(name), Direction::to_server, limit, file_policy.get());
  return file_ != nullptr;
}

void SmtpSession::file_data(ByteView bytes) {
  if (file_ == nullptr) return;
  if (file_->size == 0 && file_head_.size() + bytes.size() < kInspectFrom) {
    file_head_.insert(file_head_.end(), bytes.begin(), bytes.end());
    return;
  }
  release_file_head();
  file_->append(bytes);
}

void SmtpSession::release_file_head() {
  if (!file_head_.empty()) file_->append(file_head_);
  file_head_.clear();
}

void SmtpSession::end_file(bool complete) {
  if (file_ != nullptr) {
    release_file_head();
    file_->close(complete ? FileState::closed : FileState::truncated);
  }
  file_ = nullptr;
}

void SmtpSession::mime_event(MimeEvent what) {
  constexpr SmtpEvent kEvents[] = {kSmtpBadBase64,       kSmtpBadQuotedPrintable, kSmtpLongLine,
                                   kSmtpLongEncodedLine, kSmtpLongFieldName,      kSmtpLongFieldValue,
                                   kSmtpLongBoundary,    kSmtpLongFilename,       kSmtpMimeFailed};
  if (SmtpTransaction* tx = find(message_tx_)) event(*tx, kEvents[static_cast<std::size_t>(what)]);
}

}  // namespace gatehouse::ids::smtp
