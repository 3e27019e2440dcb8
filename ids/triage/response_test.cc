#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <thread>

#include "ids/triage/guard_client.h"
#include "ids/triage/own_addresses.h"
#include "ids/triage/responder.h"

namespace gatehouse::ids::triage {
namespace {

using anomaly::Detection;
using anomaly::Phase;
using anomaly::Verdict;

constexpr std::int64_t kNow = 1'700'000'000'000'000, kSecond = 1'000'000;

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

Response policy() {
  Response out;
  out.on = out.enforce = true;
  out.classes = {"bruteforce.*", "dos.*", "scan.*"};
  out.ban_us = 60 * kSecond;
  out.longest_us = 600 * kSecond;
  out.escalation = 4;
  out.never = {*IpPrefix::parse("10.0.0.0/8"), *IpPrefix::parse("203.0.113.7")};
  return out;
}

struct Case {
  std::vector<IpAddress> sources;
  Detection d;
  Case(Verdict verdict, std::initializer_list<const char*> from, std::uint64_t id = 1) {
    for (const char* a : from) sources.push_back(ip(a));
    d.verdict = verdict;
    d.id = id;
    d.time_us = kNow;
    d.sources = sources;
    d.sources_total = sources.size();
    d.confidence = 0.95;
  }
};

TEST(Responder, BansWhoProvedWhoHeIs) {
  const Response response = policy();
  Responder responder(response, true);
  const Case guessing{Verdict::ssh_guessing, {"192.0.2.9"}};
  const auto& bans = responder.rule(guessing.d);
  ASSERT_EQ(bans.size(), 1u);
  EXPECT_EQ(bans[0].ruling, Ruling::ask);
  EXPECT_EQ(bans[0].request.seconds, 60u);
  EXPECT_EQ(bans[0].request.reason, "bruteforce.ssh, confidence 0.95");
  EXPECT_TRUE(core::parse_ban_request(core::to_line(bans[0].request)));
}

TEST(Responder, NeverBansForWhatAnybodyCouldHaveSent) {
  const Response response = policy();
  Responder responder(response, true);
  for (std::size_t v = 0; v < static_cast<std::size_t>(Verdict::count_); ++v) {
    const auto verdict = static_cast<Verdict>(v);
    const Case c{verdict, {"192.0.2.9"}, v + 1};
    const bool proved = anomaly::attack_class(verdict).klass.starts_with("bruteforce.") ||
                        verdict == Verdict::http_flood || verdict == Verdict::slowloris ||
                        verdict == Verdict::slow_post || verdict == Verdict::slow_read ||
                        verdict == Verdict::connection_exhaustion || verdict == Verdict::http2_reset ||
                        verdict == Verdict::http2_continuation || verdict == Verdict::tls_handshakes ||
                        verdict == Verdict::tls_renegotiation || verdict == Verdict::scan_version;
    Responder fresh(response, true);
    EXPECT_EQ(!fresh.rule(c.d).empty(), proved) << anomaly::attack_class(verdict).klass;
  }
}

TEST(Responder, KeepsItsHandsOffAndSaysSoOnce) {
  Response response = policy();
  response.confidence = 0.9;
  Responder responder(response, true);
  const Case many{Verdict::http_flood, {"10.1.1.1", "203.0.113.7", "127.0.0.1", "192.0.2.9"}};
  const auto& bans = responder.rule(many.d);
  ASSERT_EQ(bans.size(), 4u);
  EXPECT_EQ(bans[0].why, "10.0.0.0/8 is never banned");
  EXPECT_EQ(bans[1].why, "203.0.113.7/32 is never banned");
  EXPECT_EQ(bans[2].ruling, Ruling::withheld);
  EXPECT_EQ(bans[3].ruling, Ruling::ask);
  EXPECT_TRUE(responder.rule(many.d).empty());
  Case weak{Verdict::ssh_guessing, {"192.0.2.10"}, 2};
  weak.d.confidence = 0.8;
  EXPECT_EQ(responder.rule(weak.d)[0].why, "confidence 0.80 is below 0.90");
  weak.d.phase = Phase::update;
  weak.d.confidence = 0.9;
  EXPECT_EQ(responder.rule(weak.d)[0].ruling, Ruling::ask);
  EXPECT_EQ(responder.counters().withheld, 4u);
  EXPECT_EQ(responder.counters().asked, 2u);
}

TEST(Responder, BansLongerWhoComesBack) {
  const Response response = policy();
  Responder responder(response, true);
  Case c{Verdict::ssh_guessing, {"192.0.2.9"}};
  std::vector<std::uint32_t> lengths;
  for (std::uint64_t i = 0; i < 4; ++i) {
    c.d.id = i + 1;
    for (const Ban& ban : responder.rule(c.d)) lengths.push_back(ban.request.seconds);
    c.d.time_us += 1000 * kSecond;
  }
  EXPECT_EQ(lengths, (std::vector<std::uint32_t>{60, 240, 600, 600}));
  c.d.time_us += 10 * 86'400 * kSecond;
  EXPECT_EQ(responder.rule(c.d)[0].request.seconds, 60u);
}

TEST(Responder, IsDryWithoutAGuardOrByPolicyAndBounded) {
  Response response = policy();
  Responder dry(response, false);
  const Case c{Verdict::ssh_guessing, {"192.0.2.9"}};
  EXPECT_EQ(dry.rule(c.d)[0].ruling, Ruling::dry_run);
  response.on = false;
  EXPECT_TRUE(Responder(response, true).rule(c.d).empty());
  response.on = true;
  Responder many(response, true);
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    Case one{Verdict::ssh_guessing, {}, i};
    one.sources = {IpAddress::v4(0xc6336400U + i)};
    one.d.sources = one.sources;
    one.d.time_us += i;
    EXPECT_EQ(many.rule(one.d).size(), 1u);
  }
}

// Answers each request with what `reply` says, until it goes out of scope.
class FakeGuard {
 public:
  FakeGuard(const std::string& path, std::string reply) : reply_(std::move(reply)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeGuard() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::vector<core::BanRequest> asked;

 private:
  void serve() {
    for (;;) {
      const core::UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
      if (!client.valid()) return;
      char buffer[core::kMostBanLine];
      const ssize_t n = ::recv(client.get(), buffer, sizeof buffer, 0);
      if (n <= 0) continue;
      const auto request = core::parse_ban_request({buffer, static_cast<std::size_t>(n)});
      EXPECT_TRUE(request);
      if (request) asked.push_back(*request);
      (void)::send(client.get(), reply_.data(), reply_.size(), MSG_NOSIGNAL);
    }
  }
  std::string reply_;
  core::UniqueFd listener_;
  std::thread thread_;
};

class Guard : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(mkdtemp(directory_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string path() const { return directory_ + "/guard.sock"; }
  static core::BanRequest request(std::uint32_t i = 0) {
    return {IpAddress::v4(0xc0000201U + i), 60, "bruteforce.ssh", "1"};
  }
  static void wait_for(const GuardClient& client, std::uint64_t GuardCounters::*counter) {
    for (int i = 0; i < 400 && client.counters().*counter == 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(client.counters().*counter, 1u);
  }
  std::string directory_ = "/tmp/gh-ids-guard-XXXXXX";
};

TEST_F(Guard, AcceptsAndRefuses) {
  for (const bool ok : {true, false}) {
    std::filesystem::remove(path());
    FakeGuard guard(path(), core::to_line(core::BanReply{ok, "it is the administration host"}));
    GuardClient client(path());
    EXPECT_TRUE(client.ask(request()));
    wait_for(client, ok ? &GuardCounters::accepted : &GuardCounters::refused);
    ASSERT_EQ(guard.asked.size(), 1u);
    EXPECT_EQ(guard.asked[0].address.to_string(), "192.0.2.1");
  }
}

TEST_F(Guard, IsTriedAgainUntilItIsThere) {
  GuardClient client(path());
  EXPECT_TRUE(client.ask(request()));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  FakeGuard guard(path(), core::to_line(core::BanReply{true, ""}));
  wait_for(client, &GuardCounters::accepted);
}

TEST_F(Guard, WhenMissingIsCountedAndHoldsNobodyUp) {
  GuardClient client(path(), 0);
  EXPECT_TRUE(client.ask(request()));
  wait_for(client, &GuardCounters::undelivered);
  // One more than may wait, beside the one that is being delivered.
  GuardClient full(path());
  for (std::uint32_t i = 0; i < GuardClient::kMostWaiting + 8; ++i) (void)full.ask(request(i));
  EXPECT_EQ(full.counters().overflow, 8u);
}

TEST_F(Guard, NonsenseIsNoAnswer) {
  FakeGuard guard(path(), "yes\n");
  GuardClient client(path(), 0);
  EXPECT_TRUE(client.ask(request()));
  wait_for(client, &GuardCounters::undelivered);
}

TEST(OwnAddresses, GatewaysComeFromTheRoutes) {
  const auto v4 = gateways_v4(
      "Iface\tDestination\tGateway "
      "\tFlags\neth0\t00000000\t0100000A\t0003\t0\neth0\t0000000A\t00000000\t0001\n");
  ASSERT_EQ(v4.size(), 1u);
  if constexpr (std::endian::native == std::endian::little) {
    EXPECT_EQ(v4[0].to_string(), "10.0.0.1/32");
  }
  const auto v6 = gateways_v6(
      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
      "20010db8000000000000000000000001 0\n"
      "x\n00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
      "zz010db8000000000000000000000001\n");
  ASSERT_EQ(v6.size(), 1u);
  EXPECT_EQ(v6[0].to_string(), "2001:db8::1/128");
  for (const IpPrefix& prefix : own_addresses()) EXPECT_TRUE(prefix.is_host());
}

}  // namespace
}  // namespace gatehouse::ids::triage
