#include <gtest/gtest.h>

#include "ids/engine/testing/replay.h"
#include "ids/explain/explainer.h"

namespace gatehouse::ids::testing {
namespace {

using explain::Explanation;
using explain::PartState;
using explain::Place;

std::vector<Frame> web() {
  return TcpConversation()
      .handshake()
      .client_sends("GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test\r\n\r\n")
      .server_sends("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
      .close()
      .frames();
}

// Runs rule 1 of `rules` with what it needs.
Explanation explain_rule(const std::vector<Frame>& frames, std::string_view rules) {
  core::Diagnostics diagnostics;
  const auto settings = engine::load_settings({}, diagnostics);
  if (!settings) return {};
  const core::SourceText source("t", std::string(rules));
  const RuleList all = check_rules(std::span(&source, 1), settings->environment, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.render_all();
  const auto closure = explain::closure_of(all, 1);
  EXPECT_TRUE(closure);
  if (!closure) return {};
  const core::SourceText text("closure", closure->text);
  RuleList list = check_rules(std::span(&text, 1), settings->environment, diagnostics);
  const Rule* rule = nullptr;
  for (const auto& r : list.rules) rule = r->meta.sid == 1 ? r.get() : rule;
  if (rule == nullptr) return {};
  explain::PartNames names = explain::names_of(*rule, settings->environment);
  const auto compiled = Engine::build(std::move(list), settings->engine);
  if (!compiled) return {};
  explain::Explainer explainer(*rule, std::move(names), (*compiled)->rules().flowbit_names, 3);
  engine::Output output(1, engine::WhenFull::wait);
  output.start();
  engine::Worker worker(*settings, *compiled, output.port(0), {});
  worker.watch(explainer);
  std::uint64_t number = 0;
  for (const Frame& frame : frames) worker.on_packet(raw_packet(frame, ++number));
  worker.finish();
  return explainer.take();
}

const explain::Part* first_open(const Place& place) {
  for (const explain::Part& part : place.parts) {
    if (part.state != PartState::holds) return &part;
  }
  return nullptr;
}

TEST(Explain, NamesTheContentThatFailedAndTheBytesThere) {
  const Explanation e = explain_rule(
      web(),
      "alert http any any -> any any (http.uri; content:\"/a\"; content:\"?x\"; distance:0; sid:1;)\n");
  EXPECT_EQ(e.matches, 0U);
  ASSERT_FALSE(e.best.empty());
  EXPECT_EQ(e.best[0].what, "transaction");
  const explain::Part* part = first_open(e.best[0]);
  ASSERT_NE(part, nullptr);
  EXPECT_EQ(part->state, PartState::fails);
  EXPECT_EQ(part->text, "http.uri: content:\"?x\"");
  EXPECT_NE(part->nearby.find("/a?b=c"), std::string::npos) << part->nearby;
}

TEST(Explain, TellsAMissingBufferFromOneThatDiffers) {
  const Explanation e =
      explain_rule(web(), "alert http any any -> any any (http.referer; content:\"x\"; sid:1;)\n");
  ASSERT_FALSE(e.best.empty());
  const explain::Part* part = first_open(e.best[0]);
  ASSERT_NE(part, nullptr);
  EXPECT_EQ(part->state, PartState::missing);
}

TEST(Explain, CountsWhatFiredAndRunsTheSettersOfFlowbits) {
  const Explanation e = explain_rule(
      web(),
      "alert http any any -> any any (flow:to_client; flowbits:isset,seen; http.stat_code; content:\"200\"; "
      "sid:1;)\n"
      "alert http any any -> any any (http.uri; content:\"/a\"; flowbits:set,seen; noalert; sid:2;)\n"
      "alert http any any -> any any (http.uri; content:\"/b\"; flowbits:set,other; noalert; sid:3;)\n");
  EXPECT_EQ(e.matches, 1U);
  ASSERT_FALSE(e.best.empty());
  EXPECT_EQ(first_open(e.best[0]), nullptr);
}

TEST(Explain, NamesConditionsByTheirOptions) {
  const Explanation e =
      explain_rule(web(), "alert tcp any any -> any 81 (flags:S; ttl:200; content:\"GET\"; sid:1;)\n");
  ASSERT_FALSE(e.best.empty());
  bool port = false, ttl = false;
  for (const explain::Part& part : e.best[0].parts) {
    port = port || (part.state == PartState::fails && part.text.starts_with("destination port"));
    ttl = ttl || (part.state == PartState::fails && part.text == "ttl:200");
  }
  EXPECT_TRUE(port);
  EXPECT_TRUE(ttl);
}

TEST(Explain, FollowsChainsOfSettersAndNothingElse) {
  core::Diagnostics diagnostics;
  const core::SourceText source("t",
                                "alert tcp any any -> any any (flowbits:isset,a; sid:1;)\n"
                                "alert tcp any any -> any any (flowbits:isset,b; flowbits:set,a; sid:2;)\n"
                                "alert tcp any any -> any any (content:\"x\"; flowbits:set,b; sid:3;)\n"
                                "alert tcp any any -> any any (content:\"y\"; flowbits:set,c; sid:4;)\n");
  const RuleList all = check_rules(std::span(&source, 1), {}, diagnostics);
  const auto closure = explain::closure_of(all, 1);
  ASSERT_TRUE(closure);
  EXPECT_EQ(closure->prerequisites, (std::vector<std::uint32_t>{2, 3}));
  EXPECT_FALSE(explain::closure_of(all, 9));
}

}  // namespace
}  // namespace gatehouse::ids::testing
