#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "ids/flow/tcp.h"
#include "ids/match/detector.h"
#include "ids/match/evaluate.h"
#include "ids/match/plan.h"
#include "ids/match/thresholds.h"
#include "ids/parsers/dns_transaction.h"
#include "ids/parsers/http_transaction.h"

namespace gatehouse::ids {
namespace {

RuleList rules_of(const std::string& text) {
  RuleEnvironment environment;
  environment.classifications = default_classifications();
  core::Diagnostics d;
  const core::SourceText source("t.rules", text);
  RuleList list = check_rules(std::span(&source, 1), environment, d);
  EXPECT_FALSE(d.has_errors()) << d.render_all();
  return list;
}

std::unique_ptr<Detector> detector_of(const std::string& text, EngineOptions options = {}) {
  auto engine = Engine::build(rules_of(text), options);
  EXPECT_TRUE(engine.has_value()) << engine.error().to_string();
  return Detector::make(*engine);
}

Packet udp_packet(std::string_view payload, std::uint16_t port = 9) {
  Packet p;
  p.ip_version = 4;
  p.protocol = kProtoUdp;
  p.has_transport = true;
  p.source = *IpAddress::parse("10.0.0.1");
  p.destination = *IpAddress::parse("192.0.2.1");
  p.source_port = 1000;
  p.destination_port = port;
  p.payload = core::as_bytes(payload);
  return p;
}

std::vector<std::uint32_t> sids(const std::vector<Match>& matches) {
  std::vector<std::uint32_t> out;
  for (const Match& m : matches) out.push_back(m.rule->meta.sid);
  return out;
}

std::vector<std::uint32_t> inspect(Detector& detector, const Packet& packet, Flow* flow = nullptr) {
  std::vector<Match> out;
  detector.inspect(packet, flow, out);
  return sids(out);
}

using Sids = std::vector<std::uint32_t>;

// ---- content modifiers: a truth table

struct ContentRow {
  const char* options;
  const char* payload;
  bool matches;
};

const ContentRow kContentRows[] = {
    {"content:\"abc\";", "xxabcxx", true},
    {"content:\"abc\";", "xxABCxx", false},
    {"content:\"abc\"; nocase;", "xxAbCxx", true},
    {"content:!\"abc\";", "xxabcxx", false},
    {"content:!\"abc\";", "xxabxx", true},
    {"content:\"abc\"; offset:2;", "xxabc", true},
    {"content:\"abc\"; offset:3;", "xxabc", false},
    {"content:\"abc\"; depth:3;", "abcx", true},
    {"content:\"abc\"; depth:3;", "xabc", false},
    {"content:\"abc\"; offset:1; depth:3;", "xabc", true},
    {"content:\"abc\"; offset:1; depth:3;", "xxabc", false},
    {"content:\"abc\"; startswith;", "abcx", true},
    {"content:\"abc\"; startswith;", "xabc", false},
    {"content:\"abc\"; endswith;", "abcxabc", true},
    {"content:\"abc\"; endswith;", "abcx", false},
    {"content:!\"abc\"; endswith;", "abcx", true},
    {"content:\"abc\"; depth:3; endswith;", "abc", true},
    {"content:\"abc\"; depth:3; endswith;", "abcd", false},
    {"content:\"abc\"; startswith; endswith;", "abc", true},
    {"content:\"abc\"; startswith; endswith;", "abcabc", false},
    {"content:\"ab\"; content:\"cd\"; distance:0;", "abcd", true},
    {"content:\"ab\"; content:\"cd\"; distance:0;", "cdab", false},
    {"content:\"ab\"; content:\"cd\";", "cdab", true},
    {"content:\"ab\"; content:\"cd\"; distance:1;", "abcd", false},
    {"content:\"ab\"; content:\"cd\"; distance:1;", "ab.cd", true},
    {"content:\"ab\"; content:\"cd\"; distance:-2; within:2;", "abcd", false},
    {"content:\"abcd\"; content:\"cd\"; distance:-2; within:2;", "abcd", true},
    {"content:\"ab\"; content:\"cd\"; within:2;", "abcd", true},
    {"content:\"ab\"; content:\"cd\"; within:3;", "ab.cd", true},
    {"content:\"ab\"; content:\"cd\"; within:3;", "ab..cd", false},
    {"content:\"ab\"; content:\"cd\"; distance:1; within:2;", "ab.cd", true},
    {"content:\"ab\"; content:\"cd\"; distance:1; within:2;", "ab..cd", false},
    // The first "ab" is followed by nothing useful: the second must be tried.
    {"content:\"ab\"; content:\"cd\"; within:2;", "ab ab ab abcd", true},
    {"content:\"ab\"; content:\"cd\"; within:3; content:\"ef\"; within:2;", "abcd abcdef", true},
    {"content:\"ab\"; content:!\"cd\"; within:2;", "abcd", false},
    {"content:\"ab\"; content:!\"cd\"; within:2;", "abcd abxx", true},
    {"content:\"abc\"; fast_pattern:1,2;", "xabc", true},
    {"content:\"abc\"; fast_pattern:1,2;", "xbc", false},
    {"content:\"ab\"; isdataat:2,relative;", "abcd", true},
    {"content:\"ab\"; isdataat:3,relative;", "abcd", false},
    {"content:\"ab\"; isdataat:!1,relative;", "xab", true},
    {"content:\"ab\"; isdataat:!1,relative;", "abx", false},
    {"isdataat:3;", "abcd", true},
    {"isdataat:4;", "abcd", false},
    {"pcre:\"/a.c/\";", "xabc", true},
    {"pcre:\"/A.C/i\";", "xabc", true},
    {"pcre:\"/^b/\";", "abc", false},
    {"content:\"a\"; pcre:\"/^b/R\";", "ab", true},
    {"content:\"a\"; pcre:\"/^c/R\";", "ab", false},
    {"pcre:!\"/x/\";", "abc", true},
    {"content:\"a\"; pcre:\"/b/R\"; content:\"c\"; within:1;", "ab bc a bc", true},
    {"byte_test:1,=,97,0;", "abc", true},
    {"byte_test:2,>,0x6161,0;", "ab", true},
    {"byte_test:2,=,0x6261,0,little;", "ab", true},
    {"byte_test:3,=,123,1,string,dec;", "x123", true},
    {"byte_test:1,!&,1,0;", "b", true},
    {"byte_test:4,=,0,0;", "abc", false},
    {"content:\"ab\"; byte_test:1,=,99,0,relative;", "abc", true},
    {"byte_jump:1,0,string,dec; content:\"x\"; distance:0; within:1;", "2..x", true},
    {"byte_jump:1,0,string,dec; content:\"x\"; distance:0; within:1;", "2...x", false},
    {"byte_extract:1,0,n,string,dec; content:\"x\"; offset:n; depth:1;", "2.x", true},
    {"byte_extract:1,0,n,string,dec; content:\"x\"; offset:n; depth:1;", "2..x", false},
    {"byte_math:bytes 1, offset 0, oper +, rvalue 1, result n, string dec; content:\"x\"; offset:n; depth:1;",
     "2..x", true},
    {"dsize:4;", "abcd", true},
    {"dsize:2<>4;", "abc", true},
    {"dsize:2<>4;", "abcd", false},
};

TEST(Contents, FollowTheTruthTable) {
  for (const ContentRow& row : kContentRows) {
    const auto detector =
        detector_of("alert udp any any -> any any (" + std::string(row.options) + " sid:1;)");
    EXPECT_EQ(inspect(*detector, udp_packet(row.payload)), row.matches ? Sids{1} : Sids{})
        << row.options << " on " << row.payload;
  }
}

// ---- the prefilter changes nothing

std::string random_content() {
  const std::string alphabet = "abAB";
  const auto text = *rc::gen::mapcat(rc::gen::inRange(1, 7), [&](int n) {
    return rc::gen::container<std::string>(static_cast<std::size_t>(n), rc::gen::elementOf(alphabet));
  });
  std::string out = *rc::gen::weightedElement<std::string>({{5, ""}, {1, "!"}}) + '"' + text + "\";";
  out = "content:" + out;
  if (*rc::gen::arbitrary<bool>()) out += "nocase;";
  const auto number = [](int low, int high) { return std::to_string(*rc::gen::inRange(low, high)); };
  switch (*rc::gen::inRange(0, 7)) {
    case 0:
      out += "offset:" + number(0, 6) + ';';
      break;
    case 1:
      out += "depth:" + number(7, 20) + ';';
      break;
    case 2:
      out += "distance:" + number(-3, 5) + ';';
      break;
    case 3:
      out += "within:" + number(7, 12) + ';';
      break;
    case 4:
      out += "startswith;";
      break;
    case 5:
      out += "endswith;";
      break;
    default:
      break;
  }
  return out;
}

// Rare enough that rules are preselected by what it begins with.
std::string random_regex() {
  return *rc::gen::element<std::string>("pcre:\"/^[bB]c[AB]/R\";", "pcre:\"/B[Ac]cb/\";",
                                        "pcre:\"/Bc[ab]A?/i\";", "pcre:\"/(cB[cA]){1,2}b/\";",
                                        "pcre:!\"/BcBc/\";");
}

RC_GTEST_PROP(Prefilter, GivesWhatEvaluatingEveryRuleGives, ()) {
  const int count = *rc::gen::inRange(1, 12);
  std::string text;
  for (int sid = 1; sid <= count; ++sid) {
    text += "alert udp any any -> any any (";
    for (int n = *rc::gen::inRange(1, 4); n > 0; --n)
      text += *rc::gen::weightedElement<int>({{4, 0}, {1, 1}}) == 0 ? random_content() : random_regex();
    if (*rc::gen::inRange(0, 3) == 0) text += "dsize:<" + std::to_string(*rc::gen::inRange(1, 40)) + ";";
    text += "sid:" + std::to_string(sid) + ";)\n";
  }
  EngineOptions options;
  options.packet_alert_max = 1000;
  auto engine = Engine::build(rules_of(text), options);
  RC_ASSERT(engine.has_value());
  const auto detector = Detector::make(*engine);
  for (int round = 0; round < 8; ++round) {
    const auto payload = *rc::gen::container<std::string>(rc::gen::element('a', 'b', 'A', 'B', 'c'));
    const Packet packet = udp_packet(payload);
    const Sids got = inspect(*detector, packet);
    Sids wanted;
    for (const auto& rule : (*engine)->rules().rules) {
      InspectContext context{packet, nullptr, Direction::to_server, nullptr, {}};
      bool holds = std::all_of(rule->conditions.begin(), rule->conditions.end(),
                               [&](const auto& condition) { return condition->holds(context); });
      for (const BufferMatch& list : rule->buffers)
        holds = holds && holds_in(plan_list(list), context, packet.payload, 0);
      if (holds) wanted.push_back(rule->meta.sid);
    }
    std::set<std::uint32_t> a(got.begin(), got.end()), b(wanted.begin(), wanted.end());
    // A payload without bytes has nothing to match: contents need one, and the field agrees.
    if (payload.empty()) continue;
    RC_ASSERT(a == b);
    RC_ASSERT(got.size() == wanted.size());
  }
}

// More places, and more regexes without a content, than are worth a look of their own.
TEST(Prefilter, ManyPlacesAndManyRegexesAreAllFound) {
  std::string rules;
  std::uint32_t sid = 0;
  constexpr std::uint32_t kPlaces = 200, kRegexes = 600;
  for (std::uint32_t i = 0; i < kPlaces; ++i) {
    const std::string offset = std::to_string(2 * i);
    rules += "alert udp any any -> any any (content:\"#!\"; offset:" + offset +
             "; depth:2; sid:" + std::to_string(++sid) + ";)\n";
  }
  for (std::uint32_t i = 0; i < kRegexes; ++i) {
    const std::string number = std::to_string(1000 + i);
    rules += "alert udp any any -> any any (content:\"Z\"; pcre:\"/^" + number +
             "/R\"; sid:" + std::to_string(++sid) + ";)\n";
  }
  EngineOptions options;
  options.packet_alert_max = 1000;
  const auto detector = detector_of(rules, options);
  for (std::uint32_t i = 0; i < kPlaces; i += 7) {
    std::string payload(2 * kPlaces, '.');
    payload.replace(2 * i, 2, "#!");
    EXPECT_EQ(inspect(*detector, udp_packet(payload)), Sids{i + 1});
  }
  for (std::uint32_t i = 0; i < kRegexes; i += 13)
    EXPECT_EQ(inspect(*detector, udp_packet("..Z" + std::to_string(1000 + i))), Sids{kPlaces + i + 1});
}

// Such literals are not looked for where size or beginning of the packet says no.
TEST(Prefilter, LiteralsAreFoundInWhatHasTheRightSizeOrBeginning) {
  const auto detector = detector_of(
      "alert udp any any -> any any (content:\"needle\"; dsize:<40; sid:1;)\n"
      "alert udp any any -> any any (content:\"needle\"; fast_pattern; content:\"|16|\"; depth:1; sid:2;)\n"
      "alert udp any any -> any any (content:\"needle\"; fast_pattern; content:\"HEAD\"; depth:200; sid:3;)\n"
      "alert udp any any -> any 99 (content:\"needle\"; fast_pattern; content:\"|17|\"; depth:1; sid:4;)\n"
      "alert udp any any -> any any (content:\"needle\"; content:!\"|16|\"; depth:1; sid:5;)\n"
      "alert udp any any -> any any (content:\"thread\"; fast_pattern; content:\"HEAD\"; depth:200; "
      "sid:6;)\n"
      "alert udp any any -> any [53,500:502] (content:\"thimble\"; sid:7;)\n"
      "alert udp any !1000 -> any 501 (content:\"thimble\"; sid:8;)\n");
  const std::string far(400, '.');
  EXPECT_EQ(inspect(*detector, udp_packet("..needle")), (Sids{1, 5}));
  EXPECT_EQ(inspect(*detector, udp_packet(far + "needle")), (Sids{5}));
  EXPECT_EQ(inspect(*detector, udp_packet("\x16" + far + "needle")), (Sids{2}));
  EXPECT_EQ(inspect(*detector, udp_packet("\x17" + far + "needle")), (Sids{5}));
  EXPECT_EQ(inspect(*detector, udp_packet("..HEAD" + far + "needle")), (Sids{3, 5}));
  EXPECT_EQ(inspect(*detector, udp_packet(far + "HEAD" + "needle")), (Sids{5}));
  EXPECT_EQ(inspect(*detector, udp_packet("HEAD" + far + "thread")), (Sids{6}));
  EXPECT_EQ(inspect(*detector, udp_packet(far + "thimble", 53)), (Sids{7}));
  EXPECT_EQ(inspect(*detector, udp_packet(far + "thimble", 501)), (Sids{7}));
  EXPECT_EQ(inspect(*detector, udp_packet(far + "thimble", 503)), (Sids{}));
}

// Each of the many places of the first content would be tried.
TEST(Evaluate, NothingBehindIsFoundAtTheEndAtOnce) {
  const auto detector = detector_of(
      "alert udp any any -> any any (content:\"--\"; content:\"zz\"; distance:0; isdataat:!1,relative; "
      "sid:1;)\n"
      "alert udp any any -> any any (content:\"zz\"; isdataat:!1,relative; content:\"--\"; sid:2;)\n");
  const std::string payload = "--" + std::string(20'000, 'z');
  EXPECT_EQ(inspect(*detector, udp_packet(payload)), (Sids{1, 2}));
  EXPECT_EQ(inspect(*detector, udp_packet(payload + "y")), Sids{});
}

// ---- order, pass, limits

TEST(Report, OrdersByActionFlowbitsPriorityAndPlace) {
  const auto detector = detector_of(
      "alert udp any any -> any any (content:\"data\"; priority:3; sid:1;)\n"
      "alert udp any any -> any any (content:\"data\"; priority:1; sid:2;)\n"
      "drop udp any any -> any any (content:\"data\"; priority:5; sid:3;)\n"
      "alert udp any any -> any any (content:\"data\"; priority:1; sid:4;)\n");
  EXPECT_EQ(inspect(*detector, udp_packet("data")), (Sids{3, 2, 4, 1}));
}

TEST(Report, PassSilencesThePacket) {
  const auto detector = detector_of(
      "alert udp any any -> any any (content:\"data\"; sid:1;)\n"
      "pass udp any any -> any any (content:\"good\"; sid:2;)\n");
  EXPECT_EQ(inspect(*detector, udp_packet("data good")), Sids{});
  EXPECT_EQ(inspect(*detector, udp_packet("data")), Sids{1});
}

TEST(Report, APassOfTheFlowSilencesWhatFollowsWhateverTheOrder) {
  EngineOptions options;
  options.action_order = {RuleAction::alert, RuleAction::drop, RuleAction::pass, RuleAction::reject};
  const std::string rules =
      "alert tcp any any -> any any (content:\"data\"; sid:1;)\n"
      "drop tcp any any -> any any (content:\"bad\"; sid:2;)\n"
      "pass tcp any any -> any any (sid:3;)\n";
  Packet packet = udp_packet("data");
  packet.protocol = kProtoTcp;
  const auto detector = detector_of(rules, options);
  Flow flow;
  EXPECT_EQ(inspect(*detector, packet, &flow), Sids{1});
  EXPECT_TRUE(flow.pass);
  EXPECT_EQ(inspect(*detector, packet, &flow), Sids{});
  // A pass behind a drop lets nobody through.
  Flow bad;
  packet.payload = core::as_bytes("bad data");
  EXPECT_EQ(inspect(*detector, packet, &bad), (Sids{1, 2}));
  EXPECT_FALSE(bad.pass);
}

TEST(Report, KeepsTheFirstWhenThereAreTooMany) {
  std::string text;
  for (int i = 1; i <= 20; ++i)
    text += "alert udp any any -> any any (content:\"data\"; sid:" + std::to_string(i) + ";)\n";
  const auto detector = detector_of(text);
  EXPECT_EQ(inspect(*detector, udp_packet("data")).size(), 15U);
  EXPECT_EQ(detector->counters().queue_overflow, 5U);
}

TEST(Flowbits, SettersComeFirstOnTheSamePacket) {
  const auto detector = detector_of(
      "alert udp any any -> any any (content:\"data\"; flowbits:isset,b; sid:1;)\n"
      "alert udp any any -> any any (content:\"data\"; flowbits:isset,a; flowbits:set,b; sid:2;)\n"
      "alert udp any any -> any any (content:\"data\"; flowbits:set,a; flowbits:noalert; sid:3;)\n"
      "alert udp any any -> any any (content:\"data\"; flowbits:isnotset,a; sid:4;)\n");
  Flow flow;
  EXPECT_EQ(inspect(*detector, udp_packet("data"), &flow), (Sids{2, 1}));
}

TEST(Thresholds, CountPerTracker) {
  struct Row {
    const char* option;
    std::vector<int> alerts;  // of ten packets, one a second: which alert
  };
  const Row rows[] = {
      {"threshold:type limit,track by_src,count 2,seconds 60;", {0, 1}},
      {"threshold:type threshold,track by_src,count 3,seconds 60;", {2, 5, 8}},
      {"threshold:type both,track by_src,count 3,seconds 60;", {2}},
      {"threshold:type limit,track by_src,count 1,seconds 5;", {0, 6}},
      {"detection_filter:track by_src,count 7,seconds 60;", {7, 8, 9}},
  };
  for (const Row& row : rows) {
    const auto detector = detector_of("alert udp any any -> any any (content:\"data\"; " +
                                      std::string(row.option) + " sid:1;)");
    std::vector<int> alerts;
    for (int i = 0; i < 10; ++i) {
      Packet packet = udp_packet("data");
      packet.time_us = i * 1'000'000;
      if (!inspect(*detector, packet).empty()) alerts.push_back(i);
    }
    EXPECT_EQ(alerts, row.alerts) << row.option;
  }
}

TEST(Thresholds, TableStaysBounded) {
  ThresholdCounts counts(64);
  Rule rule;
  Threshold limit;
  Packet packet = udp_packet("");
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    packet.source = IpAddress::v4(i);
    admit(counts, rule, limit, packet, nullptr);
  }
  EXPECT_GT(counts.evictions(), 9'000U);
}

// ---- ports and directions

TEST(Header, SelectsByPortAndAddress) {
  const auto detector = detector_of(
      "alert udp any any -> any 53 (dsize:4; sid:1;)\n"
      "alert udp 10.0.0.0/8 any -> any [1:52,54:] (dsize:4; sid:2;)\n"
      "alert udp any 53 <> any any (dsize:4; sid:3;)\n"
      "alert udp !10.0.0.1 any -> any any (dsize:4; sid:4;)\n");
  EXPECT_EQ(inspect(*detector, udp_packet("abcd", 53)), (Sids{1, 3}));
  EXPECT_EQ(inspect(*detector, udp_packet("abcd", 54)), Sids{2});
}

// ---- transactions

class FakeSession : public Session {
 public:
  bool on_data(Direction, ByteView, std::int64_t) override { return true; }
  bool on_gap(Direction, std::uint64_t) override { return true; }
  void on_end(Direction) override {}
};

// A flow that speaks HTTP, with transactions put in by hand.
struct HttpFlow {
  Flow flow;
  FakeSession* session = nullptr;
  Packet request, response;

  HttpFlow() {
    request = udp_packet("", 80);
    request.protocol = kProtoTcp;
    request.established = true;
    response = request;
    std::swap(response.source, response.destination);
    std::swap(response.source_port, response.destination_port);
    response.direction = Direction::to_client;
    flow.key.client = request.source;
    flow.key.server = request.destination;
    auto app = std::make_unique<AppFlow>();
    app->proto = find_parser("http");
    auto owned = std::make_unique<FakeSession>();
    session = owned.get();
    app->session = std::move(owned);
    flow.app = std::move(app);
  }
  HttpTransaction& add() {
    auto tx = std::make_unique<HttpTransaction>();
    HttpTransaction& out = *tx;
    out.id = session->transactions().size();
    session->transactions().push_back(std::move(tx));
    return out;
  }
};

TEST(Transactions, AlertOncePerTransaction) {
  const auto detector = detector_of("alert http any any -> any any (http.uri; content:\"/evil\"; sid:1;)");
  HttpFlow f;
  HttpTransaction& first = f.add();
  first.uri = "/evil";
  first.progress[0] = kHttpHeaders;
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), Sids{1});
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), Sids{});
  first.progress[0] = kHttpComplete;
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), Sids{});
  HttpTransaction& second = f.add();
  second.uri = "/evil2";
  second.progress[0] = kHttpComplete;
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), Sids{1});
}

