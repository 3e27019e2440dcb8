#include <gtest/gtest.h>

#include "ids/anomaly/testing_lab.h"

namespace gatehouse::ids::anomaly {
namespace {

using namespace testing;

TEST(SynFlood, ForgedSourcesAreCountedNotNamed) {
  Lab lab;
  for (std::uint32_t i = 0; i < 4000; ++i) {
    lab.contact(Contact::tcp_attempt, 0x20000000 + i * 7919, kServer, 443);
    lab.wait(kMs);
  }
  ASSERT_EQ(lab.starts(), 1u) << lab.names();
  EXPECT_EQ(lab.found[0].verdict, Verdict::syn_flood);
  EXPECT_EQ(lab.found[0].source, "");
  EXPECT_EQ(lab.found[0].sources.size(), 0u);
  EXPECT_EQ(lab.found[0].target, "10.0.0.1");
  EXPECT_LT(lab.found[0].time_us, kStart + 1'500 * kMs);
}

TEST(SynFlood, AHundredASecondAreSeenWithinThreeSeconds) {
  Lab lab;
  for (std::uint32_t i = 0; i < 400; ++i) {
    lab.contact(Contact::tcp_attempt, 0x20000000 + i * 7919, kServer, 443);
    lab.wait(10 * kMs);
  }
  ASSERT_GE(lab.starts(), 1u);
  EXPECT_LT(lab.found[0].time_us, kStart + 3 * kSecond);
}

TEST(SynFlood, OneSourceIsNamed) {
  Lab lab;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    lab.contact(Contact::tcp_attempt, kAttacker, kServer, 80, static_cast<std::uint16_t>(1024 + i));
    lab.contact(Contact::tcp_answered, kAttacker, kServer, 80, static_cast<std::uint16_t>(1024 + i));
    lab.wait(kMs);
  }
  ASSERT_EQ(lab.starts(), 1u) << lab.names();
  EXPECT_EQ(lab.found[0].source, "198.51.100.1");
}

// However fast, and although the count of ports begins anew in its midst: a busy machine sees it in bursts,
// so that the first packet of a new count is looked at on its own.
TEST(SynFlood, AFastScanOfAllPortsIsNone) {
  Lab lab;
  for (std::uint32_t port = 1; port < 65'000; ++port) {
    lab.contact(Contact::tcp_attempt, kAttacker, kServer, static_cast<std::uint16_t>(port));
    lab.wait(port % 2500 == 0 ? 90 * kMs : 1);
  }
  lab.wait(3 * kSecond);
  for (const auto& found : lab.found) EXPECT_NE(found.verdict, Verdict::syn_flood);
  EXPECT_GE(lab.starts(), 1u);
}

TEST(SynFlood, CrowdsAreNone) {
  for (const std::int64_t trip_ms : {0, 100, 400}) {
    Lab lab;
    for (std::uint32_t i = 0; i < 4000 + trip_ms; ++i) {
      if (i < 4000) {
        lab.contact(Contact::tcp_attempt, 0x20000000 + i, kServer, 443);
        lab.contact(Contact::tcp_answered, 0x20000000 + i, kServer, 443);
      }
      if (i >= trip_ms)
        lab.contact(Contact::tcp_completed, 0x20000000 + i - static_cast<std::uint32_t>(trip_ms), kServer,
                    443);
      lab.wait(kMs);
    }
    EXPECT_TRUE(lab.found.empty()) << trip_ms << " " << lab.names();
  }
}

TEST(SynFlood, ADeadServerInforms) {
  Lab lab;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    lab.contact(Contact::tcp_attempt, 0x20000000 + i, kServer, 443);
    if (i >= 1000) lab.contact(Contact::tcp_retry, 0x20000000 + i - 1000, kServer, 443);
    lab.wait(kMs);
  }
  EXPECT_EQ(lab.count(Verdict::dead_server), 1u);
  EXPECT_EQ(lab.count(Verdict::syn_flood), 0u) << lab.names();
}

TEST(PacketFlood, UnansweredDatagramsFromEverywhere) {
  Lab lab;
  for (std::uint32_t i = 0; i < 1500; ++i) {
    lab.udp(Contact::udp_attempt, 0x20000000 + i * 7919, kServer, 9, static_cast<std::uint16_t>(i + 1024));
    lab.wait(kMs);
  }
  ASSERT_EQ(lab.starts(), 1u) << lab.names();
  EXPECT_EQ(lab.found[0].verdict, Verdict::udp_flood);
  EXPECT_TRUE(lab.found[0].sources.empty());
}

TEST(PacketFlood, AnswersNobodyAskedForNameTheReflectorsAndTheService) {
  Lab lab;
  for (std::uint32_t i = 0; i < 1500; ++i) {
    lab.udp(i < 20 ? Contact::udp_attempt : Contact::more, 0x20000000 + i % 20, kServer, 80, 123);
    lab.wait(kMs);
  }
  ASSERT_EQ(lab.starts(), 1u) << lab.names();
  EXPECT_EQ(lab.found[0].verdict, Verdict::ntp_amplification);
  EXPECT_GE(lab.found[0].sources.size(), 15u);
}

TEST(PacketFlood, SpreadOverANetworkIsOneEvent) {
  Lab lab;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    lab.udp(Contact::udp_attempt, 0x20000000 + i * 7919, kServer + i * 31 % 250, 9, 1024);
    lab.wait(kMs);
  }
  ASSERT_EQ(lab.starts(), 1u) << lab.names();
  EXPECT_EQ(lab.found[0].verdict, Verdict::carpet);
  EXPECT_EQ(lab.found[0].target, "10.0.0.0");
}

