// SMTP: RFC 5321 and its extensions. Found by what is said, on any port.
#include <array>

#include "ids/parsers/mime_text.h"
#include "ids/parsers/smtp_log.h"
#include "ids/parsers/smtp_session.h"

namespace gatehouse::ids {
namespace {

constexpr std::array<std::uint16_t, 3> kPorts = {25, 465, 587};

constexpr std::array<std::string_view, kSmtpEventCount> kEventNames = {
    "smtp.invalid_reply",
    "smtp.unable_to_match_reply_with_request",
    "smtp.max_command_line_len_exceeded",
    "smtp.max_reply_line_len_exceeded",
    "smtp.invalid_pipelined_sequence",
    "smtp.bdat_chunk_len_exceeded",
    "smtp.no_server_welcome_message",
    "smtp.tls_rejected",
    "smtp.data_command_rejected",
    "smtp.failed_protocol_change",
    "smtp.mime_parse_failed",
    "smtp.mime_invalid_base64",
    "smtp.mime_invalid_qp",
    "smtp.mime_long_line",
    "smtp.mime_long_enc_line",
    "smtp.mime_long_header_name",
    "smtp.mime_long_header_value",
    "smtp.mime_long_boundary",
    "smtp.mime_long_filename",
    "smtp.duplicate_fields",
    "smtp.unparsable_content",
    "smtp.truncated_line",
    "smtp.invalid_bdat",
};

// What no other protocol says first.
constexpr std::string_view kOpenings[] = {"ehlo", "helo", "lhlo", "mail from:", "rcpt to:"};

ProbeVerdict probe_client(std::string_view text) {
  for (const std::string_view opening : kOpenings) {
    const std::size_t count = std::min(opening.size(), text.size());
    if (!mime::equals_nocase(text.substr(0, count), opening.substr(0, count))) continue;
    if (text.size() <= opening.size()) return ProbeVerdict::maybe;
    const char next = text[opening.size()];
    const bool ends = next == ' ' || next == '\t' || next == '\r' || next == '\n';
    return opening.back() == ':' || ends ? ProbeVerdict::yes : ProbeVerdict::no;
  }
  return ProbeVerdict::no;
}

bool is_reply(std::string_view text) {
  return text.size() >= 4 && smtp::parse_reply(text) && (text[3] == ' ' || text[3] == '-' || text[3] == '\r');
}

// 220 is what FTP servers say, too: the greeting has to name the protocol, or the client decides.
ProbeVerdict probe_server(std::string_view text) {
  constexpr std::string_view kGreeting = "220";
  const std::size_t count = std::min(kGreeting.size(), text.size());
  if (text.substr(0, count) != kGreeting.substr(0, count)) return ProbeVerdict::no;
  if (text.size() < 4) return ProbeVerdict::maybe;
  if (!is_reply(text)) return ProbeVerdict::no;
  const std::string lower = mime::lower_ascii(text.substr(0, smtp::kMaxLine));
  if (lower.find("smtp") != std::string::npos || lower.find("lmtp") != std::string::npos)
    return ProbeVerdict::yes;
  return lower.find("ftp") != std::string::npos ? ProbeVerdict::no : ProbeVerdict::maybe;
}

ProbeVerdict probe(ByteView data, Direction direction, AppTransport /*transport*/) {
  return direction == Direction::to_server ? probe_client(core::as_text(data))
                                           : probe_server(core::as_text(data));
}

// The other side is SMTP: a reply will do, or a command.
ProbeVerdict confirm(ByteView data, Direction direction) {
  const std::string_view text = core::as_text(data);
  if (direction == Direction::to_client) {
    if (text.size() < 4) return ProbeVerdict::maybe;
    return is_reply(text) ? ProbeVerdict::yes : ProbeVerdict::no;
  }
  const std::string_view line = text.substr(0, text.find('\n'));
  if (smtp::parse_command(line).known) return ProbeVerdict::yes;
  return line.size() == text.size() && text.size() < 16 ? ProbeVerdict::maybe : ProbeVerdict::no;
}

std::unique_ptr<Session> make_session(const ParserConfig& config, AppTransport /*transport*/) {
  return std::make_unique<smtp::SmtpSession>(config.smtp);
}

bool ready_to_log(const Transaction& tx) {
  return tx.progress[0] >= kSmtpDone && tx.progress[1] >= kSmtpAnswered;
}

}  // namespace

extern const ParserDescriptor parser_smtp;
const ParserDescriptor parser_smtp = {
    .name = "smtp",
    .event_type = "smtp",
    .spec = "RFC 5321",
    .transport = AppTransport::tcp,
    .default_ports = kPorts,
    .probe = probe,
    .confirm = confirm,
    .make_session = make_session,
    .complete = {kSmtpDone, kSmtpAnswered},
    .event_names = kEventNames,
    .upper_case_events = true,
    .first_data = std::nullopt,
    .ports_only = false,
    .write_log = smtp::write_smtp_log,
    .write_beside = smtp::write_email,
    .log_records = nullptr,
    .ready_to_log = ready_to_log,
};

}  // namespace gatehouse::ids