// No buffer of it is scanned: only the literal in the payload leads to the rule.
TEST(Transactions, ALiteralInThePayloadLeadsToARuleOfItsOwn) {
  const auto detector =
      detector_of("alert ip any any -> any any (content:\"GET /evil\"; http.uri; pcre:\"/^.evil/\"; sid:1;)");
  HttpFlow f;
  HttpTransaction& tx = f.add();
  tx.uri = "/evil";
  tx.progress[0] = kHttpHeaders;
  Packet packet = f.request;
  packet.protocol = kProtoUdp;  // what is in the packet is all there is
  EXPECT_EQ(inspect(*detector, packet, &f.flow), Sids{});
  const std::string payload = "GET /evil HTTP/1.1\r\n";
  packet.payload = core::as_bytes(payload);
  EXPECT_EQ(inspect(*detector, packet, &f.flow), Sids{1});
}

TEST(Transactions, NegatedBodiesWaitForTheEnd) {
  const auto detector = detector_of(
      "alert http any any -> any any (http.request_body; content:\"start\"; content:!\"stop\"; sid:1;)\n"
      "alert http any any -> any any (http.request_body; content:\"start\"; content:\"later\"; sid:2;)\n");
  HttpFlow f;
  HttpTransaction& tx = f.add();
  const auto grow = [&](std::string_view text) {
    const ByteView bytes = core::as_bytes(text);
    tx.request().body.insert(tx.request().body.end(), bytes.begin(), bytes.end());
  };
  tx.progress[0] = kHttpBody;
  grow("start ");
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), Sids{});
  grow("lat");
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), Sids{});
  grow("er");
  // Short of the first look, a body waits for its end.
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), Sids{});
  grow(std::string(32 * 1024, ' '));
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), Sids{2});
  tx.progress[0] = kHttpComplete;
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), Sids{1});
}

