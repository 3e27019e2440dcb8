#include <gtest/gtest.h>

#include "ids/parsers/session_harness.h"
#include "ids/parsers/smtp_lines.h"
#include "ids/parsers/smtp_log.h"
#include "ids/parsers/smtp_transaction.h"

namespace gatehouse::ids {
namespace {

using testing::client;
using testing::Conversation;
using testing::Piece;
using testing::Played;
using testing::recut;
using testing::server;

Conversation operator+(Conversation a, const Conversation& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Conversation hello() {
  return {server("220 mail.example ESMTP\r\n"), client("EHLO client.example\r\n"),
          server("250-mail.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n")};
}
Conversation envelope(const std::string& from = "<a@x>", const std::string& to = "<b@y>") {
  return {client("MAIL FROM:" + from + "\r\n"), server("250 ok\r\n"), client("RCPT TO:" + to + "\r\n"),
          server("250 ok\r\n")};
}
Conversation data(const std::string& text, const std::string& end = "\r\n.\r\n") {
  return {client("DATA\r\n"), server("354 go\r\n"), client(text + end), server("250 queued\r\n")};
}
Conversation quit() {
  return {client("QUIT\r\n"), server("221 bye\r\n")};
}
Conversation mail(const std::string& text) {
  return hello() + envelope() + data(text) + quit();
}

class Smtp : public Played {
 public:
  explicit Smtp(const Conversation& conversation, const ParserConfig& config = {})
      : Played(conversation, config, 25) {}
  SmtpTransaction& mail(std::size_t i) { return tx<SmtpTransaction>(i); }
  std::string subject(std::size_t i) {
    const std::string* value = mail(i).email ? mail(i).email->field("subject") : nullptr;
    return value == nullptr ? "(none)" : *value;
  }
};

std::string attachment(const std::string& body) {
  return "Subject: s\r\nContent-Type: a/b; name=f\r\n\r\n" + body;
}

TEST(SmtpLines, Commands) {
  using smtp::parse_command;
  using smtp::Verb;
  EXPECT_EQ(parse_command("MAIL FROM:<a@b> SIZE=5").argument, "<a@b>");
  EXPECT_EQ(parse_command("mail  from : <a@b>").argument, "<a@b>");
  EXPECT_EQ(parse_command("RCPT TO:<\"a b\"@c> NOTIFY=NEVER").argument, "<\"a b\"@c>");
  EXPECT_EQ(parse_command("RCPT TO:<\"a b@c> x").argument, "<\"a");
  EXPECT_EQ(parse_command("RCPT NOTHING").verb, Verb::other);
  EXPECT_EQ(parse_command("ehlo\tname x").argument, "name");
  EXPECT_EQ(parse_command("DATAX").known, false);
  EXPECT_EQ(parse_command("").known, false);
  EXPECT_EQ(smtp::parse_chunk("10 LAST")->last, true);
  EXPECT_EQ(smtp::parse_chunk("10")->size, 10U);
  for (const char* bad : {"", "x", "10 X", "10LAST", "-1", "99999999999999999999", "10 LAST x"})
    EXPECT_FALSE(smtp::parse_chunk(bad)) << bad;
  EXPECT_FALSE(smtp::parse_reply("25"));
  EXPECT_FALSE(smtp::parse_reply("4.7.0 x"));
  EXPECT_FALSE(smtp::parse_reply("472 x")->known);
  EXPECT_TRUE(smtp::parse_reply("250-x")->more);
}

TEST(Smtp, OneMail) {
  Smtp s(mail("From: \"J\" <j@x>\r\nTo: a@b, c@d\r\nSubject: hi\r\n\r\nsee http://e.x/y"));
  ASSERT_EQ(s.count(), 1U);
  EXPECT_EQ(
      s.log(0),
      R"({"helo":"client.example","mail_from":"<a@x>","rcpt_to":["<b@y>"],"email":{"from":"\"J\" <j@x>",)"
      R"("to":["a@b","c@d"],"status":"PARSE_DONE","url":["e.x/y"]}})");
  EXPECT_TRUE(s.events(0).empty());
  EXPECT_EQ(s.mail(0).progress[0], kSmtpDone);
  EXPECT_EQ(s.mail(0).progress[1], kSmtpAnswered);
}

TEST(Smtp, LogOptions) {
  Smtp s(mail("Subject: hi\r\nReceived: a\r\nReceived: b\r\nX-Mailer: m\r\n\r\nx"));
  LogOptions options;
  options.email_extended = true;
  const std::string extended = s.log(0, options);
  EXPECT_NE(extended.find(R"("subject":"hi")"), std::string::npos) << extended;
  EXPECT_NE(extended.find(R"("x_mailer":"m")"), std::string::npos);
  EXPECT_EQ(extended.find("received"), std::string::npos);
  const auto table = smtp::email_field_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].name == "received") options.email_fields = 1U << i;
  }
  options.email_subject_md5 = true;
  const std::string custom = s.log(0, options);
  EXPECT_NE(custom.find(R"("received":["a","b"])"), std::string::npos) << custom;
  EXPECT_NE(custom.find(R"("subject_md5":"49f68a5c8493ec2c0bf489821c21fc3b")"), std::string::npos) << custom;
}

