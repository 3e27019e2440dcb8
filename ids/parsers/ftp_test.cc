#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ids/parsers/ftp_session.h"
#include "ids/parsers/session_harness.h"

namespace gatehouse::ids {
namespace {

using testing::client;
using testing::Conversation;
using ::testing::ElementsAre;
using testing::Played;
using testing::recut;
using testing::server;

Played play(const Conversation& conversation, const ParserConfig& config = {}) {
  return Played(conversation, config, 21);
}

std::vector<std::string> texts(const FtpTransaction& tx) {
  std::vector<std::string> out;
  for (const FtpReplyLine& reply : tx.replies) out.emplace_back(reply.text());
  return out;
}

const Conversation kLogin = {server("220 FTP ready\r\n"), client("USER a\r\n"), server("331 Password?\r\n"),
                             client("pass  b \r\n"), server("230-Hello\r\n 230 is no end\r\n230 In.\r\n")};

Conversation after_login(const Conversation& more) {
  Conversation all = kLogin;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

TEST(Ftp, PairsCommandsAndReplies) {
  Played played = play(kLogin);
  ASSERT_EQ(played.count(), 3U);
  EXPECT_EQ(
      played.log(0),
      R"({"completion_code":["220"],"reply":["FTP ready"],"reply_received":"yes","reply_truncated":false})");
  EXPECT_EQ(played.tx<FtpTransaction>(1).command, "USER");
  EXPECT_EQ(played.tx<FtpTransaction>(1).argument, "a");
  const auto& pass = played.tx<FtpTransaction>(2);
  EXPECT_EQ(pass.command, "PASS");
  EXPECT_EQ(pass.argument, " b ");
  EXPECT_THAT(texts(pass), ElementsAre("230-Hello", " 230 is no end", "In."));
  EXPECT_TRUE(pass.done());
}

TEST(Ftp, RepliesGoToTheOldestCommand) {
  Played played = play(after_login({client("PWD\r\nCWD x\r\nRETR y\r\n"), server("257 \"/\"\r\n250 ok\r\n"),
                                    server("150 coming\r\n"), server("226 done\r\n")}));
  ASSERT_EQ(played.count(), 6U);
  EXPECT_THAT(texts(played.tx<FtpTransaction>(3)), ElementsAre("\"/\""));
  EXPECT_THAT(texts(played.tx<FtpTransaction>(4)), ElementsAre("ok"));
  EXPECT_THAT(texts(played.tx<FtpTransaction>(5)), ElementsAre("coming", "done"));
}

TEST(Ftp, ReadsDataPorts) {
  struct Row {
    std::string command, reply;
    std::uint16_t port;
    std::string mode;
  };
  const std::vector<Row> rows = {
      {"PASV", "227 Entering Passive Mode (10,0,0,2,82,11).", 21003, "passive"},
      {"PASV", "227 =10,0,0,2,0,80", 80, "passive"},
      {"PASV", "227 Entering Passive Mode (10,0,0,2,82).", 0, "passive"},
      {"PASV", "227 (10,0,0,256,82,11)", 0, "passive"},
      {"PASV", "500 (10,0,0,2,82,11)", 0, "passive"},
      {"EPSV", "229 Entering Extended Passive Mode (|||6446|)", 6446, "passive"},
      {"EPSV", "229 ok (!!!65535!)", 65535, "passive"},
      {"EPSV", "229 ok (|||65536|)", 0, "passive"},
      {"EPSV", "229 ok (|||6446", 0, "passive"},
      {"PORT 10,0,0,1,4,1", "200 ok", 1025, "active"},
      {"PORT 10,0,0,1,4", "200 ok", 0, "passive"},
      {"PORT 10,0,0,1,4,1", "501 no", 0, "passive"},
      {"EPRT |1|132.235.1.2|6275|", "200 ok", 6275, "active"},
      {"EPRT |2|1080::8:800:200C:417A|5282|", "200 ok", 5282, "active"},
      {"EPRT |2|nothing|5282|", "200 ok", 0, "passive"},
      {"EPRT |1|132.235.1.2|0|", "200 ok", 0, "passive"},
  };
  for (const Row& row : rows) {
    Played played = play(after_login({client(row.command + "\r\n"), server(row.reply + "\r\n")}));
    const auto& tx = played.tx<FtpTransaction>(3);
    EXPECT_EQ(tx.dynamic_port, row.port) << row.command << row.reply;
    EXPECT_NE(played.log(3).find("\"mode\":\"" + row.mode + "\""), std::string::npos) << played.log(3);
  }
}

TEST(Ftp, LongLinesAreCutOnceAndTheRestIsSkipped) {
  const std::string name(6000, 'A');
  Played played = play(after_login({client("DELE " + name + "\r\n"), server("550 " + name + "\r\n"),
                                    client("DELE b\r\n"), server("250 ok\r\n")}));
  ASSERT_EQ(played.count(), 5U);
  const auto& cut = played.tx<FtpTransaction>(3);
  EXPECT_TRUE(cut.command_truncated);
  EXPECT_TRUE(cut.reply_truncated);
  EXPECT_EQ(cut.argument.size(), 4091U);
  EXPECT_TRUE(played.has_event(3, "ftp.request_command_too_long"));
  EXPECT_TRUE(played.has_event(3, "ftp.response_command_too_long"));
  EXPECT_FALSE(played.tx<FtpTransaction>(4).command_truncated);
  EXPECT_EQ(played.tx<FtpTransaction>(4).argument, "b");
}

TEST(Ftp, BoundsWhatItKeeps) {
  ParserConfig config;
  config.ftp.max_transactions = 2;
  Played many = play(after_login({client("PWD\r\nPWD\r\nPWD\r\nPWD\r\n")}), config);
  EXPECT_EQ(many.count(), 5U);
  EXPECT_TRUE(many.has_event(4, "ftp.too_many_transactions"));

  ParserConfig small;
  small.ftp.memcap = 4 * sizeof(FtpTransaction);
  {
    Played capped = play(after_login({client("PWD\r\nPWD\r\nPWD\r\nPWD\r\n")}), small);
    EXPECT_LT(capped.count(), 5U);
    EXPECT_GT(small.ftp.memory->load(), 0U);
  }
  EXPECT_EQ(small.ftp.memory->load(), 0U);

  std::string endless = "211-a\r\n";
  for (int i = 0; i < 5000; ++i) endless += " more\r\n";
  Played replies = play(after_login({client("FEAT\r\n"), server(endless)}));
  EXPECT_LE(replies.tx<FtpTransaction>(3).replies.size(), 512U);
  EXPECT_TRUE(replies.tx<FtpTransaction>(3).reply_truncated);
}

TEST(Ftp, FileBeforePort) {
  Played played = play(after_login({client("RETR x\r\nLIST\r\n")}));
  EXPECT_TRUE(played.has_event(3, "ftp.file_before_port"));
  EXPECT_FALSE(played.has_event(4, "ftp.file_before_port"));
}

TEST(Ftp, UpgradesAfterAuth) {
  Played played = play({server("220 FTP\r\n"), client("AUTH TLS\r\n"), server("234 go\r\n"),
                        client(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11))});
  EXPECT_EQ(played.log(1), R"({"command":"AUTH TLS","completion_code":["234"],"reply":["go"],)"
                           R"("reply_received":"yes","reply_truncated":false})");
  EXPECT_TRUE(played.app().session->upgrade);
  EXPECT_EQ(played.app().session->upgrade_to, "tls");
}

TEST(Ftp, TelnetCommandsBeforeAbor) {
  Played played = play(after_login({client("\xff\xf4\xff\xf2"
                                           "ABOR\r\n"),
                                    server("226 ok\r\n")}));
  EXPECT_EQ(played.tx<FtpTransaction>(3).command, "ABOR");
}

TEST(Ftp, DoesNotClaimMail) {
  Played mail = play({server("220 mail ESMTP\r\n"), client("EHLO a\r\n"), server("250 ok\r\n")});
  EXPECT_NE(app_proto_name(mail.app().proto), "ftp");
}

// Control and data connection through one AppLayer, as a worker has them.
class Transfer {
 public:
  explicit Transfer(const ParserConfig& config = {}) : layer_(config) {
    control_.key = {*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.2"), 4000, 21, kProtoTcp, 0, {}};
  }
  void say(Direction direction, const std::string& bytes, std::int64_t time_us = 0) {
    feed(control_, direction, bytes, time_us);
  }
  // The data connection, opened to `port` by the server when `active`.
  void open(std::uint16_t port, bool active) {
    data_.key = control_.key;
    if (active) std::swap(data_.key.client, data_.key.server);
    data_.key.client_port = 5000;
    data_.key.server_port = port;
  }
  void send(Direction direction, const std::string& bytes, std::int64_t time_us = 0) {
    feed(data_, direction, bytes, time_us);
  }
  void lose(Direction direction, std::uint64_t bytes) {
    StreamChunk chunk;
    chunk.direction = direction;
    chunk.gap = bytes;
    layer_.on_stream(data_, chunk, 0);
  }
  void close() { layer_.on_flow_end(data_); }
  std::string proto() { return std::string(app_proto_name(app_flow(data_)->proto)); }
  FtpDataTransaction& tx() {
    return static_cast<FtpDataTransaction&>(*app_flow(data_)->session->transactions().at(0));
  }

 private:
  void feed(Flow& flow, Direction direction, const std::string& bytes, std::int64_t time_us) {
    StreamChunk chunk;
    chunk.direction = direction;
    chunk.data = core::as_bytes(bytes);
    layer_.on_stream(flow, chunk, time_us);
  }
  AppLayer layer_;
  Flow control_, data_;
};

TEST(FtpData, FollowsAPassiveDownload) {
  Transfer t;
  t.say(Direction::to_server, "USER a\r\n");
  t.say(Direction::to_server, "PASV\r\n");
  t.say(Direction::to_client, "331 ok\r\n227 (192,168,7,7,4,1)\r\n");
  t.say(Direction::to_server, "RETR dir/a.txt\r\n");
  t.open(1025, false);
  t.send(Direction::to_client, "hello ");
  t.send(Direction::to_client, "world");
  t.close();
  EXPECT_EQ(t.proto(), "ftp-data");
  EXPECT_EQ(t.tx().command, "RETR");
  ASSERT_EQ(t.tx().files.size(), 1U);
  const TransferredFile& file = t.tx().files.front();
  EXPECT_EQ(file.name, "dir/a.txt");
  EXPECT_EQ(file.direction, Direction::to_client);
  EXPECT_EQ(std::string(file.data.begin(), file.data.end()), "hello world");
  EXPECT_EQ(file.state, FileState::closed);
}

TEST(FtpData, FollowsAnActiveUpload) {
  Transfer t;
  t.say(Direction::to_server, "USER a\r\nPORT 10,0,0,1,4,1\r\nSTOR up\r\n");
  t.say(Direction::to_client, "331 ok\r\n200 ok\r\n");
  t.say(Direction::to_server, "STOR up\r\n");
  t.open(1025, true);
  t.send(Direction::to_client, "abc");
  t.lose(Direction::to_client, 10);
  t.close();
  EXPECT_EQ(t.proto(), "ftp-data");
  const TransferredFile& file = t.tx().files.at(0);
  EXPECT_EQ(file.direction, Direction::to_client);
  EXPECT_EQ(file.size, 13U);
  EXPECT_EQ(file.state, FileState::truncated);
}

TEST(FtpData, ListingsAreNoFiles) {
  Transfer t;
  t.say(Direction::to_server, "USER a\r\nPASV\r\n");
  t.say(Direction::to_client, "331 ok\r\n227 (10,0,0,2,4,1)\r\n");
  t.say(Direction::to_server, "NLST\r\n");
  t.open(1025, false);
  t.send(Direction::to_client, "a\r\n");
  t.close();
  EXPECT_EQ(t.tx().command, "NLST");
  EXPECT_TRUE(t.tx().files.empty());
}

TEST(FtpData, ExpectationsEndAndAreUsedOnce) {
  Transfer t;
  t.say(Direction::to_server, "USER a\r\nPASV\r\n");
  t.say(Direction::to_client, "331 ok\r\n227 (10,0,0,2,4,1)\r\n");
  t.say(Direction::to_server, "RETR x\r\n");
  t.open(1025, false);
  t.send(Direction::to_client, "hello", ExpectedFlows::kLifetimeUs + 1);
  EXPECT_NE(t.proto(), "ftp-data");

  ExpectedFlows table;
  const FlowKey control{
      *IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.2"), 4000, 21, kProtoTcp, 0, {}};
  FlowKey data = control;
  data.server_port = 1025;
  table.add(control, {"ftp-data", Direction::to_server, {}, 1025, nullptr}, 0);
  data.client = *IpAddress::parse("10.0.0.9");
  EXPECT_FALSE(table.take(data, 1));
  data.client = control.client;
  EXPECT_TRUE(table.take(data, 1));
  EXPECT_FALSE(table.take(data, 1));
  EXPECT_TRUE(table.empty());
  for (std::size_t i = 0; i < ExpectedFlows::kMost + 10; ++i) {
    FlowKey other = control;
    other.client = IpAddress::v4(static_cast<std::uint32_t>(i));
    table.add(other, {"ftp-data", Direction::to_server, {}, 1025, nullptr}, 0);
  }
  data.client = IpAddress::v4(0);
  EXPECT_FALSE(table.take(data, 1));
}

// The result does not depend on how the streams were cut.
const Conversation kWhole =
    after_login({client("PASV\r\n"), server("227 Entering (10,0,0,2,82,11).\r\n"),
                 client("STOR f\r\nNOOP\r\n"), server("150-a\r\n150 b\r\n226 c\r\n200 d\r\n"),
                 client("DELE " + std::string(5000, 'x') + "\r\nQUIT\r\n"),
                 server("550 " + std::string(4094, 'y') + "\r\n221 bye\n")});

TEST(Ftp, EveryCutGivesTheSame) {
  const std::string whole = play(kWhole).describe();
  for (std::size_t size = 1; size < 40; ++size) {
    EXPECT_EQ(play(recut(kWhole, {size})).describe(), whole) << size;
  }
}

RC_GTEST_PROP(Ftp, RandomCutsGiveTheSame, ()) {
  const auto sizes =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 50)));
  RC_ASSERT(play(recut(kWhole, sizes)).describe() == play(kWhole).describe());
}

}  // namespace
}  // namespace gatehouse::ids
