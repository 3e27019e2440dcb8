// Classes that need what was said, not only what was answered: logins, first words, answers to others,
// streams.
#include <gtest/gtest.h>

#include "ids/anomaly/testing_lab.h"

namespace gatehouse::ids::anomaly {
namespace {

using namespace testing;

IpAddress of_network(std::uint32_t host) {
  IpAddress a = *IpAddress::parse("2001:db8:66:9::");
  a.bytes[14] = static_cast<std::uint8_t>(host >> 8U);
  a.bytes[15] = static_cast<std::uint8_t>(host);
  return a;
}

TEST(SenderNetwork, AScanFromManyAddressesOfOneIsOneEvent) {
  Lab lab;
  const IpAddress server = *IpAddress::parse("2001:db8:1::1");
  for (std::uint16_t port = 1; port <= 60; ++port) {
    lab.tell(lab.make(Contact::tcp_attempt, of_network(port), server, port));
    lab.tell(lab.make(Contact::tcp_refused, of_network(port), server, port));
    lab.wait(10 * kMs);
  }
  ASSERT_EQ(lab.starts(), 1u) << lab.names();
  EXPECT_EQ(lab.found[0].verdict, Verdict::scan_vertical);
  EXPECT_EQ(lab.found[0].source_bits, 64);
  EXPECT_GE(lab.found[0].sources.size(), 8u);
  // What is known is renewed with each quarter more.
  lab.finish();
  EXPECT_GE(lab.found.back().sources.size(), 40u);
}

TEST(SenderNetwork, OneAddressOfItIsNamedItself) {
  Lab lab;
  const IpAddress server = *IpAddress::parse("2001:db8:1::1");
  for (std::uint16_t port = 1; port <= 60; ++port) {
    const IpAddress client = of_network(port % 10 == 0 ? port : 7);  // neighbours fail now and then
    lab.tell(lab.make(Contact::tcp_attempt, client, server, port));
    lab.tell(lab.make(Contact::tcp_refused, client, server, port));
    lab.wait(10 * kMs);
  }
  ASSERT_EQ(lab.starts(), 1u) << lab.names();
  EXPECT_EQ(lab.found[0].source, "2001:db8:66:9::7");
  EXPECT_EQ(lab.found[0].source_bits, 0);
}

TEST(SenderNetwork, TheSecondScannerOfItMakesThemOne) {
  Lab lab;
  const IpAddress server = *IpAddress::parse("2001:db8:1::1");
  for (std::uint16_t port = 1; port <= 100; ++port) {
    const IpAddress client = of_network(port <= 12 ? 1 : port % 5);
    lab.tell(lab.make(Contact::tcp_attempt, client, server, port));
    lab.tell(lab.make(Contact::tcp_refused, client, server, port));
    lab.wait(10 * kMs);
  }
  EXPECT_EQ(lab.starts(), 1u) << lab.names();
  lab.finish();
  EXPECT_EQ(lab.found.back().source_bits, 64);
  for (const Found& f : lab.found) EXPECT_EQ(f.id, lab.found[0].id);
}

TEST(SenderNetwork, ANetworkOfClientsIsNoScanner) {
  Lab lab;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const IpAddress client = of_network(i % 40 + 1);
    const IpAddress server = *IpAddress::parse("2001:db8:1::" + std::to_string(i % 90));
    for (const Contact c : {Contact::tcp_attempt, Contact::tcp_answered, Contact::tcp_completed})
      lab.tell(lab.make(c, client, server, 443, static_cast<std::uint16_t>(i)));
    Observation closed = lab.make(Contact::tcp_closed, client, server, 443, static_cast<std::uint16_t>(i));
    closed.value = closed.detail = 5000;
    lab.tell(closed);
    if (i % 6 == 0) {
      const IpAddress dead = *IpAddress::parse("2001:db8:1::" + std::to_string(i % 30 + 500));
      lab.tell(lab.make(Contact::tcp_attempt, client, dead, 443, static_cast<std::uint16_t>(i)));
      lab.tell(lab.make(Contact::tcp_refused, client, dead, 443, static_cast<std::uint16_t>(i)));
    }
    lab.wait(20 * kMs);
  }
  EXPECT_TRUE(lab.found.empty()) << lab.names();
}

TEST(SourceScan, AWideScanListsUpTo64Targets) {
  Lab lab;
  for (std::uint32_t host = 0; host < 200; ++host) {
    lab.probe(kAttacker, kServer + host, 445);
    lab.wait(10 * kMs);
  }
  lab.finish();
  EXPECT_EQ(lab.found.back().targets.size(), 64u);
}

void login(Lab& lab, const IpAddress& client, std::uint64_t refused, std::uint64_t granted) {
  Observation o = lab.make(Contact::login, client, IpAddress::v4(kServer), 587);
  o.value = refused;
  o.detail = granted;
  lab.tell(o);
  lab.wait(500 * kMs);
}

TEST(Guessing, LoginsOverSmtp) {
  Lab lab;
  for (int i = 0; i < 6; ++i) login(lab, IpAddress::v4(kAttacker), 3, 0);
  ASSERT_EQ(lab.starts(), 1u);
  EXPECT_EQ(lab.found[0].verdict, Verdict::smtp_guessing);
  Lab people;
  for (std::uint32_t i = 0; i < 60; ++i)
    login(people, IpAddress::v4(kAttacker + i % 3), i % 4 == 0 ? 1 : 0, 1);
  EXPECT_TRUE(people.found.empty()) << people.names();
}

TEST(Guessing, OfANetworkIsOneEvent) {
  Lab lab;
  for (std::uint32_t i = 0; i < 40; ++i) login(lab, of_network(i % 25), 1, 0);
  EXPECT_EQ(lab.starts(), 1u) << lab.names();
  EXPECT_EQ(lab.found[0].source_bits, 64);
}

void say(Lab& lab, std::uint32_t client, std::uint16_t port, FirstWords words, std::uint16_t from) {
  if (words == FirstWords::none) {
    Observation o = lab.make(Contact::tcp_closed, IpAddress::v4(client), IpAddress::v4(kServer), port, from);
    o.detail = 1;
    return lab.tell(o);
  }
  Observation o = lab.make(Contact::tcp_data, IpAddress::v4(client), IpAddress::v4(kServer), port, from);
  o.value = static_cast<std::uint64_t>(words);
  lab.tell(o);
}

TEST(VersionScan, ManyKindsAtOnePortOrSomeAtSeveral) {
  constexpr FirstWords kKinds[] = {FirstWords::none, FirstWords::blank, FirstWords::http,
                                   FirstWords::tls,  FirstWords::zeros, FirstWords::opaque};
  Lab one, several;
  for (const FirstWords kind : kKinds) say(one, kAttacker, 9000, kind, 1);
  EXPECT_EQ(one.count(Verdict::scan_version), 1u) << one.names();
  for (std::uint16_t port = 9000; port < 9004; ++port) {
    for (std::size_t i = 0; i < 3; ++i) say(several, kAttacker, port, kKinds[i], 1);
  }
  EXPECT_EQ(several.count(Verdict::scan_version), 1u) << several.names();
}

TEST(VersionScan, WhatIsNone) {
  Lab monitor, tunnel, clients;
  for (std::uint16_t turn = 0; turn < 30; ++turn) {
    for (std::uint16_t port = 20; port < 40; ++port) {
      say(monitor, kAttacker, port, FirstWords::none, turn);
      say(monitor, kAttacker, port, port % 2 == 0 ? FirstWords::http : FirstWords::after_banner, turn);
    }
  }
  // Random bytes: mostly without zeros, now and then of any other kind.
  for (std::uint16_t i = 0; i < 600; ++i) {
    const auto rare = static_cast<FirstWords>(static_cast<unsigned>(FirstWords::zeros) + i / 60);
    say(tunnel, kAttacker, 8388, i % 60 == 59 ? rare : FirstWords::opaque, i);
  }
  for (std::uint32_t client = 0; client < 40; ++client)
    say(clients, kAttacker + client, 443, static_cast<FirstWords>(1 + client % 8), 1);
  Lab itself;
  for (std::uint16_t port = 9000; port < 9010; ++port) {
    for (unsigned kind = 1; kind < 8; ++kind) say(itself, kServer, port, static_cast<FirstWords>(kind), 1);
  }
  for (Lab* lab : {&monitor, &tunnel, &clients, &itself}) EXPECT_TRUE(lab->found.empty()) << lab->names();
}

void answer(Lab& lab, std::uint32_t asker, std::uint32_t bytes, std::uint64_t asked, std::uint64_t question) {
  Observation o = lab.make(Contact::udp_amplified, IpAddress::v4(asker), IpAddress::v4(kServer), 53);
  o.protocol = 17;
  o.bytes = bytes;
  o.value = asked;
  o.detail = question;
  lab.tell(o);
}

TEST(ReflectionOut, TheSameLargeAnswerAgainAndAgain) {
  Lab lab;
  for (int i = 0; i < 100; ++i) {
    answer(lab, kAttacker, 3000, 70, static_cast<std::uint64_t>(i % 3));
    lab.wait(50 * kMs);
  }
  ASSERT_EQ(lab.starts(), 1u);
  EXPECT_EQ(lab.found[0].verdict, Verdict::amplification_out);
  EXPECT_EQ(lab.found[0].source, "10.0.0.1");
  EXPECT_EQ(lab.found[0].target, "198.51.100.1");
}

TEST(ReflectionOut, AnswersThatTheirReceiverRefuses) {
  Lab lab;
  for (std::uint16_t i = 0; i < 30; ++i) {
    answer(lab, kAttacker, 1000, 70, i);
    Observation o = lab.make(Contact::unreachable, IpAddress::v4(kServer), IpAddress::v4(kAttacker), i, 53);
    o.protocol = 17;
    o.value = 3;
    lab.tell(o);
    lab.wait(50 * kMs);
  }
  EXPECT_EQ(lab.starts(), 1u) << lab.names();
}

TEST(ReflectionOut, WhatIsNone) {
  Lab lab;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    answer(lab, kAttacker, 1500, 90, i);                       // a resolver and a signed zone
    answer(lab, kAttacker + 1, 300, 90, 1);                    // the same question, small answers
    if (i % 50 == 0) answer(lab, kAttacker + 2, 3000, 70, 1);  // the same question, now and then
    lab.wait(10 * kMs);
  }
  EXPECT_TRUE(lab.found.empty()) << lab.names();
}

