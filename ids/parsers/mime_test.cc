#include "ids/parsers/mime.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace gatehouse::ids {
namespace {

struct File {
  std::string name, data;
  bool complete = false;
};

class Message : public MimeHandler {
 public:
  explicit Message(std::string_view text, const MimeConfig& config = {}, std::size_t piece = 1 << 20U) {
    MimeParser parser(config, *this, email);
    for (std::size_t at = 0; at < text.size(); at += piece)
      parser.feed(core::as_bytes(text.substr(at, piece)));
    parser.finish(true);
  }
  bool begin_file(std::string name) override {
    files.push_back({std::move(name), {}, false});
    return true;
  }
  void file_data(core::ByteView bytes) override { files.back().data += core::as_text(bytes); }
  void end_file(bool complete) override { files.back().complete = complete; }
  void mime_event(MimeEvent event) override { events.push_back(event); }
  bool has(MimeEvent event) const { return std::count(events.begin(), events.end(), event) != 0; }
  std::string field(std::string_view name) const {
    const std::string* value = email.field(name);
    return value == nullptr ? "(none)" : *value;
  }

  Email email;
  std::vector<File> files;
  std::vector<MimeEvent> events;
};

std::string with_part(std::string_view header, std::string_view body) {
  return "From: a@x\r\nContent-Type: multipart/mixed; boundary=BB\r\n\r\nhello\r\n--BB\r\n" +
         std::string(header) + "\r\n\r\n" + std::string(body) + "\r\n--BB--\r\nbye\r\n";
}

std::string name_by(std::string_view header) {
  const Message m(with_part(header, "x"));
  return m.files.size() == 1 ? m.files[0].name : "(" + std::to_string(m.files.size()) + " files)";
}

TEST(Mime, HeaderFields) {
  const Message m(
      "Subject : one\r\n two\r\n\tthree \r\nnot a field\r\nTO:a@x,\r\n b@y\r\nSubject: "
      "other\r\n\r\nbody\r\n");
  EXPECT_EQ(m.field("subject"), "one two three");
  EXPECT_EQ(m.field("to"), "a@x, b@y");
  EXPECT_EQ(*m.email.field("subject", 1), "other");
  EXPECT_EQ(m.field("from"), "(none)");
  EXPECT_TRUE(m.email.done);
}

TEST(Mime, HeaderLimits) {
  MimeConfig config;
  config.header_value_depth = 20;
  const Message m("Subject: " + std::string(50, 's') + "\r\n" + std::string(90, 'n') + ": v\r\n\r\n", config);
  EXPECT_EQ(m.field("subject"), std::string(20, 's'));
  EXPECT_TRUE(m.has(MimeEvent::long_header_value));
  EXPECT_TRUE(m.has(MimeEvent::long_header_name));
}

TEST(Mime, TextWithoutHeaderIsBody) {
  const Message m("see http://evil.example/x\r\nFrom: none\r\n");
  EXPECT_EQ(m.field("from"), "(none)");
  EXPECT_EQ(m.email.urls, std::vector<std::string>{"evil.example/x"});
}

TEST(Mime, NamesOfFiles) {
  EXPECT_EQ(name_by("Content-Disposition: attachment; filename=\"a.exe\""), "a.exe");
  EXPECT_EQ(name_by("CONTENT-DISPOSITION: ATTACHMENT; FILENAME = \"Up.exe\""), "Up.exe");
  EXPECT_EQ(name_by("Content-Disposition: attachment; filename=my file.exe; x=y"), "my file.exe");
  EXPECT_EQ(name_by("Content-Disposition: attachment; filename=\"a\\\"b\\\\c.exe\""), "a\"b\\c.exe");
  EXPECT_EQ(name_by("Content-Type: application/zip; name=a.zip"), "a.zip");
  EXPECT_EQ(name_by("Content-Type: application/zip; name=a.zip\r\nContent-Disposition: attachment; "
                    "filename=b.exe"),
            "b.exe");
  EXPECT_EQ(name_by("Content-Disposition: attachment"), "");
  EXPECT_EQ(name_by("Content-Type: text/plain"), "(0 files)");
}

TEST(Mime, NamesInPiecesAndWords) {
  EXPECT_EQ(name_by("Content-Disposition: attachment; filename*=utf-8''na%C3%A9me%20x.exe"),
            "na\xc3\xa9me x.exe");
  EXPECT_EQ(name_by("Content-Disposition: attachment; filename*1=\"def.exe\"; filename*0=\"abc\""),
            "abcdef.exe");
  EXPECT_EQ(
      name_by("Content-Disposition: attachment; filename*0*=us-ascii''ab%20c;\r\n filename*1=\"d.exe\""),
      "ab cd.exe");
  EXPECT_EQ(name_by("Content-Disposition: attachment; filename=\"=?utf-8?B?ZXZpbC5leGU=?=\""), "evil.exe");
  EXPECT_EQ(
      name_by("Content-Disposition: attachment; filename=\"=?iso-8859-1?Q?=E4=2E?= =?us-ascii*en?q?exe_?=\""),
      "\xc3\xa4.exe ");
  EXPECT_EQ(name_by("Content-Disposition: attachment; filename=\"=?broken\""), "=?broken");
}

TEST(Mime, LongNameIsCut) {
  const Message m(
      with_part("Content-Disposition: attachment; filename=\"" + std::string(300, 'n') + "\"", "x"));
  ASSERT_EQ(m.files.size(), 1U);
  EXPECT_EQ(m.files[0].name.size(), 255U);
  EXPECT_TRUE(m.has(MimeEvent::long_filename));
}

std::string decoded(std::string_view coding, std::string_view body, const MimeConfig& config = {}) {
  const Message m(
      with_part("Content-Type: a/b; name=f\r\nContent-Transfer-Encoding: " + std::string(coding), body),
      config);
  return m.files.size() == 1 ? m.files[0].data : "?";
}

TEST(Mime, Base64) {
  EXPECT_EQ(decoded("base64", "aGVsbG8gd29y\r\nbGQh"), "hello world!");
  EXPECT_EQ(decoded("base64", "aG Vs\tb*G8\r\n"), "hello");
  EXPECT_EQ(decoded("base64", "aGVsbG8=\r\nd29ybGQh"), "helloworld!");
  EXPECT_EQ(decoded("BASE64 (really)", "aGVsbG8"), "hello");
  EXPECT_EQ(decoded("\"base64\"", "aGVsbG8"), "hello");
  EXPECT_EQ(decoded("x-other", "aGVsbG8"), "aGVsbG8");
  MimeConfig config;
  config.decode_base64 = false;
  EXPECT_EQ(decoded("base64", "aGVsbG8", config), "aGVsbG8");
  EXPECT_TRUE(Message(with_part("Content-Type: a/b; name=f\r\nContent-Transfer-Encoding: base64", "ab*d"))
                  .has(MimeEvent::invalid_base64));
}

TEST(Mime, QuotedPrintable) {
  EXPECT_EQ(decoded("quoted-printable", "he=6C=6cl=\r\no =3D w= \t\r\n!  \r\nend"), "helllo = w!\r\nend");
  EXPECT_EQ(decoded("quoted-printable", "a=ZZ=4"), "a=ZZ=4");
}

TEST(Mime, LineEndBeforeBoundaryIsNotContent) {
  EXPECT_EQ(decoded("7bit", "one\r\n\r\ntwo\n"), "one\r\n\r\ntwo\n");
  EXPECT_EQ(decoded("binary", std::string(5000, 'x') + "\r\n" + std::string(5000, 'y')),
            std::string(5000, 'x') + "\r\n" + std::string(5000, 'y'));
}

TEST(Mime, NestedParts) {
  const std::string text =
      "Content-Type: multipart/mixed; boundary=\"A\"\r\n\r\n--A\r\nContent-Type: multipart/alternative; "
      "boundary=AA\r\n\r\n--AA\r\nContent-Type: a/b; name=1\r\n\r\none\r\n--AA\r\nContent-Type: a/b; "
      "name=2\r\n\r\n"
      "two\r\n";
  for (const std::string end : {"--AA--\r\n--A\r\n", "--A\r\n", "--AA-- \r\nepilogue\r\n--A  \r\n"}) {
    const Message m(text + end + "Content-Type: a/b; name=3\r\n\r\nthree\r\n--A--\r\nno part\r\n");
    ASSERT_EQ(m.files.size(), 3U) << end;
    EXPECT_EQ(m.files[0].data, "one");
    EXPECT_EQ(m.files[1].data, "two");
    EXPECT_EQ(m.files[2].data, "three");
    EXPECT_EQ(m.email.attachments, (std::vector<std::string>{"1", "2", "3"}));
  }
}

TEST(Mime, PartsBehindTheLastAndWithoutBoundaryTold) {
  Message m(
      "Content-Type: multipart/mixed; boundary=A\r\n\r\n--A--\r\n--A\r\nContent-Type: a/b; "
      "name=1\r\n\r\none\r\n");
  ASSERT_EQ(m.files.size(), 1U);
  EXPECT_EQ(m.files[0].data, "one");
  Message n("Content-Type: multipart/mixed\r\n\r\n--Q\r\nContent-Type: a/b; name=1\r\n\r\none\r\n--Q--\r\n");
  ASSERT_EQ(n.files.size(), 1U);
  EXPECT_EQ(n.files[0].data, "one");
}

TEST(Mime, MessageInMessage) {
  const std::string inner = "From: inner\r\nContent-Type: a/b; name=1\r\n\r\none";
  for (const std::string coding : {"7bit", "base64"}) {
    const Message m("From: outer\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: " + coding +
                    "\r\n\r\n" + inner);
    ASSERT_EQ(m.files.size(), 1U);
    EXPECT_EQ(m.files[0].data, "one");
    EXPECT_EQ(m.field("from"), "outer");
    EXPECT_EQ(m.email.fields.size(), 3U);
  }
  const Message m(
      "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
      "RnJvbTogaW5uZXINCkNvbnRlbnQtVHlwZTog\r\nYS9iOyBuYW1lPTENCg0Kb25l\r\n");
  ASSERT_EQ(m.files.size(), 1U);
  EXPECT_EQ(m.files[0].data, "one");
}

TEST(Mime, NestingIsBounded) {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    const std::string b = "b" + std::to_string(i) + "x";
    text += "Content-Type: multipart/mixed; boundary=" + b + "\r\n\r\n--" + b + "\r\n";
  }
  EXPECT_TRUE(Message(text).has(MimeEvent::parse_failed));
}

