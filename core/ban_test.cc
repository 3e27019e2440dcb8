#include "core/ban.h"

#include <gtest/gtest.h>

namespace gatehouse::core {
namespace {

TEST(Ban, RequestsReadBack) {
  const BanRequest request{*IpAddress::parse("2001:db8::7"), 600, "bruteforce.ssh \"x\"\n", "12"};
  const std::string line = to_line(request);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto back = parse_ban_request(line);
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->address, request.address);
  EXPECT_EQ(back->seconds, 600U);
  EXPECT_EQ(back->reason, request.reason);
  EXPECT_EQ(back->event, "12");
  EXPECT_TRUE(parse_ban_reply(to_line(BanReply{true, ""}))->ok);
  EXPECT_EQ(parse_ban_reply(to_line(BanReply{false, "no"}))->error, "no");
  const BanRequest longest{*IpAddress::parse("192.0.2.7"), 1, std::string(600, '\x01'),
                           std::string(600, '\x01')};
  EXPECT_TRUE(parse_ban_request(to_line(longest)));
}

TEST(Ban, WordsOfAnyBytesStayWithinTheirLimit) {
  // Bytes that are no UTF-8 grow on the way; a character is not cut in two, which would make such bytes.
  for (const std::string& text : {std::string("\xff"), std::string("\xc3\xa9"), std::string("x\xe2\x82\xac"),
                                  std::string("\xe2\x82"), std::string("\xf0\x9f\x98\x80")}) {
    std::string many;
    for (int i = 0; i < 400; ++i) many += text;
    const auto back = parse_ban_request(to_line(BanRequest{*IpAddress::parse("192.0.2.7"), 1, many, many}));
    ASSERT_TRUE(back) << back.error().to_string();
    EXPECT_GT(back->reason.size(), kMostBanReason - 4);
    EXPECT_EQ(back->event, back->reason.substr(0, back->event.size()));
    EXPECT_GT(back->event.size(), kMostBanEvent - 4);
    EXPECT_TRUE(parse_ban_reply(to_line(BanReply{false, many})));
  }
}

TEST(Ban, RefusesWhatIsNoRequest) {
  for (const char* line : {
           "",
           "[]",
           "{",
           R"({"address":"192.0.2.7","seconds":600})",
           R"({"address":"192.0.2.0/24","seconds":600,"reason":"r"})",
           R"({"address":"192.0.2.7","seconds":0,"reason":"r"})",
           R"({"address":"192.0.2.7","seconds":2592001,"reason":"r"})",
           R"({"address":"192.0.2.7","reason":"r"})",
           R"({"address":"192.0.2.7","seconds":-1,"reason":"r"})",
           R"({"address":"192.0.2.7","seconds":1,"reason":"r","port":22})",
           R"({"address":"127.0.0.1","seconds":1,"reason":"r"})",
           R"({"address":"::","seconds":1,"reason":"r"})",
           R"({"address":"::ffff:192.0.2.7","seconds":1,"reason":"r"})",
           R"({"address":"fe80::1","seconds":1,"reason":"r"})",
           R"({"address":"ff02::1","seconds":1,"reason":"r"})",
           R"({"address":"255.255.255.255","seconds":1,"reason":"r"})",
       })
    EXPECT_FALSE(parse_ban_request(line)) << line;
  EXPECT_FALSE(parse_ban_request(std::string(kMostBanLine + 1, ' ')));
  EXPECT_FALSE(parse_ban_reply("{}"));
  EXPECT_FALSE(parse_ban_reply("{\"ok\":7}"));
}

}  // namespace
}  // namespace gatehouse::core