TEST(Smtp, SeveralMails) {
  Smtp s(hello() + envelope() + data("Subject: 1\r\n\r\nx") + envelope("<c@x>") +
         data("Subject: 2\r\n\r\nx") + quit());
  ASSERT_EQ(s.count(), 2U);
  EXPECT_EQ(s.subject(0), "1");
  EXPECT_EQ(s.subject(1), "2");
  EXPECT_EQ(s.mail(1).mail_from, "<c@x>");
  EXPECT_EQ(s.mail(1).helo, "client.example");
  EXPECT_TRUE(s.events(1).empty());
}

TEST(Smtp, ResetBeginsAnother) {
  for (const Conversation& reset : {Conversation{client("RSET\r\n"), server("250 ok\r\n")},
                                    Conversation{client("EHLO client.example\r\n"), server("250 ok\r\n")}}) {
    Smtp s(hello() + envelope() + reset + envelope("<c@x>") + data("Subject: 2\r\n\r\nx"));
    ASSERT_EQ(s.count(), 2U);
    EXPECT_EQ(s.mail(0).mail_from, "<a@x>");
    EXPECT_FALSE(s.mail(0).email);
    EXPECT_EQ(s.mail(1).mail_from, "<c@x>");
    EXPECT_EQ(s.mail(1).rcpt_to.size(), 1U);
  }
  // Not waited for.
  Smtp s(hello() + envelope() +
         Conversation{client("RSET\r\nMAIL FROM:<c@x>\r\n"), server("250 ok\r\n250 ok\r\n")});
  ASSERT_EQ(s.count(), 2U);
  EXPECT_EQ(s.mail(1).mail_from, "<c@x>");
  EXPECT_EQ(s.mail(0).progress[1], kSmtpAnswered);
}

TEST(Smtp, RefusedEnvelopeIsReplaced) {
  Smtp s(hello() + Conversation{client("MAIL FROM:<a@x>\r\n"), server("550 no\r\n")} + envelope("<c@x>"));
  ASSERT_EQ(s.count(), 1U);
  EXPECT_EQ(s.mail(0).mail_from, "<c@x>");
  EXPECT_TRUE(s.has_event(0, "smtp.duplicate_fields"));
}

TEST(Smtp, RefusedData) {
  Smtp s(hello() + envelope() + Conversation{client("DATA\r\n"), server("503 no\r\n")} +
         data("Subject: s\r\n\r\nx"));
  ASSERT_EQ(s.count(), 1U);
  EXPECT_TRUE(s.has_event(0, "smtp.data_command_rejected"));
  EXPECT_TRUE(s.has_event(0, "smtp.unparsable_content"));
  EXPECT_EQ(s.subject(0), "s");
}