TEST(PacketFlood, PingsAcknowledgementsAndFragments) {
  Lab icmp;
  icmp.ping(Contact::ping, kAttacker, kServer);
  for (int i = 0; i < 60; ++i) {
    icmp.wait(40 * kMs);
    icmp.ping(Contact::ping, kAttacker, kServer, 32);
  }
  EXPECT_EQ(icmp.count(Verdict::icmp_flood), 1u) << icmp.names();
  Lab ack;
  for (std::uint32_t i = 0; i < 1500; ++i) {
    ack.contact(Contact::tcp_stray, 0x20000000 + i * 7919, kServer, 443, 1024, 0x10);
    ack.contact(Contact::tcp_refused, 0x20000000 + i * 7919, kServer, 443, 1024, 0x04);
    ack.wait(kMs);
  }
  EXPECT_EQ(ack.count(Verdict::ack_flood), 1u) << ack.names();
  EXPECT_EQ(ack.starts(), 1u) << ack.names();
  Lab fragments;
  for (std::uint32_t i = 0; i < 1500; ++i) {
    fragments.udp(Contact::fragment, 0x20000000 + i * 7919, kServer, 0, 0);
    fragments.wait(kMs);
  }
  EXPECT_EQ(fragments.count(Verdict::fragment_flood), 1u) << fragments.names();
}

struct QuietRow {
  const char* name;
  void (*play)(Lab& lab);
};

TEST(PacketFlood, WhatIsNone) {
  const QuietRow rows[] = {
      {"a time server and its clients",
       [](Lab& lab) {
         for (std::uint32_t i = 0; i < 4000; ++i) {
           lab.udp(Contact::udp_attempt, 0x20000000 + i, kServer, 123, 123);
           lab.udp(Contact::udp_answered, 0x20000000 + i, kServer, 123, 123);
           lab.wait(kMs);
         }
       }},
      {"a long stream without answers",
       [](Lab& lab) {
         lab.udp(Contact::udp_attempt, kAttacker, kServer, 5004, 5004);
         for (std::uint32_t i = 0; i < 500; ++i) {
           lab.udp(Contact::more, kAttacker, kServer, 5004, 5004, 32);
           lab.wait(10 * kMs);
         }
       }},
      {"datagrams in fragments that become whole",
       [](Lab& lab) {
         for (std::uint32_t i = 0; i < 2000; ++i) {
           lab.udp(Contact::fragment, kAttacker, kServer, 0, 0);
           lab.udp(Contact::defragmented, kAttacker, kServer, 0, 0);
           lab.wait(kMs);
         }
       }},
      {"connections that were there before we looked",
       [](Lab& lab) {
         for (std::uint32_t i = 0; i < 3000; ++i) {
           lab.contact(Contact::tcp_stray, 0x20000000 + i, kServer, 443, 1024, 0x10);
           lab.contact(Contact::tcp_answered, 0x20000000 + i, kServer, 443, 1024, 0x10);
           lab.wait(kMs);
         }
       }},
  };
  for (const QuietRow& row : rows) {
    Lab lab;
    row.play(lab);
    lab.wait(5 * kSecond);
    EXPECT_TRUE(lab.found.empty()) << row.name << ": " << lab.names();
  }
}