TEST(Transactions, AbsentBuffersAreDecidedAtTheHeaders) {
  const auto detector = detector_of(
      "alert http any any -> any any (http.referer; absent; sid:1;)\n"
      "alert http any any -> any any (http.referer; content:!\"x\"; sid:2;)\n"
      "alert http any any -> any any (http.referer; absent:or_else; content:!\"x\"; sid:3;)\n");
  HttpFlow f;
  HttpTransaction& without = f.add();
  without.progress[0] = kHttpHeaders;
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), Sids{});
  without.progress[0] = kHttpBody;
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), (Sids{1, 3}));
  HttpTransaction& with = f.add();
  with.request().fields.push_back({"Referer", "y", false});
  with.progress[0] = kHttpComplete;
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), (Sids{2, 3}));
}

TEST(Transactions, ArrowRulesJoinBothDirections) {
  const auto detector = detector_of(
      "alert http any any => any any (http.uri; content:\"/down\"; http.stat_code; content:\"200\"; sid:1;)");
  HttpFlow f;
  HttpTransaction& tx = f.add();
  tx.uri = "/down";
  tx.progress[0] = kHttpComplete;
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), Sids{});
  tx.status_text = "200";
  tx.progress[1] = kHttpHeaders;
  EXPECT_EQ(inspect(*detector, f.response, &f.flow), Sids{1});
}