TEST(Smtp, DotsAreUnstuffed) {
  Smtp s(mail(attachment("..x\r\n..\r\n.y")));
  ASSERT_EQ(s.mail(0).files.size(), 1U);
  const TransferredFile& file = s.mail(0).files[0];
  EXPECT_EQ(std::string(file.data.begin(), file.data.end()), ".x\r\n.\r\ny");
  EXPECT_EQ(file.state, FileState::closed);
}

TEST(Smtp, EndsThatSomeServersDoNotTake) {
  // Another mail hides behind a bare line feed ...
  Smtp smuggled(
      hello() + envelope() +
      data("Subject: 1\r\n\r\nx\n.\nMAIL FROM:<evil@x>\r\nRCPT TO:<v@y>\r\nDATA\r\nSubject: 2\r\n\r\ny"));
  ASSERT_EQ(smuggled.count(), 2U);
  EXPECT_EQ(smuggled.mail(1).mail_from, "<evil@x>");
  EXPECT_EQ(smuggled.subject(1), "2");
  // ... or the mail goes on behind it.
  Smtp on(hello() + envelope() + data(attachment("x\n.\ny\r\n.z")) + quit());
  ASSERT_EQ(on.count(), 1U);
  ASSERT_EQ(on.mail(0).files.size(), 1U);
  const TransferredFile& file = on.mail(0).files[0];
  EXPECT_EQ(std::string(file.data.begin(), file.data.end()), "x\n.\ny\r\nz");
  // It was the end.
  Smtp end(hello() + envelope() + data("Subject: 1\n\nx", "\n.\n") + envelope("<c@x>"));
  ASSERT_EQ(end.count(), 2U);
  EXPECT_TRUE(end.mail(0).email->done);
  EXPECT_EQ(end.mail(1).mail_from, "<c@x>");
}

TEST(Smtp, Chunks) {
  const std::string text = attachment("one two");
  Smtp s(hello() + envelope() +
         Conversation{client("BDAT 20\r\n" + text.substr(0, 20)), server("250 ok\r\n"),
                      client("BDAT " + std::to_string(text.size() - 20) + " LAST\r\n" + text.substr(20)),
                      server("250 ok\r\n")} +
         envelope("<c@x>"));
  ASSERT_EQ(s.count(), 2U);
  ASSERT_EQ(s.mail(0).files.size(), 1U);
  EXPECT_EQ(s.mail(0).files[0].size, 7U);
  EXPECT_EQ(s.mail(0).files[0].state, FileState::closed);
  EXPECT_TRUE(s.events(0).empty());
  Smtp bad(hello() + envelope() + Conversation{client("BDAT 5 X\r\n"), server("501 no\r\n")} +
           Conversation{client("BDAT 0 LAST\r\n"), server("250 ok\r\n")});
  ASSERT_EQ(bad.count(), 1U);
  EXPECT_TRUE(bad.has_event(0, "smtp.invalid_bdat"));
  EXPECT_EQ(bad.mail(0).progress[1], kSmtpAnswered);
}

TEST(Smtp, PipelinedMessage) {
  Smtp s(
      hello() +
      Conversation{client("MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\nSubject: s\r\n\r\nx\r\n.\r\nQUIT\r\n"),
                   server("250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n221 bye\r\n")});
  ASSERT_EQ(s.count(), 1U);
  EXPECT_EQ(s.events(0), std::vector<std::string>{"smtp.invalid_pipelined_sequence"});
  EXPECT_EQ(s.subject(0), "s");
  EXPECT_EQ(s.mail(0).progress[1], kSmtpAnswered);
  // The server did not want it: it read the text as commands.
  Smtp no(hello() + Conversation{client("DATA\r\nSubject: s\r\n"), server("503 no\r\n500 what\r\n")} +
          envelope("<c@x>"));
  ASSERT_EQ(no.count(), 2U);
  EXPECT_EQ(no.mail(1).mail_from, "<c@x>");
  // What looked like a command was the message.
  Smtp text(hello() + envelope() +
            Conversation{client("DATA\r\nNOOP\r\n"), server("354 go\r\n"),
                         client("Subject: s\r\n\r\nx\r\n.\r\n"), server("250 ok\r\n")});
  ASSERT_EQ(text.count(), 1U);
  EXPECT_EQ(text.subject(0), "s");
}