// One connection to a web server, told by hand.
void web(Lab& lab, std::uint32_t client, std::uint16_t port, std::initializer_list<Contact> contacts) {
  for (const Contact contact : contacts) {
    Observation o = lab.make(contact, IpAddress::v4(client), IpAddress::v4(kServer), 80, port);
    if (contact != Contact::tcp_attempt) o.service = Service::http;
    o.value = 200;
    lab.tell(o);
  }
}
constexpr Contact kA = Contact::tcp_attempt, kB = Contact::tcp_answered, kC = Contact::tcp_completed;

TEST(SlowConnections, HaveTheirNames) {
  struct Row {
    std::vector<Contact> rest;
    Verdict verdict;
  };
  const Row rows[] = {{{Contact::tcp_data}, Verdict::slowloris},
                      {{Contact::tcp_data, Contact::http_head}, Verdict::slow_post},
                      {{Contact::tcp_data, Contact::http_head, Contact::http_request, Contact::tcp_starved},
                       Verdict::slow_read},
                      {{}, Verdict::connection_exhaustion}};
  for (const Row& row : rows) {
    Lab lab;
    for (std::uint16_t i = 0; i < 80; ++i) {
      web(lab, kAttacker, i, {kA, kB, kC});
      for (const Contact contact : row.rest) web(lab, kAttacker, i, {contact});
      lab.wait(20 * kMs);
    }
    lab.wait(6 * kSecond);
    ASSERT_EQ(lab.starts(), 1u) << lab.names();
    EXPECT_EQ(lab.found[0].verdict, row.verdict);
    EXPECT_EQ(lab.found[0].source, "198.51.100.1");
  }
}

TEST(SlowConnections, KeptAliveConnectionsAndAnOfficeAreNone) {
  Lab lab;
  for (std::uint16_t i = 0; i < 300; ++i) {
    web(lab, kAttacker + i % 90, i,
        {kA, kB, kC, Contact::tcp_data, Contact::http_head, Contact::http_request, Contact::http_response});
    if (i % 20 == 0)
      web(lab, kAttacker, static_cast<std::uint16_t>(1000 + i), {kA, kB, kC});  // ahead of need
    lab.wait(20 * kMs);
  }
  lab.wait(20 * kSecond);
  EXPECT_TRUE(lab.found.empty()) << lab.names();
}

// Reads no further. `due`: though it waits for an answer.
void starve(Lab& lab, std::uint16_t first, std::uint16_t last, bool due) {
  for (std::uint16_t i = first; i < last; ++i) {
    Observation o = lab.make(Contact::tcp_starved, IpAddress::v4(kAttacker), IpAddress::v4(kServer), 80, i);
    o.service = Service::http;
    o.value = static_cast<std::uint64_t>(due);
    lab.tell(o);
    lab.wait(20 * kMs);
  }
}

TEST(SlowConnections, WhoStopsReadingLateHoldsAsWell) {
  for (const bool due : {false, true}) {
    Lab lab;
    for (std::uint16_t i = 0; i < 80; ++i) web(lab, kAttacker, i, {kA, kB, kC, Contact::http_request});
    lab.wait(30 * kSecond);
    starve(lab, 0, 80, due);
    EXPECT_EQ(lab.count(Verdict::slow_read), due ? 1u : 0u) << lab.names();
  }
}