TEST(Transactions, TransformsApplyToPreselectionToo) {
  const auto detector = detector_of(
      "alert http any any -> any any (http.host; dotprefix; content:\".evil.com\"; endswith; sid:1;)\n"
      "alert http any any -> any any (http.uri; url_decode; to_lowercase; content:\"/admin panel\"; sid:2;)\n"
      "alert http any any -> any any (http.uri; to_sha256; content:\"|e3 b0 c4 42|\"; sid:3;)\n");
  HttpFlow f;
  HttpTransaction& tx = f.add();
  tx.host = "evil.com";
  tx.uri = "/ADMIN%20panel";
  tx.progress[0] = kHttpComplete;
  EXPECT_EQ(inspect(*detector, f.request, &f.flow), (Sids{1, 2}));
}

// ---- streams

class NoSink : public StreamSink {
 public:
  void on_stream(Flow&, const StreamChunk&) override {}
  void on_stream_event(Flow&, const Packet&, std::uint16_t) override {}
};

// A TCP session by hand: what the client sends is acknowledged at once.
struct TcpFlow {
  TcpTracker tracker;
  Flow flow;
  NoSink sink;
  std::uint32_t client_seq = 1000, server_seq = 5000;

  static TcpOptions options() {
    TcpOptions o;
    o.retain_for_inspection = true;
    return o;
  }
  TcpFlow() : tracker(options()) {
    flow.key.client = *IpAddress::parse("10.0.0.1");
    flow.key.server = *IpAddress::parse("192.0.2.1");
    flow.key.client_port = 1000;
    flow.key.server_port = 9;
    flow.key.protocol = kProtoTcp;
    flow.ip_version = 4;
    send(Direction::to_server, kTcpSyn, "");
    ++client_seq;
    send(Direction::to_client, kTcpSyn | kTcpAck, "");
    ++server_seq;
    send(Direction::to_server, kTcpAck, "");
  }
  ~TcpFlow() { tracker.release(flow); }
  Packet send(Direction direction, std::uint8_t flags, std::string_view payload) {
    Packet p = udp_packet(payload);
    p.protocol = kProtoTcp;
    p.direction = direction;
    if (direction == Direction::to_client) {
      std::swap(p.source, p.destination);
      std::swap(p.source_port, p.destination_port);
    }
    p.tcp.sequence = direction == Direction::to_server ? client_seq : server_seq;
    p.tcp.acknowledgment = direction == Direction::to_server ? server_seq : client_seq;
    if ((flags & kTcpAck) == 0) p.tcp.acknowledgment = 0;
    p.tcp.flags = flags;
    p.tcp.window = 60000;
    tracker.handle(flow, p, sink);
    (direction == Direction::to_server ? client_seq : server_seq) +=
        static_cast<std::uint32_t>(payload.size());
    return p;
  }
  // Client data, its acknowledgement, and what the next client packet decides.
  Sids client_says(Detector& detector, std::string_view payload) {
    const Packet data = send(Direction::to_server, kTcpAck | kTcpPsh, payload);
    Sids out = inspect(detector, data, &flow);
    send(Direction::to_client, kTcpAck, "");
    const Packet next = send(Direction::to_server, kTcpAck, "");
    for (const std::uint32_t sid : inspect(detector, next, &flow)) out.push_back(sid);
    return out;
  }
};

