// One mail, or the attempt to send one: what the rules and the log of SMTP look at.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ids/parsers/mime.h"
#include "ids/parsers/parser.h"

namespace gatehouse::ids {

// What the client has said so far. Towards the client there is only "answered".
enum SmtpProgress : std::uint8_t {
  kSmtpCommands,  // the envelope
  kSmtpHeader,    // the message has begun
  kSmtpBody,      // its header is over
  kSmtpDone,
};
inline constexpr std::uint8_t kSmtpAnswered = 1;

enum SmtpEvent : AppEvent {
  kSmtpInvalidReply,
  kSmtpUnmatchedReply,
  kSmtpLongCommand,
  kSmtpLongReply,
  kSmtpPipelined,
  kSmtpBdatLength,
  kSmtpNoWelcome,
  kSmtpTlsRejected,
  kSmtpDataRejected,
  kSmtpFailedChange,
  kSmtpMimeFailed,
  kSmtpBadBase64,
  kSmtpBadQuotedPrintable,
  kSmtpLongLine,
  kSmtpLongEncodedLine,
  kSmtpLongFieldName,
  kSmtpLongFieldValue,
  kSmtpLongBoundary,
  kSmtpLongFilename,
  kSmtpDuplicateFields,
  kSmtpUnparsable,
  kSmtpTruncatedLine,
  kSmtpInvalidBdat,
  kSmtpEventCount,
};

class SmtpTransaction : public Transaction {
 public:
  std::string helo;  // of the session when this began, or later
  std::string mail_from;
  std::vector<std::string> rcpt_to;
  std::unique_ptr<Email> email;  // set with the DATA or BDAT command
  // How the dialogue stands; kept by the session.
  bool mail_rejected = false;
  bool reset = false;  // RSET or HELO was sent: the next MAIL is another mail
  bool sent = false;   // the client said all: the next command is of another mail
  std::size_t recipient_bytes = 0;
};

}  // namespace gatehouse::ids
