// What is told of a connection depends on how much of it waits to be told together.
#include "ids/engine/contacts.h"

#include <gtest/gtest.h>

#include "ids/decode/testing/packet_builder.h"
#include "ids/engine/testing/traffic.h"
#include "ids/engine/worker.h"

namespace gatehouse::ids::engine {
namespace {

using anomaly::Contact;
using anomaly::Known;
using anomaly::Observation;
using testing::Frame;
using testing::TcpConversation;

// All that was told, batch by batch.
struct Told : anomaly::ObservationSink {
  void take(std::span<const Observation> batch) override {
    all.insert(all.end(), batch.begin(), batch.end());
  }
  std::vector<Observation> all;
};

// `each`: every packet's contacts go on at once.
std::vector<Observation> told(const std::vector<Frame>& frames, bool each = false) {
  core::Diagnostics diagnostics;
  const auto settings = load_settings({}, diagnostics);
  auto compiled = Engine::build(check_rules({}, settings->environment, diagnostics), settings->engine);
  Output output(1, WhenFull::wait);
  output.add_sink(std::make_unique<testing::Discard>());
  output.start();
  Told sink;
  {
    WorkerOptions options;
    options.shared = true;
    options.contacts = &sink;
    Worker worker(*settings, *compiled, output.port(0), options);
    std::uint64_t number = 0;
    for (const Frame& frame : frames) {
      worker.on_packet(testing::raw_packet(frame, ++number));
      if (each) sink.pass_on();
    }
    sink.pass_on();
  }
  output.stop();
  return sink.all;
}

std::vector<std::pair<Contact, Known>> kinds(const std::vector<Observation>& all) {
  std::vector<std::pair<Contact, Known>> out;
  for (const Observation& o : all) out.emplace_back(o.contact, o.known);
  return out;
}

using Kinds = std::vector<std::pair<Contact, Known>>;
constexpr Known kNothing = Known::nothing;

TcpConversation::Endpoints to_port(std::uint16_t port) {
  TcpConversation::Endpoints e;
  e.server_port = port;
  return e;
}

TEST(Contacts, OfABriefConnectionItsBeginningAndItsWordsAreTold) {
  TcpConversation talk(to_port(9999));
  talk.handshake().client_sends("abcd").close();
  EXPECT_EQ(kinds(told(talk.frames())), (Kinds{{Contact::tcp_attempt, Known::settled},
                                               {Contact::tcp_completed, Known::brief},
                                               {Contact::tcp_data, kNothing}}));
  EXPECT_EQ(kinds(told(talk.frames(), true)), (Kinds{{Contact::tcp_attempt, kNothing},
                                                     {Contact::tcp_answered, kNothing},
                                                     {Contact::tcp_completed, kNothing},
                                                     {Contact::tcp_data, kNothing},
                                                     {Contact::tcp_closed, kNothing}}));
}

TEST(Contacts, WhatIsNotBriefEndsAndWhatIsNotCompletedWaits) {
  TcpConversation slow(to_port(9999)), late(to_port(9998)), mute(to_port(9997)), open(to_port(9996));
  slow.handshake().client_sends("abcd").wait_us(anomaly::kBriefUs).close();
  EXPECT_EQ(kinds(told(slow.frames())).back(), std::pair(Contact::tcp_closed, kNothing));
  mute.handshake().close();
  EXPECT_EQ(kinds(told(mute.frames())).back(), std::pair(Contact::tcp_closed, Known::brief));
  late.raw(true, kTcpSyn, 0, 0).wait_us(anomaly::kBriefUs).raw(false, kTcpSyn | kTcpAck, 0, 1);
  EXPECT_EQ(kinds(told(late.frames())),
            (Kinds{{Contact::tcp_attempt, kNothing}, {Contact::tcp_answered, kNothing}}));
  open.raw(true, kTcpSyn, 0, 0).raw(false, kTcpSyn | kTcpAck, 0, 1).raw(true, kTcpRst, 1, 1);
  EXPECT_EQ(kinds(told(open.frames())),
            (Kinds{{Contact::tcp_attempt, Known::answered}, {Contact::tcp_abandoned, kNothing}}));
  TcpConversation again(to_port(9995));
  again.raw(true, kTcpSyn, 0, 0).raw(true, kTcpSyn, 0, 0).raw(false, kTcpSyn | kTcpAck, 0, 1);
  EXPECT_EQ(kinds(told(again.frames())), (Kinds{{Contact::tcp_attempt, kNothing},
                                                {Contact::tcp_retry, kNothing},
                                                {Contact::tcp_answered, kNothing}}));
}

// A client that reads no further says so, and whether it waits for something.
TEST(Contacts, AStarvedClientMayWaitForAnAnswer) {
  const std::string get = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  for (const bool answered : {false, true}) {
    TcpConversation talk(to_port(80));
    talk.handshake().client_sends(get);
    const std::uint32_t sent = static_cast<std::uint32_t>(get.size()) + 1;
    std::uint32_t received = 1;
    if (answered) {
      talk.server_sends(ok);
      received += static_cast<std::uint32_t>(ok.size());
    }
    talk.raw(true, kTcpAck, sent, received, {}, {}, 100);
    const auto all = told(talk.frames());
    ASSERT_FALSE(all.empty());
    EXPECT_EQ(all.back().contact, Contact::tcp_starved);
    EXPECT_EQ(all.back().value, answered ? 0u : 1u);
  }
}

TEST(Contacts, ADatagramAndItsAnswerAreOne) {
  const auto talk = testing::conversation(testing::Talk::dns, 1);
  const auto together = told(talk), apart = told(talk, true);
  ASSERT_EQ(together.size(), apart.size());
  EXPECT_EQ(together.front().contact, Contact::udp_attempt);
  EXPECT_EQ(together.front().known, Known::settled);
  EXPECT_EQ(apart.front().known, Known::nothing);
  std::size_t whole = 0;
  for (const Observation& o : together)
    whole += o.contact == Contact::udp_answered && o.known == Known::whole;
  EXPECT_EQ(whole, 1u);
}

// Two flows whose places are the same, and one that took the place of another.
TEST(Contacts, ManyAtOnceAreKeptApart) {
  std::vector<std::vector<Frame>> talks;
  for (unsigned i = 0; i < 9'000; ++i) {
    TcpConversation::Endpoints e = to_port(9999);
    e.client = "10.0." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250);
    TcpConversation talk(e);
    if (i % 3 == 0) {
      talk.raw(true, kTcpSyn, 0, 0);
    } else {
      talk.handshake();
    }
    talks.push_back(talk.frames());
  }
  std::vector<Frame> frames;
  for (std::size_t step = 0; step < 3; ++step) {
    for (const auto& talk : talks) {
      if (step < talk.size()) frames.push_back(talk[step]);
    }
  }
  std::size_t settled = 0, whole = 0;
  for (const Observation& o : told(frames)) {
    settled += o.known == Known::settled;
    whole += o.known == Known::whole;
    if (o.known != kNothing) {
      EXPECT_NE((o.client.bytes[2] * 250U + o.client.bytes[3] - 1U) % 3, 0u);
    }
  }
  EXPECT_EQ(settled, whole);
}

}  // namespace
}  // namespace gatehouse::ids::engine