TEST(Mime, Urls) {
  MimeConfig config;
  config.url_schemes = {"http", "https"};
  const std::string text =
      "Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
      "https://s.t/u HTTP://Foo.Example/Bar?x=3D1 <http://a.b/c> http:// ftp://f.g "
      "http://wrap=\r\nped.example\r\n";
  EXPECT_EQ(Message(text, config).email.urls,
            (std::vector<std::string>{"Foo.Example/Bar?x=1", "a.b/c", "wrapped.example", "s.t/u"}));
  config.log_url_scheme = true;
  config.url_schemes = {"ftp"};
  EXPECT_EQ(Message(text, config).email.urls, (std::vector<std::string>{"ftp://f.g"}));
  config.extract_urls = false;
  EXPECT_TRUE(Message(text, config).email.urls.empty());
  EXPECT_TRUE(Message("Content-Type: image/png\r\n\r\nhttp://a.b\r\n").email.urls.empty());
}

TEST(Mime, BodyDigest) {
  MimeConfig config;
  config.body_md5 = true;
  EXPECT_EQ(Message("From: a\r\n\r\nhello\r\nworld\r\n", config).email.body_md5,
            "7ac062d8a84466e70d9b899c0821a51c");
  EXPECT_TRUE(Message("From: a\r\n\r\nhello\r\n").email.body_md5.empty());
}