TEST(Smtp, Authentication) {
  Smtp s(hello() +
         Conversation{client("AUTH LOGIN\r\n"), server("334 VXNlcm5hbWU6\r\n"), client("MAIL FROM:<q@x>\r\n"),
                      server("334 UGFzc3dvcmQ6\r\n"), client("DATA\r\n"), server("235 ok\r\n")} +
         envelope());
  ASSERT_EQ(s.count(), 1U);
  EXPECT_EQ(s.mail(0).mail_from, "<a@x>");
  EXPECT_TRUE(s.events(0).empty());
}

TEST(Smtp, Replies) {
  Smtp odd(hello() + Conversation{client("NOOP\r\n"), server("472 odd\r\n")});
  EXPECT_TRUE(odd.has_event(0, "smtp.invalid_reply"));
  Smtp extra(hello() + Conversation{server("250 more\r\n")});
  EXPECT_TRUE(extra.has_event(0, "smtp.unable_to_match_reply_with_request"));
  Smtp closing(hello() + Conversation{server("421 bye\r\n")});
  EXPECT_TRUE(closing.events(0).empty());
  Smtp early({client("EHLO c\r\n"), server("220 hi\r\n250 ok\r\n")});
  EXPECT_EQ(early.events(0),
            (std::vector<std::string>{"smtp.invalid_reply", "smtp.no_server_welcome_message"}));
}

TEST(Smtp, LongLines) {
  Smtp s(hello() + Conversation{client("MAIL FROM:<" + std::string(5000, 'a') + ">\r\nRCPT TO:<b@y>\r\n"),
                                server("250 " + std::string(9000, 'b') + "\r\n250 ok\r\n")});
  ASSERT_EQ(s.count(), 1U);
  EXPECT_EQ(s.events(0), std::vector<std::string>{"smtp.truncated_line"});
  EXPECT_EQ(s.mail(0).mail_from.size(), 4096 - std::string("MAIL FROM:").size());
  EXPECT_EQ(s.mail(0).rcpt_to.size(), 1U);
}

std::string tls_hello() {
  return testing::from_hex("160301002f0100002b0303") + std::string(32, 'r') +
         testing::from_hex("000004002f00350100");
}

TEST(Smtp, StartTls) {
  Smtp s(hello() + Conversation{client("STARTTLS\r\n"), server("220 go\r\n")});
  ASSERT_TRUE(s.parsed());
  EXPECT_TRUE(s.app().session->upgrade);
  EXPECT_EQ(s.app().session->upgrade_to, "tls");
  EXPECT_EQ(s.mail(0).progress[0], kSmtpDone);
  Smtp injected(hello() + Conversation{client("STARTTLS\r\nMAIL FROM:<a@x>\r\n"), server("220 go\r\n"),
                                       client(tls_hello())});
  EXPECT_TRUE(injected.has_event(0, "smtp.invalid_pipelined_sequence"));
  Smtp refused(hello() + Conversation{client("STARTTLS\r\n"), server("454 no\r\n")} + envelope());
  EXPECT_TRUE(refused.has_event(0, "smtp.tls_rejected"));
  EXPECT_EQ(refused.mail(0).mail_from, "<a@x>");
}