TEST(SlowConnections, WhatIsFreedOrClosedHoldsNothing) {
  for (const Contact end : {Contact::http_response, Contact::tcp_closed}) {
    Lab lab;
    for (std::uint16_t i = 0; i < 90; ++i) web(lab, kAttacker, i, {kA, kB, kC, Contact::http_request});
    lab.wait(10 * kSecond);
    for (std::uint16_t i = 0; i < 90; i = static_cast<std::uint16_t>(i + 15)) {
      starve(lab, i, static_cast<std::uint16_t>(i + 15), true);
      for (std::uint16_t j = i; j < i + 15; ++j) web(lab, kAttacker, j, {end});
    }
    EXPECT_TRUE(lab.found.empty()) << lab.names();
  }
}

// Whose end nobody saw counts for ten minutes and not for ever.
TEST(SlowConnections, SilentOnesOfALongDayAreNoAttack) {
  for (const std::int64_t pause : {kSecond, 60 * kSecond}) {
    Lab lab;
    for (std::uint16_t i = 0; i < 60; ++i) {
      web(lab, kAttacker, i, {kA, kB, kC});
      lab.wait(pause);
    }
    EXPECT_EQ(lab.count(Verdict::connection_exhaustion), pause == kSecond ? 1u : 0u) << lab.names();
  }
}

// Two hundred of many clients: an attack on who has few others, the odd clients of a busy server.
TEST(SlowConnections, OfManyAreMeasuredByWhatIsOpen) {
  for (const bool busy : {false, true}) {
    Lab lab;
    web(lab, kAttacker, 1, {kA, kB, kC, Contact::tcp_data});
    lab.wait(5 * kSecond);
    for (std::uint16_t i = 0; i < 1'000; ++i)
      web(lab, kAttacker + 1'000U + i, 2, {kA, kB, kC, Contact::http_request});
    lab.wait(5 * kSecond);
    if (!busy) {
      for (std::uint16_t i = 0; i < 1'000; ++i) web(lab, kAttacker + 1'000U + i, 2, {Contact::tcp_closed});
    }
    for (std::uint16_t i = 0; i < 230; ++i) {
      web(lab, kAttacker + 3'000U + i, 3, {kA, kB, kC, Contact::tcp_data});
      lab.wait(20 * kMs);
    }
    lab.wait(5 * kSecond);
    EXPECT_EQ(lab.count(Verdict::slowloris), busy ? 0u : 1u) << lab.names();
  }
}

void ask(Lab& lab, std::uint32_t client, std::uint64_t page) {
  Observation o = lab.make(Contact::http_request, IpAddress::v4(client), IpAddress::v4(kServer), 80);
  o.value = page;
  lab.tell(o);
}

TEST(RequestFlood, OnePageFromOneAndFromMany) {
  Lab one;
  for (int i = 0; i < 400; ++i) {
    ask(one, kAttacker, 7);
    one.wait(2 * kMs);
  }
  EXPECT_EQ(one.count(Verdict::http_flood), 1u);
  Lab many;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    ask(many, kAttacker + i % 30, 7);
    many.wait(kMs);
  }
  ASSERT_EQ(many.count(Verdict::http_flood), 1u);
  many.finish();
  EXPECT_EQ(many.found.back().sources.size(), 30u);
  // Five hundred people behind one address, each page with what it needs.
  Lab office;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    ask(office, kAttacker, i % 40);
    office.wait(5 * kMs);
  }
  EXPECT_TRUE(office.found.empty());
}

TEST(RequestFlood, NamesThatDoNotExist) {
  const auto play = [](Lab& lab, std::uint64_t rcode) {
    for (std::uint32_t i = 0; i < 1500; ++i) {
      Observation o = lab.make(Contact::dns_query, IpAddress::v4(kAttacker), IpAddress::v4(kServer), 53);
      o.value = i * 0x9e3779b97f4a7c15U;
      o.detail = 77;
      lab.tell(o);
      o.contact = Contact::dns_response;
      o.value = rcode;
      lab.tell(o);
      lab.wait(2 * kMs);
    }
  };
  Lab torture;
  play(torture, 3);
  EXPECT_EQ(torture.count(Verdict::dns_flood), 1u);
  Lab zone;  // a large zone that is asked for what it has
  play(zone, 0);
  EXPECT_TRUE(zone.found.empty());
}

}  // namespace
}  // namespace gatehouse::ids::anomaly