TEST(Mime, LongLines) {
  const Message plain(with_part("Content-Type: a/b; name=a", std::string(1500, 'x')));
  EXPECT_TRUE(plain.has(MimeEvent::long_line));
  EXPECT_FALSE(plain.has(MimeEvent::long_encoded_line));
  const Message coded(
      with_part("Content-Type: a/b; name=a\r\nContent-Transfer-Encoding: base64", std::string(100, 'A')));
  EXPECT_TRUE(coded.has(MimeEvent::long_encoded_line));
}

TEST(Mime, CutAnywhereReadsTheSame) {
  const std::string text = with_part(
      "Content-Type: text/html; name=\"=?utf-8?q?a=2Ehtml?=\"\r\nContent-Transfer-Encoding: quoted-printable",
      "<a href=3D\"http://x.y/z\">=\r\n \t \r\n=C3=A4 " + std::string(5000, '.'));
  const Message whole(text);
  ASSERT_EQ(whole.files.size(), 1U);
  for (std::size_t piece = 1; piece < 70; ++piece) {
    const Message cut(text, {}, piece);
    ASSERT_EQ(cut.files.size(), 1U);
    EXPECT_EQ(cut.files[0].data, whole.files[0].data);
    EXPECT_EQ(cut.email.urls, whole.email.urls);
    EXPECT_EQ(cut.events, whole.events);
  }
}

TEST(MimeText, Addresses) {
  EXPECT_EQ(mime::split_addresses("\"a, b\" <c@d>, e@f (x, y),, <g,h@i>"),
            (std::vector<std::string_view>{"\"a, b\" <c@d>", "e@f (x, y)", "<g,h@i>"}));
  EXPECT_TRUE(mime::split_addresses(" , ").empty());
}

}  // namespace
}  // namespace gatehouse::ids
