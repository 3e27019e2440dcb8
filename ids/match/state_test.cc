// Rules that remember: marks of hosts and pairs, counters, tags, sets, lists, rate filters.
#include <gtest/gtest.h>

#include "ids/keywords/keyword.h"
#include "ids/match/detector.h"
#include "ids/state/flow_variables.h"

namespace gatehouse::ids {
namespace {

using Sids = std::vector<std::uint32_t>;
constexpr std::int64_t kSecond = 1'000'000;

Packet packet(std::string_view payload, const char* source = "10.0.0.1",
              const char* destination = "192.0.2.1", std::int64_t time_us = 0) {
  Packet p;
  p.source = *IpAddress::parse(source);
  p.destination = *IpAddress::parse(destination);
  p.ip_version = p.source.version;
  p.protocol = kProtoUdp;
  p.has_transport = true;
  p.source_port = 1000;
  p.destination_port = 9;
  p.payload = core::as_bytes(payload);
  p.time_us = time_us;
  return p;
}

class Rules {
 public:
  explicit Rules(const std::string& text, const std::string& thresholds = {}) {
    environment_.resources = std::make_shared<RuleResources>();
    core::Diagnostics d;
    if (!thresholds.empty()) {
      EXPECT_TRUE(parse_threshold_file(core::SourceText("t", thresholds), environment_, d)) << d.render_all();
    }
    detector_ = Detector::make(engine(text));
  }
  Rules(const std::string& text, const Rules& other) : environment_(other.environment_) {
    detector_ = Detector::make(engine(text));
  }
  void reload(const std::string& text) { detector_->replace(engine(text)); }
  RuleResources& resources() { return *environment_.resources; }
  const std::vector<Match>& last() const { return matches_; }
  bool tagged() const { return detector_->tagged(); }

  Sids operator()(const Packet& p, Flow* flow = nullptr) {
    matches_.clear();
    detector_->inspect(p, flow, matches_);
    Sids out;
    for (const Match& m : matches_) out.push_back(m.rule->meta.sid);
    return out;
  }

 private:
  std::shared_ptr<const Engine> engine(const std::string& text) {
    core::Diagnostics d;
    const core::SourceText source("t.rules", text);
    RuleList list = check_rules(std::span(&source, 1), environment_, d);
    EXPECT_FALSE(d.has_errors()) << d.render_all();
    auto built = Engine::build(std::move(list), {});
    EXPECT_TRUE(built) << built.error().to_string();
    return *built;
  }

