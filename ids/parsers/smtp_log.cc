#include "ids/parsers/smtp_log.h"

#include "ids/parsers/smtp_transaction.h"
#include "ids/parsers/x509.h"

namespace gatehouse::ids::smtp {
namespace {

using Kind = EmailFieldRow::Kind;

constexpr EmailFieldRow kFields[] = {
    {"reply-to", "reply_to", Kind::first, false},
    {"bcc", "bcc", Kind::addresses, true},
    {"message-id", "message_id", Kind::first, true},
    {"subject", "subject", Kind::first, true},
    {"x-mailer", "x_mailer", Kind::first, true},
    {"user-agent", "user_agent", Kind::first, true},
    {"received", "received", Kind::all, false},
    {"x-originating-ip", "x_originating_ip", Kind::first, false},
    {"in-reply-to", "in_reply_to", Kind::first, false},
    {"references", "references", Kind::first, false},
    {"importance", "importance", Kind::first, false},
    {"priority", "priority", Kind::first, false},
    {"sensitivity", "sensitivity", Kind::first, false},
    {"organization", "organization", Kind::first, false},
    {"content-md5", "content_md5", Kind::first, false},
    {"relays", "relays", Kind::first, false},
    {"date", "date", Kind::first, false},
};

void write_addresses(std::string_view key, const std::string& value, core::JsonWriter& json) {
  const auto addresses = mime::split_addresses(value);
  if (addresses.empty()) return;
  json.key(key).begin_array();
  for (const std::string_view address : addresses) json.string(address);
  json.end_array();
}

void write_field(const EmailFieldRow& row, const Email& email, core::JsonWriter& json) {
  const std::string* first = email.field(row.name);
  if (first == nullptr) return;
  switch (row.kind) {
    case Kind::first:
      json.field(row.key, *first);
      break;
    case Kind::addresses:
      write_addresses(row.key, *first, json);
      break;
    case Kind::all:
      json.key(row.key).begin_array();
      for (const EmailField& field : email.fields) {
        if (field.name == row.name) json.string(field.value);
      }
      json.end_array();
      break;
  }
}

}  // namespace

std::span<const EmailFieldRow> email_field_table() {
  return kFields;
}

void write_smtp_log(const Transaction& base, const LogOptions& /*options*/, core::JsonWriter& json) {
  const auto& tx = static_cast<const SmtpTransaction&>(base);
  if (!tx.helo.empty()) json.field("helo", tx.helo);
  if (!tx.mail_from.empty()) json.field("mail_from", tx.mail_from);
  if (tx.rcpt_to.empty()) return;
  json.key("rcpt_to").begin_array();
  for (const std::string& path : tx.rcpt_to) json.string(path);
  json.end_array();
}

void write_email(const Transaction& base, const LogOptions& options, core::JsonWriter& json) {
  const auto& tx = static_cast<const SmtpTransaction&>(base);
  if (!tx.email) return;
  const Email& email = *tx.email;
  json.key("email").begin_object();
  if (const std::string* from = email.field("from")) json.field("from", *from);
  if (const std::string* to = email.field("to")) write_addresses("to", *to, json);
  if (const std::string* cc = email.field("cc")) write_addresses("cc", *cc, json);
  // There is no input that cannot be read in some way.
  json.field("status", "PARSE_DONE");
  if (!email.attachments.empty()) {
    json.key("attachment").begin_array();
    for (const std::string& name : email.attachments) json.string(name);
    json.end_array();
  }
  if (!email.urls.empty()) {
    // Readers of these events know them last first.
    json.key("url").begin_array();
    for (auto url = email.urls.rbegin(); url != email.urls.rend(); ++url) json.string(*url);
    json.end_array();
  }
  for (std::size_t i = 0; i < std::size(kFields); ++i) {
    if ((options.email_extended && kFields[i].extended) || (options.email_fields >> i & 1U) != 0)
      write_field(kFields[i], email, json);
  }
  if (options.email_subject_md5) {
    if (const std::string* subject = email.field("subject"))
      json.field("subject_md5", tls::md5_hex(*subject));
  }
  if (options.email_body_md5 && !email.body_md5.empty()) json.field("body_md5", email.body_md5);
  json.end_object();
}

}  // namespace gatehouse::ids::smtp
