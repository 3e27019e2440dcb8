// What rules can look at in an SMTP dialogue and in the mail it carries.
#include "ids/keywords/buffers.h"
#include "ids/parsers/smtp_transaction.h"

namespace gatehouse::ids {
namespace {

constexpr std::string_view kSmtp[] = {"smtp"};

const SmtpTransaction& smtp(const Transaction& tx) {
  return static_cast<const SmtpTransaction&>(tx);
}

bool one(const std::string* text, unsigned i, BufferView& out) {
  if (i != 0 || text == nullptr || text->empty()) return false;
  out = {core::as_bytes(*text), true};
  return true;
}

bool nth(const std::vector<std::string>& texts, unsigned i, BufferView& out) {
  if (i >= texts.size()) return false;
  out = {core::as_bytes(texts[i]), true};
  return true;
}

bool field(const Transaction& tx, std::string_view name, unsigned i, BufferView& out) {
  return smtp(tx).email && one(smtp(tx).email->field(name), i, out);
}

bool received(const Transaction& tx, Direction /*direction*/, unsigned i, BufferView& out) {
  const std::string* value = smtp(tx).email ? smtp(tx).email->field("received", i) : nullptr;
  if (value == nullptr) return false;
  out = {core::as_bytes(*value), true};
  return true;
}

constexpr BufferDescriptor row(std::string_view name, std::uint8_t from, std::uint8_t to,
                               TransactionGetter get, std::string_view summary, bool multiple = false) {
  BufferDescriptor d;
  d.name = name;
  d.protocols = kSmtp;
  d.direction = Direction::to_server;
  d.get = get;
  d.min_progress = from;
  d.final_progress = to;
  d.multiple = multiple;
  d.summary = summary;
  return d;
}

// Of the header of the message.
constexpr BufferDescriptor header(std::string_view name, TransactionGetter get, std::string_view summary,
                                  bool multiple = false) {
  return row(name, kSmtpHeader, kSmtpBody, get, summary, multiple);
}

#define GET [](const Transaction& tx, Direction, unsigned i, BufferView& out)
const BufferDescriptor kBuffers[] = {
    row(
        "smtp.helo", kSmtpCommands, kSmtpHeader, GET { return one(&smtp(tx).helo, i, out); },
        "the name after HELO or EHLO"),
    row(
        "smtp.mail_from", kSmtpCommands, kSmtpHeader, GET { return one(&smtp(tx).mail_from, i, out); },
        "the path of MAIL FROM"),
    row(
        "smtp.rcpt_to", kSmtpCommands, kSmtpHeader, GET { return nth(smtp(tx).rcpt_to, i, out); },
        "each path of RCPT TO", true),
    header(
        "email.from", GET { return field(tx, "from", i, out); }, "the From field of the message"),
    header(
        "email.to", GET { return field(tx, "to", i, out); }, "the To field"),
    header(
        "email.cc", GET { return field(tx, "cc", i, out); }, "the Cc field"),
    header(
        "email.subject", GET { return field(tx, "subject", i, out); }, "the Subject field"),
    header(
        "email.date", GET { return field(tx, "date", i, out); }, "the Date field"),
    header(
        "email.message_id", GET { return field(tx, "message-id", i, out); }, "the Message-ID field"),
    header(
        "email.x_mailer", GET { return field(tx, "x-mailer", i, out); }, "the X-Mailer field"),
    header("email.received", received, "each Received field", true),
    row(
        "email.url", kSmtpBody, kSmtpDone,
        GET { return smtp(tx).email && nth(smtp(tx).email->urls, i, out); }, "each address in the text",
        true),
    row(
        "email.body_md5", kSmtpDone, kSmtpDone,
        GET { return smtp(tx).email && one(&smtp(tx).email->body_md5, i, out); },
        "MD5 of the body, in hex (needs app-layer.protocols.smtp.mime.body-md5)"),
};
#undef GET

}  // namespace

std::span<const BufferDescriptor> buffer_family_smtp_buffers() {
  return kBuffers;
}

}  // namespace gatehouse::ids
