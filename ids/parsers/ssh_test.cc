#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ids/parsers/session_harness.h"
#include "ids/parsers/ssh_transaction.h"
#include "ids/parsers/x509.h"

namespace gatehouse::ids {
namespace {

using testing::client;
using testing::Conversation;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Played;
using testing::recut;
using testing::server;

std::string u32(std::size_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xffU));
  return out;
}
std::string record(const std::string& payload, std::size_t padding = 4) {
  return u32(payload.size() + padding + 1) + static_cast<char>(padding) + payload +
         std::string(padding, '\0');
}
std::string text(const std::string& value) {
  return u32(value.size()) + value;
}
// Both directions offer different ciphers, MACs and compressions.
std::string kex_init(const std::string& kex) {
  std::string out = '\x14' + std::string(16, 'c') + text(kex) + text("ssh-ed25519");
  for (const char* list : {"c2s-cipher", "s2c-cipher", "c2s-mac", "s2c-mac", "none", "zlib", "", ""})
    out += text(list);
  return record(out + '\0' + u32(0));
}
const std::string kNewKeys = record("\x15");

Conversation session() {
  return {server("SSH-2.0-OpenSSH_9.2 Debian-2\r\n"),
          client("SSH-2.0-Client_1.0\r\n"),
          client(kex_init("curve25519")),
          server(kex_init("group14")),
          client(record("\x1e key") + kNewKeys),
          server(record("\x1f key") + kNewKeys),
          client(std::string(300, 'e')),
          server(std::string(300, 'e'))};
}

ParserConfig with_hassh() {
  ParserConfig config;
  config.ssh.hassh = true;
  return config;
}

TEST(Ssh, ReadsBannersAndFingerprints) {
  Played played(session(), with_hassh(), 2222);
  ASSERT_EQ(played.count(), 1U);
  const auto& tx = played.tx<SshTransaction>(0);
  EXPECT_EQ(tx.sides[0].protocol, "2.0");
  EXPECT_EQ(tx.sides[0].software, "Client_1.0");
  EXPECT_EQ(tx.sides[1].software, "OpenSSH_9.2");
  EXPECT_EQ(tx.sides[0].hassh_string, "curve25519;c2s-cipher;c2s-mac;none");
  EXPECT_EQ(tx.sides[1].hassh_string, "group14;s2c-cipher;s2c-mac;zlib");
  EXPECT_EQ(tx.sides[0].hassh, tls::md5_hex("curve25519;c2s-cipher;c2s-mac;none"));
  EXPECT_EQ(tx.progress[0], kSshFinished);
  EXPECT_THAT(played.events(0), IsEmpty());
  EXPECT_TRUE(played.app().session->bypass);
  EXPECT_TRUE(played.app().session->opaque);
  EXPECT_THAT(played.log(0),
              HasSubstr(R"("server":{"proto_version":"2.0","software_version":"OpenSSH_9.2","hassh":)"));
}

TEST(Ssh, ComputesFingerprintsOnlyWhenAskedFor) {
  Played played(session());
  EXPECT_EQ(played.tx<SshTransaction>(0).sides[0].hassh, "");
  EXPECT_EQ(played.tx<SshTransaction>(0).progress[1], kSshFinished);
  EXPECT_THAT(played.log(0), Not(HasSubstr("hassh")));
}

TEST(Ssh, LeavesTheFlowReadableWhenAskedTo) {
  ParserConfig config;
  config.ssh.encrypted = EncryptedData::full;
  Played played(session(), config);
  EXPECT_FALSE(played.app().session->opaque);
}

TEST(Ssh, ResultDoesNotDependOnCuts) {
  const std::string whole = Played(session(), with_hassh()).describe();
  for (std::size_t size = 1; size < 80; ++size)
    EXPECT_EQ(Played(recut(session(), {size}), with_hassh()).describe(), whole) << size;
}

TEST(Ssh, ReportsWhatIsOdd) {
  const auto events = [](const std::string& bytes) {
    Played played({server("SSH-2.0-x\r\n"), client(bytes)}, with_hassh());
    return played.events(0);
  };
  EXPECT_THAT(events("SSH-2.0-" + std::string(300, 'a') + "\r\n"), ElementsAre("ssh.long_banner"));
  EXPECT_THAT(events("SSH-2.0-" + std::string(247, 'a') + "\n"), IsEmpty());
  EXPECT_THAT(events("SSH-2.0\r\n"), ElementsAre("ssh.invalid_banner"));
  EXPECT_THAT(events("GET / HTTP/1.1\r\n"), ElementsAre("ssh.invalid_banner"));
  EXPECT_THAT(events("SSH-2.0-a\r\n" + u32(1) + "xx"), ElementsAre("ssh.invalid_record"));
  EXPECT_THAT(events("SSH-2.0-a\r\n" + u32(70000) + "\x04\x14"), ElementsAre("ssh.long_kex_record"));
  EXPECT_THAT(events("SSH-2.0-a\r\n" + record('\x14' + std::string(16, 'c') + u32(0xffffff00))),
              ElementsAre("ssh.invalid_record"));
}

TEST(Ssh, SkipsLinesBeforeTheServersBanner) {
  Played played({client("SSH-2.0-c\r\n"), server("Welcome\r\nSSH-2.0-s\r\n")});
  EXPECT_EQ(played.tx<SshTransaction>(0).sides[1].software, "s");
  EXPECT_THAT(played.events(0), ElementsAre("ssh.invalid_banner"));
}

TEST(Ssh, DoesNotReadRecordsOfVersionOne) {
  Played played({client("SSH-1.5-old\n"), client(u32(1) + "xx")});
  EXPECT_EQ(played.tx<SshTransaction>(0).sides[0].protocol, "1.5");
  EXPECT_THAT(played.events(0), IsEmpty());
}

TEST(Ssh, TakesAnEndlessLineForABanner) {
  Played played({client("SSH-2.0-"), client(std::string(100'000, 'a'))});
  EXPECT_EQ(played.tx<SshTransaction>(0).sides[0].software.size(), 4096U - 8U);
  EXPECT_THAT(played.events(0), ElementsAre("ssh.long_banner"));
}

TEST(Ssh, GapsInsideSkippedRecordsChangeNothing) {
  Conversation lossy = {client("SSH-2.0-c\r\n" + u32(1000) + "\x04\x1e"),
                        {Direction::to_server, std::string(998, '?'), true},
                        client(kex_init("after"))};
  EXPECT_EQ(Played(lossy, with_hassh()).tx<SshTransaction>(0).sides[0].hassh_string,
            "after;c2s-cipher;c2s-mac;none");
  lossy[1].bytes += '?';
  EXPECT_EQ(Played(lossy, with_hassh()).tx<SshTransaction>(0).sides[0].hassh_string, "");
}

RC_GTEST_PROP(Ssh, AnyBytesAreTakenAndCutsDoNotMatter, (const std::string& bytes)) {
  const Conversation one = {client("SSH-2.0-c\r\n" + bytes), server("SSH-2.0-s\r\n" + bytes)};
  const auto size = *rc::gen::inRange<std::size_t>(1, 20);
  RC_ASSERT(Played(one, with_hassh()).describe() == Played(recut(one, {size}), with_hassh()).describe());
}

}  // namespace
}  // namespace gatehouse::ids