TEST(Smtp, Gaps) {
  Conversation lost = hello() + envelope() +
                      Conversation{client("DATA\r\n"), server("354 go\r\n"), client(attachment("begin\r\n"))};
  lost.push_back({Direction::to_server, std::string(500, '?'), true});
  Smtp end_lost(lost + Conversation{server("250 ok\r\n")} + envelope("<c@x>"));
  ASSERT_EQ(end_lost.count(), 2U);
  EXPECT_EQ(end_lost.mail(0).files[0].state, FileState::truncated);
  EXPECT_TRUE(end_lost.mail(0).files[0].gaps);
  Smtp goes_on(lost + Conversation{client("end\r\n.\r\n"), server("250 ok\r\n")} + envelope("<c@x>"));
  ASSERT_EQ(goes_on.count(), 2U);
  EXPECT_TRUE(goes_on.mail(0).files[0].gaps);
  Conversation reply_lost = hello() + envelope() + Conversation{client("DATA\r\n"), testing::server_gap(8)};
  Smtp assumed(reply_lost + Conversation{client("Subject: s\r\n\r\nx\r\n.\r\n"), server("250 ok\r\n")});
  ASSERT_GE(assumed.count(), 1U);
}

TEST(Smtp, RawExtraction) {
  ParserConfig config;
  config.smtp.decode_mime = false;
  config.smtp.raw_extraction = true;
  Smtp s(mail("Subject: s\r\n\r\nx"), config);
  ASSERT_EQ(s.mail(0).files.size(), 1U);
  EXPECT_EQ(s.mail(0).files[0].name, "rawmsg");
  EXPECT_EQ(s.mail(0).files[0].size, std::string("Subject: s\r\n\r\nx\r\n").size());
  EXPECT_FALSE(s.mail(0).email);
}

TEST(Smtp, MemoryIsBounded) {
  ParserConfig config;
  config.smtp.content_limit = 1000;
  config.smtp.max_transactions = 8;
  Smtp big(mail(attachment(std::string(300'000, 'x'))), config);
  EXPECT_EQ(big.mail(0).files[0].size, 300'000U);
  EXPECT_EQ(big.mail(0).files[0].data.size(), 1000U);
  Conversation unanswered = hello();
  for (int i = 0; i < 100; ++i) unanswered.push_back(client("RSET\r\nMAIL FROM:<a@x>\r\n"));
  EXPECT_LE(Smtp(unanswered, config).count(), 20U);
}

TEST(Smtp, FoundByContent) {
  EXPECT_EQ(Smtp({server("220 plain greeting\r\n"), client("EHLO c\r\n")}).app().detected[1],
            find_parser("smtp"));
  EXPECT_EQ(Smtp({client("ehlo c\r\n"), server("250 ok\r\n")}).app().proto, find_parser("smtp"));
  EXPECT_NE(Smtp({server("220 FTP ready\r\n"), client("USER x\r\n")}).app().proto, find_parser("smtp"));
  EXPECT_NE(Smtp({client("EHLOX\r\n"), server("hm\r\n")}).app().proto, find_parser("smtp"));
}

TEST(Smtp, CutAnywhereReadsTheSame) {
  const Conversation conversations[] = {
      mail(attachment("..dot\r\n.\nx\r\ny") + "\r\n"),
      hello() + envelope() + data("Subject: 1\r\n\r\nx\n.\nMAIL FROM:<e@x>\r\nDATA\r\nz") + quit(),
      hello() +
          Conversation{
              client("MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\nSubject: s\r\n\r\n.x\r\n.\r\nQUIT\r\n"),
              server("250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n221 bye\r\n")},
      hello() + envelope() +
          Conversation{client("BDAT 4\r\nSubjBDAT 9 LAST\r\nect: s\r\n\r"), server("250 a\r\n250 b\r\n")},
  };
  for (const Conversation& conversation : conversations) {
    const std::string whole = Played(conversation, {}, 25).describe();
    for (std::size_t size = 1; size < 40; ++size)
      EXPECT_EQ(Played(recut(conversation, {size}), {}, 25).describe(), whole) << size;
  }
}

}  // namespace
}  // namespace gatehouse::ids