void streams(Lab& lab, std::uint64_t opened, std::uint64_t cancelled) {
  Observation o = lab.make(Contact::http2_streams, IpAddress::v4(kAttacker), IpAddress::v4(kServer), 80);
  o.value = cancelled;
  o.detail = opened;
  lab.tell(o);
}

TEST(ProtocolFlood, StreamsOpenedToBeCancelled) {
  Lab attack, left;
  for (int i = 0; i < 10; ++i) streams(attack, 20, 20);
  EXPECT_EQ(attack.count(Verdict::http2_reset), 1u);
  for (int i = 0; i < 10; ++i) {
    streams(left, 100, 0);
    left.wait(3 * kSecond);
    streams(left, 0, 99);
    left.wait(3 * kSecond);
  }
  EXPECT_TRUE(left.found.empty()) << left.names();
}

TEST(ProtocolFlood, HeadersWithoutEnd) {
  Lab lab;
  streams(lab, 1, 0);
  Observation o = lab.make(Contact::http2_continued, IpAddress::v4(kAttacker), IpAddress::v4(kServer), 80);
  o.value = 30;
  for (int i = 0; i < 4; ++i) lab.tell(o);
  EXPECT_EQ(lab.count(Verdict::http2_continuation), 1u);
}

TEST(ProtocolFlood, HandshakesLeftUndoneAndKeysChangedAgain) {
  Lab attack, crowd, again;
  const auto hello = [](Lab& lab, std::uint32_t client, std::uint16_t port) {
    Observation o = lab.make(Contact::tcp_data, IpAddress::v4(client), IpAddress::v4(kServer), 443, port);
    o.value = static_cast<std::uint64_t>(FirstWords::tls);
    lab.tell(o);
  };
  const auto keys = [](Lab& lab, std::uint32_t client, std::uint16_t port, std::uint64_t number) {
    Observation o = lab.make(Contact::tls_keys, IpAddress::v4(client), IpAddress::v4(kServer), 443, port);
    o.service = Service::tls;
    o.value = number;
    lab.tell(o);
  };
  for (std::uint16_t i = 0; i < 300; ++i) {
    hello(attack, kAttacker, i);
    attack.wait(10 * kMs);
  }
  EXPECT_EQ(attack.count(Verdict::tls_handshakes), 1u);
  EXPECT_TRUE(attack.accuses("198.51.100.1"));
  // Two hundred a second; each is done 0.4 s later.
  for (std::uint16_t i = 0; i < 2000; ++i) {
    hello(crowd, kAttacker + i % 150, i);
    if (i >= 80) keys(crowd, kAttacker + (i - 80) % 150, static_cast<std::uint16_t>(i - 80), 1);
    crowd.now += 5 * kMs;
    crowd.monitor().advance(crowd.now);
  }
  EXPECT_TRUE(crowd.found.empty()) << crowd.names();
  for (std::uint64_t n = 1; n <= 12; ++n) keys(again, kAttacker, 1, n);
  EXPECT_EQ(again.count(Verdict::tls_renegotiation), 1u);
}

TEST(GroupScan, ANetworkSharedAmongManyIsOneEvent) {
  Lab lab;
  for (std::uint32_t i = 0; i < 150; ++i) {
    lab.probe(0xc6330001 + i % 30 * 256, kServer + i, 5900, static_cast<std::uint16_t>(i));
    lab.wait(50 * kMs);
  }
  ASSERT_EQ(lab.starts(), 1u) << lab.names();
  EXPECT_EQ(lab.found[0].verdict, Verdict::scan_distributed);
  EXPECT_EQ(lab.found[0].target_bits, 24);
  lab.finish();
  EXPECT_EQ(lab.found.back().sources.size(), 30u);
  EXPECT_EQ(lab.found.back().targets.size(), 64u);
}

TEST(GroupScan, ClientsOfANetworkThatDiedAreNone) {
  Lab lab;
  for (std::uint32_t i = 0; i < 1500; ++i) {
    lab.probe(kAttacker + i % 50, kServer + i * 7 % 40, 443, static_cast<std::uint16_t>(i));
    lab.wait(20 * kMs);
  }
  EXPECT_EQ(lab.count(Verdict::scan_distributed), 0u) << lab.names();
}

}  // namespace
}  // namespace gatehouse::ids::anomaly