  RuleEnvironment environment_;
  std::unique_ptr<Detector> detector_;
  std::vector<Match> matches_;
};

TEST(Thresholds, CountOverAllWorkersAndOverReloads) {
  const std::string text =
      "alert udp any any -> any any (content:\"a\"; threshold: type limit, track by_src, count 2, seconds "
      "60; "
      "sid:1;)\n"
      "alert udp any any -> any any (content:\"a\"; detection_filter: track by_src, count 3, seconds 60; "
      "sid:2;)\n";
  Rules one(text);
  Rules two(text, one);  // another worker of the same process
  EXPECT_EQ(one(packet("a")), Sids{1});
  EXPECT_EQ(two(packet("a")), Sids{1});
  EXPECT_EQ(one(packet("a")), Sids{}) << "two were told";
  one.reload(text);
  EXPECT_EQ(one(packet("a")), Sids{2}) << "the fourth, after a reload";
  EXPECT_EQ(two(packet("a")), Sids{2});
  EXPECT_EQ(two(packet("a", "10.0.0.1", "192.0.2.1", 61'000'000)), Sids{1}) << "a new window";
}

TEST(Marks, OneFlowSetsWhatAnotherTests) {
  Rules rules(
      "alert udp any any -> any any (content:\"ask\"; xbits:isset,seen,track ip_src; sid:1;)\n"
      "alert udp any any -> any any (content:\"set\"; xbits:set,seen,track ip_src,expire 10; sid:2;)\n"
      "alert udp any any -> any any (content:\"ask\"; hostbits:isset,seen,dst; sid:3;)\n"
      "alert udp any any -> any any (content:\"off\"; hostbits:unset,seen; sid:4;)\n");
  EXPECT_EQ(rules(packet("ask")), Sids{});
  EXPECT_EQ(rules(packet("set ask")), (Sids{2, 1}));  // setters first
  EXPECT_EQ(rules(packet("ask", "10.0.0.1", "10.0.0.9", 10 * kSecond)), Sids{1});
  EXPECT_EQ(rules(packet("ask", "10.0.0.9", "10.0.0.1", 10 * kSecond)), Sids{3});
  EXPECT_EQ(rules(packet("ask", "10.0.0.1", "10.0.0.9", 11 * kSecond)), Sids{});
  rules(packet("set", "10.0.0.1", "10.0.0.9", 20 * kSecond));
  EXPECT_EQ(rules(packet("off", "10.0.0.1", "10.0.0.9", 20 * kSecond)), Sids{4});
  EXPECT_EQ(rules(packet("ask", "10.0.0.1", "10.0.0.9", 20 * kSecond)), Sids{});
}

TEST(Marks, APairIsOneInEitherOrderAndOfOneVersion) {
  Rules rules(
      "alert udp any any -> any any (content:\"set\"; xbits:set,p,track ip_pair; sid:1;)\n"
      "alert udp any any -> any any (content:\"ask\"; xbits:isset,p,track ip_pair; sid:2;)\n"
      "alert udp any any -> any any (content:\"not\"; xbits:isnotset,p,track ip_pair; sid:3;)\n");
  rules(packet("set", "1.2.3.4", "5.6.7.8"));
  EXPECT_EQ(rules(packet("ask", "5.6.7.8", "1.2.3.4")), Sids{2});
  EXPECT_EQ(rules(packet("ask", "102:304::", "506:708::")), Sids{});
  EXPECT_EQ(rules(packet("not", "102:304::", "506:708::")), Sids{3});
}

TEST(Marks, OutliveAReload) {
  Rules rules("alert udp any any -> any any (content:\"set\"; xbits:set,b,track ip_src; sid:1;)\n");
  rules(packet("set"));
  rules.reload(
      "alert udp any any -> any any (content:\"x\"; xbits:set,a,track ip_src; sid:1;)\n"
      "alert udp any any -> any any (content:\"ask\"; xbits:isset,a,track ip_src; sid:2;)\n"
      "alert udp any any -> any any (content:\"ask\"; xbits:isset,b,track ip_src; sid:3;)\n");
  EXPECT_EQ(rules(packet("ask")), Sids{3});
}

TEST(Marks, HeaderOnlyRulesAreDecidedOncePerDirection) {
  Rules rules(
      "alert ip any any -> any any (xbits:set,a,track ip_src; sid:1;)\n"
      "alert ip any any -> any any (xbits:isset,a,track ip_src; sid:2;)\n");
  Flow flow;
  EXPECT_EQ(rules(packet("1"), &flow), (Sids{1, 2}));
  EXPECT_EQ(rules(packet("2"), &flow), Sids{});
}

TEST(Counters, CountAndCompare) {
  Rules rules(
      "alert udp any any -> any any (content:\"n\"; flowint:n,>,2; sid:1;)\n"
      "alert udp any any -> any any (content:\"n\"; flowint:n,==,limit; sid:2;)\n"
      "alert udp any any -> any any (content:\"n\"; flowint:n,+,1; noalert; sid:3;)\n"
      "alert udp any any -> any any (content:\"first\"; flowint:limit,=,2; noalert; sid:4;)\n"
      "alert udp any any -> any any (content:\"ask\"; flowint:n,isset; sid:5;)\n"
      "alert udp any any -> any any (content:\"ask\"; flowint:n,notset; sid:6;)\n"
      "alert udp any any -> any any (content:\"ask\"; flowint:other,<,5; sid:7;)\n");
  Flow flow;
  Flow other;
  EXPECT_EQ(rules(packet("first n"), &flow), Sids{});
  EXPECT_EQ(rules(packet("n"), &flow), Sids{2});
  EXPECT_EQ(rules(packet("n"), &flow), Sids{1});
  EXPECT_EQ(rules(packet("ask"), &flow), Sids{5});
  EXPECT_EQ(rules(packet("ask"), &other), Sids{6});
  EXPECT_EQ(rules(packet("ask")), Sids{});  // no flow, no counter
}

TEST(Counters, NothingIsTakenFromWhatWasNeverSet) {
  Rules rules(
      "alert udp any any -> any any (content:\"x\"; flowint:a,-,1; sid:1;)\n"
      "alert udp any any -> any any (content:\"x\"; flowint:b,+,1; flowint:b,-,2; sid:2;)\n");
  Flow flow;
  EXPECT_EQ(rules(packet("x"), &flow), (Sids{1, 2}));
  const FlowVariables& variables = *flow_variables(flow);
  EXPECT_EQ(variables.find(rules.resources().flowints.id_of("a")), nullptr);
  EXPECT_EQ(variables.find(rules.resources().flowints.id_of("b"))->value, 0xffff'ffffU);
}

TEST(Tags, FollowTheSessionOrTheHost) {
  Rules rules(
      "alert udp any any -> any any (content:\"one\"; tag:session,2,packets; sid:1;)\n"
      "alert udp any any -> any any (content:\"two\"; tag:host,5,seconds,src; noalert; sid:2;)\n");
  Flow flow;
  Flow other;
  EXPECT_EQ(rules(packet("one"), &flow), Sids{1});
  EXPECT_FALSE(rules.tagged());
  rules(packet("x"), &other);
  EXPECT_FALSE(rules.tagged());
  rules(packet("x"), &flow);
  EXPECT_TRUE(rules.tagged());
  rules(packet("x"), &flow);
  EXPECT_FALSE(rules.tagged());
  EXPECT_EQ(rules(packet("two", "10.9.9.9")), Sids{});
  rules(packet("x", "192.0.2.7", "10.9.9.9", 3 * kSecond));
  EXPECT_TRUE(rules.tagged());
  rules(packet("x", "192.0.2.7", "10.9.9.9", 6 * kSecond));
  EXPECT_FALSE(rules.tagged());
}

TEST(Sets, ChangeWhenTheWholeRuleMatched) {
  Rules rules(
      "alert udp any any -> any any (ip.src; dataset:set,seen,type ip; content:!\"zz\"; pkt_data; "
      "content:\"go\"; "
      "sid:1;)\n"
      "alert udp any any -> any any (ip.src; dataset:isset,seen; pkt_data; content:\"ask\"; sid:2;)\n"
      "alert udp any any -> any any (ip.src; dataset:unset,seen; pkt_data; content:\"off\"; sid:3;)\n");
  EXPECT_EQ(rules(packet("stay")), Sids{});
  EXPECT_EQ(rules(packet("ask")), Sids{});
  EXPECT_EQ(rules(packet("go")), Sids{1});
  EXPECT_EQ(rules(packet("go")), Sids{});  // nothing new
  EXPECT_EQ(rules(packet("ask")), Sids{2});
  EXPECT_EQ(rules(packet("ask", "10.0.0.2")), Sids{});
  EXPECT_EQ(rules(packet("off")), Sids{3});
  EXPECT_EQ(rules(packet("off")), Sids{});
  EXPECT_EQ(rules(packet("go ask")), (Sids{1, 2}));  // who changes a set comes first
}

TEST(Sets, AnAlertTellsWhatTheSetKnows) {
  Rules rules("alert udp any any -> any any (content:\"never\"; sid:9;)\n");
  core::Diagnostics d;
  DatasetSpec spec;
  spec.name = "bad";
  spec.type = DatasetType::ip;
  const auto set = *rules.resources().datasets.open(spec, d);
  DatasetItem item;
  item.json = "{\"year\":2005}";
  item.reputation = 40;
  set->add(IpAddress::parse("10.0.0.1")->view(), item);
  rules.reload(
      "alert udp any any -> any any (ip.src; dataset:isset,bad,context_key why; sid:1;)\n"
      "alert udp any any -> any any (ip.src; datarep:bad,>,39; sid:2;)\n"
      "alert udp any any -> any any (ip.src; datarep:bad,<,40; sid:3;)\n");
  EXPECT_EQ(rules(packet("x")), (Sids{1, 2}));
  EXPECT_EQ(rules.last()[0].context, "\"why\":{\"year\":2005}");
  EXPECT_EQ(rules.last()[1].context, "");
}

TEST(Lists, ReputationComparesTheSideItNames) {
  Rules rules("alert udp any any -> any any (content:\"never\"; sid:9;)\n");
  core::Diagnostics d;
  auto reputation = std::make_shared<Reputation>();
  ASSERT_TRUE(reputation->read_categories(core::SourceText("c", "1,Bad,x\n"), d));
  ASSERT_TRUE(reputation->read_scores(core::SourceText("s", "10.0.0.0/24,1,50\n192.0.2.1,1,0\n"), d));
  reputation->build();
  rules.resources().reputation = reputation;
  rules.reload(
      "alert udp any any -> any any (content:\"x\"; iprep:src,Bad,>,40; sid:1;)\n"
      "alert udp any any -> any any (content:\"x\"; iprep:dst,Bad,=,0; sid:2;)\n"
      "alert udp any any -> any any (content:\"x\"; iprep:both,Bad,>=,0; sid:3;)\n"
      "alert udp any any -> any any (content:\"x\"; iprep:any,Bad,isnotset; sid:4;)\n"
      "alert udp any any -> any any (content:\"x\"; iprep:src,Bad,isset; sid:5;)\n");
  EXPECT_EQ(rules(packet("x")), (Sids{1, 2, 3, 5}));
  EXPECT_EQ(rules(packet("x", "10.0.1.1")), (Sids{2, 4}));
}

class TwoCountries : public GeoDatabase {
 public:
  std::string country(const IpAddress& address) const override {
    return address.bytes[0] == 10 ? "FR" : address.bytes[0] == 192 ? "DE" : "";
  }
};

TEST(Lists, CountriesOfEitherSide) {
  Rules rules("alert udp any any -> any any (content:\"never\"; sid:9;)\n");
  rules.resources().geo = std::make_shared<TwoCountries>();
  rules.reload(
      "alert udp any any -> any any (content:\"x\"; geoip:src,FR; sid:1;)\n"
      "alert udp any any -> any any (content:\"x\"; geoip:both,FR,DE; sid:2;)\n"
      "alert udp any any -> any any (content:\"x\"; geoip:DE; sid:3;)\n"
      "alert udp any any -> any any (content:\"x\"; geoip:dst,!FR,!US; sid:4;)\n");
  EXPECT_EQ(rules(packet("x")), (Sids{1, 2, 3, 4}));
  EXPECT_EQ(rules(packet("x", "172.16.0.1", "172.16.0.2")), Sids{});
}

TEST(RateFilter, ChangesTheActionForAWhile) {
  Rules rules(
      "alert udp any any -> any any (content:\"x\"; sid:1;)\n",
      "rate_filter gen_id 1, sig_id 1, track by_src, count 2, seconds 60, new_action drop, timeout 10\n");
  std::vector<RuleAction> actions;
  for (const std::int64_t second : {0, 1, 2, 3, 12, 13, 14}) {
    EXPECT_EQ(rules(packet("x", "10.0.0.1", "192.0.2.1", second * kSecond)), Sids{1});
    actions.push_back(rules.last()[0].action);
  }
  using enum RuleAction;
  EXPECT_EQ(actions, (std::vector<RuleAction>{alert, alert, drop, drop, drop, alert, drop}));
}

TEST(RateFilter, PassSilencesWhatIsTooMuch) {
  Rules rules(
      "alert udp any any -> any any (content:\"x\"; sid:1;)\n",
      "rate_filter gen_id 1, sig_id 1, track by_rule, count 1, seconds 60, new_action pass, timeout 10\n");
  EXPECT_EQ(rules(packet("x")), Sids{1});
  EXPECT_EQ(rules(packet("x")), Sids{});
}

TEST(Backoff, AlertsRarerAndRarer) {
  Rules rules(
      "alert udp any any -> any any (content:\"x\"; threshold:type backoff,track by_flow,count 1,multiplier "
      "3; "
      "sid:1;)\n");
  Flow flow;
  flow.id = 5;
  std::vector<int> alerts;
  for (int i = 1; i <= 40; ++i) {
    if (!rules(packet("x"), &flow).empty()) alerts.push_back(i);
  }
  EXPECT_EQ(alerts, (std::vector<int>{1, 3, 9, 27}));
}

TEST(ThresholdFile, ALineForOneRuleReplacesWhatTheRuleSays) {
  const std::string text =
      "alert udp any any -> any any (content:\"x\"; threshold:type limit,track by_rule,count 1,seconds 60; "
      "sid:1;)\n"
      "alert udp any any -> any any (content:\"x\"; detection_filter:track by_rule,count 5,seconds 60; "
      "sid:2;)\n"
      "alert udp any any -> any any (content:\"x\"; sid:3;)\n";
  Rules one(text,
            "threshold gen_id 1, sig_id 1, type limit, track by_rule, count 2, seconds 60\n"
            "threshold gen_id 1, sig_id 2, type limit, track by_rule, count 1, seconds 60\n");
  EXPECT_EQ(one(packet("x")), (Sids{1, 2, 3}));
  EXPECT_EQ(one(packet("x")), (Sids{1, 3}));
  EXPECT_EQ(one(packet("x")), Sids{3});
  // A line for all rules gives way to what a rule says itself.
  Rules all(text, "threshold gen_id 0, sig_id 0, type limit, track by_rule, count 2, seconds 60\n");
  EXPECT_EQ(all(packet("x")), (Sids{1, 3}));
  EXPECT_EQ(all(packet("x")), Sids{3});
  EXPECT_EQ(all(packet("x")), Sids{});
}

}  // namespace
}  // namespace gatehouse::ids
