// The SMTP dialogue of one connection: commands, the replies that answer them, and the messages
// between them (RFC 5321, RFC 2920 pipelining, RFC 3030 chunking, RFC 3207, RFC 4954).
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>

#include "ids/parsers/smtp_lines.h"
#include "ids/parsers/smtp_transaction.h"

namespace gatehouse::ids::smtp {

// Bytes of one command or reply; what is beyond is dropped up to the end of the line.
inline constexpr std::size_t kMaxLine = 4096;

class SmtpSession : public Session, private MimeHandler {
 public:
  explicit SmtpSession(const SmtpConfig& config);
  ~SmtpSession() override;
  bool on_data(Direction direction, ByteView data, std::int64_t time_us) override;
  bool on_gap(Direction direction, std::uint64_t bytes) override;
  void on_end(Direction direction) override;
  Deeds deeds() const override { return deeds_; }

 private:
  enum class Mode : std::uint8_t { command, data, chunk };
  // What a reply is awaited for.
  enum class Awaited : std::uint8_t { other, helo, mail, data, message, rset, starttls, auth };
  struct Pending {
    Awaited what = Awaited::other;
    std::uint64_t tx_id = 0;
    bool has_tx = false;
  };

  // smtp_session.cc: lines, commands, transactions
  ByteView take_line(Direction direction, ByteView data, bool& complete);
  void command_line(std::string_view line, std::string_view line_end);
  void command(const Command& command);
  void helo(SmtpTransaction& tx, std::string_view name);
  void rcpt(SmtpTransaction& tx, std::string_view path);
  SmtpTransaction* transaction_for(const Command& command);
  SmtpTransaction* open_transaction();
  SmtpTransaction* find(std::uint64_t tx_id);
  SmtpTransaction& any_transaction();
  SmtpTransaction& add_transaction();
  void await(Awaited what, const SmtpTransaction* tx);
  static void finish_transaction(SmtpTransaction& tx);
  static void event(SmtpTransaction& tx, SmtpEvent event);

  // smtp_replies.cc
  void reply_line(std::string_view line);
  bool greeting(const Reply& reply);
  void answer(const Pending& pending, unsigned code);
  void data_answered(SmtpTransaction& tx, unsigned code);
  void begin_upgrade();

  // smtp_message.cc
  void announce_message(SmtpTransaction& tx);
  void begin_message(SmtpTransaction& tx);
  void begin_chunk(SmtpTransaction& tx, const Chunk& chunk);
  ByteView data_bytes(ByteView data);
  bool take_dot(std::string_view& rest);
  void data_end(std::string_view line_end);
  void resume_data(std::string_view line, std::string_view line_end);
  ByteView chunk_bytes(ByteView data);
  void chunk_end();
  void message_text(std::string_view text);
  void message_lost(std::uint64_t bytes);
  // The message is over for the client; `complete`: with its proper end.
  void end_message(bool complete);
  bool begin_file(std::string name) override;
  void file_data(ByteView bytes) override;
  void end_file(bool complete) override;
  void release_file_head();
  void mime_event(MimeEvent event) override;

  const SmtpConfig config_;
  std::array<std::string, 2> line_;  // the part of a line that is there
  std::array<bool, 2> skip_line_{};  // the rest of one that was too long or begins in a gap
  std::deque<Pending> pending_;      // oldest first
  bool greeted_ = false;             // the server has spoken
  bool commanded_ = false;           // the client has
  bool replies_lost_ = false;        // what is pending may have been answered
  bool server_ended_ = false;        // no more replies will come
  bool auth_line_ = false;           // the server asked for a line that is no command
  Deeds deeds_;
  std::string helo_;
  bool helo_rejected_ = false;

  Mode mode_ = Mode::command;
  // In a message although the server did not say 354 yet.
  bool assumed_ = false;
  // The message ended in a way that some servers do not take for an end: the next line tells.
  bool soft_end_ = false;
  std::string soft_end_text_;
  std::uint64_t chunk_left_ = 0;
  bool chunk_last_ = false;
  std::uint64_t message_tx_ = 0;
  std::unique_ptr<MimeParser> parser_;
  TransferredFile* raw_ = nullptr;  // of raw extraction; both as long as the message is open
  TransferredFile* file_ = nullptr;
  std::vector<std::uint8_t> file_head_;  // of `file_`, until there is enough of it for rules
  // Where in the text of DATA we are; `held_`: a dot that may be the end, and its CR.
  bool line_start_ = true, bare_newline_ = false, last_was_cr_ = false;
  std::string held_;
};

}  // namespace gatehouse::ids::smtp
