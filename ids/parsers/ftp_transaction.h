// FTP: a command with its replies, and the transfer on a data connection: what rule buffers and the
// log read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ids/parsers/parser.h"

namespace gatehouse::ids {

// Transaction::progress of ftp and ftp-data, of both directions: a command is inspected until its
// last reply is there, because what it means (a data port) is settled by that.
inline constexpr std::uint8_t kFtpOpen = 1;
inline constexpr std::uint8_t kFtpComplete = 2;

struct FtpReplyLine {
  std::string line;  // without its line end
  // "226" of "226 done", empty for the inner lines of a reply of several lines.
  std::string_view code() const;
  std::string_view text() const;  // what follows the code and its blank
};

class FtpTransaction : public Transaction {
 public:
  std::string command;   // in capitals, "AUTH TLS"; empty: the server spoke unasked (greeting)
  std::string argument;  // what follows the command and one blank
  bool has_argument = false;
  bool command_truncated = false, reply_truncated = false;
  std::vector<FtpReplyLine> replies;
  std::uint16_t dynamic_port = 0;         // of the data connection agreed upon; 0: none
  bool active = false;                    // the server opens that connection
  std::optional<IpAddress> port_address;  // argument of PORT or EPRT
  bool sets_data_port() const;            // PORT, EPRT, PASV, EPSV
  bool done() const { return progress[0] == kFtpComplete; }
};

// One data connection.
class FtpDataTransaction : public Transaction {
 public:
  std::string command;  // "RETR"; empty: no control connection was seen
};

namespace ftp {

// What a control connection tells of the data connection it announces.
class TransferNote : public FlowNote {
 public:
  TransferNote(std::string command_, std::string file_name_)
      : command(std::move(command_)), file_name(std::move(file_name_)) {}
  const std::string command;
  const std::string file_name;  // empty: the transfer is no file (a listing)
};

struct DataAddress {
  IpAddress address;  // version 0: not told
  std::uint16_t port = 0;
};
// "h1,h2,h3,h4,p1,p2" anywhere in a 227 reply (RFC 1123 4.1.2.6) or as the argument of PORT.
std::optional<DataAddress> parse_host_port(std::string_view text);
// "|1|132.235.1.2|6275|", the argument of EPRT (RFC 2428); the delimiter is any printable character.
std::optional<DataAddress> parse_extended_port(std::string_view text);
// "(|||6446|)" of a 229 reply.
std::optional<std::uint16_t> parse_passive_port(std::string_view text);

void write_ftp_log(const Transaction& tx, const LogOptions& options, core::JsonWriter& json);
void write_ftp_data_log(const Transaction& tx, const LogOptions& options, core::JsonWriter& json);

}  // namespace ftp
}  // namespace gatehouse::ids