// Every acknowledged byte is looked at once it came, without waiting for a chunk.
EngineOptions small_chunks() {
  EngineOptions options;
  options.stream_chunk_bytes = {1, 1};
  return options;
}

TEST(Streams, PatternsCrossSegmentsAndAlertOnce) {
  const auto detector = detector_of(
      "alert tcp any any -> any any (content:\"attack\"; sid:1;)\n"
      "alert tcp any any -> any any (content:\"USER\"; depth:4; content:\"PASS\"; distance:0; sid:2;)\n"
      "alert tcp any any -> any any (content:\"none\"; sid:3;)\n",
      small_chunks());
  TcpFlow f;
  EXPECT_EQ(f.client_says(*detector, "USER an att"), Sids{});
  EXPECT_EQ(f.client_says(*detector, "ack PA"), Sids{1});
  EXPECT_EQ(f.client_says(*detector, "SS x"), Sids{2});
  EXPECT_EQ(f.client_says(*detector, "no"), Sids{});
  EXPECT_EQ(f.client_says(*detector, "ne"), Sids{3});
}

TEST(Streams, EverySegmentationGivesTheSameAlerts) {
  const std::string text = "xx attack yy USER zz PASS attack";
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    const auto detector = detector_of(
        "alert tcp any any -> any any (content:\"attack\"; content:\"USER\"; distance:1; sid:1;)\n"
        "alert tcp any any -> any any (content:\"USER\"; content:\"PASS\"; within:10; sid:2;)\n",
        small_chunks());
    TcpFlow f;
    Sids got = f.client_says(*detector, text.substr(0, cut));
    for (const std::uint32_t sid : f.client_says(*detector, text.substr(cut))) got.push_back(sid);
    std::sort(got.begin(), got.end());
    EXPECT_EQ(got, (Sids{1, 2})) << cut;
  }
}

TEST(Reload, ANewEngineStartsAfresh) {
  const auto detector = detector_of("alert udp any any -> any any (content:\"old\"; sid:1;)");
  Flow flow;
  EXPECT_EQ(inspect(*detector, udp_packet("old new"), &flow), Sids{1});
  detector->replace(*Engine::build(rules_of("alert udp any any -> any any (content:\"new\"; sid:2;)"), {}));
  EXPECT_EQ(inspect(*detector, udp_packet("old new"), &flow), Sids{2});
}

}  // namespace
}  // namespace gatehouse::ids
