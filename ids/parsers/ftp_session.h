// The control connection of FTP.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "ids/parsers/ftp_transaction.h"

namespace gatehouse::ids::ftp {

enum FtpEvent : AppEvent {
  kRequestCommandTooLong,
  kResponseCommandTooLong,
  kTooManyTransactions,
  kFileBeforePort,
  kFtpEventCount
};
inline constexpr std::array<std::string_view, kFtpEventCount> kFtpEventNames = {
    "ftp.request_command_too_long",
    "ftp.response_command_too_long",
    "ftp.too_many_transactions",
    "ftp.file_before_port",
};

// Reads commands and replies line by line. A line that is longer than the limit counts as soon as
// the limit is reached; the rest of it is skipped. Replies belong to the oldest command without its
// last one.
class FtpSession final : public Session {
 public:
  explicit FtpSession(const FtpConfig& config) : config_(config) {}
  ~FtpSession() override;

  bool on_data(Direction direction, ByteView data, std::int64_t time_us) override;
  bool on_gap(Direction direction, std::uint64_t bytes) override;
  void on_end(Direction direction) override;

 private:
  struct Side {
    std::string line;        // what there is of the current one
    bool skip_line = false;  // up to its end: it was too long, or its start was lost
  };

  FtpTransaction* new_transaction();
  FtpTransaction* oldest_open();
  bool take_line(Direction direction, std::string_view line, bool truncated);
  bool take_command(std::string_view line, bool truncated);
  bool take_reply(std::string_view line, bool truncated);
  void begin_transfer(FtpTransaction& tx);
  void settle_data_port(FtpTransaction& tx, std::string_view code, std::string_view text);
  bool charge(std::size_t bytes);

  const FtpConfig config_;
  std::array<Side, 2> sides_;
  std::string open_reply_;  // code of a reply of several lines, until its last line
  DataAddress data_;        // agreed upon, for the next transfer
  bool active_ = false;     // the server opens it
  std::uint64_t charged_ = 0;
};

}  // namespace gatehouse::ids::ftp
