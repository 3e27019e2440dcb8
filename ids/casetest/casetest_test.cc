#include <gtest/gtest.h>

#include <filesystem>

#include "core/os.h"
#include "ids/casetest/run.h"
#include "ids/casetest/traffic.h"

namespace gatehouse::ids::casetest {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Verdict = Outcome::Verdict;

class CaseDirectory : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "gh-case-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }

  void write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(core::write_file_atomic((fs::path(directory_) / name).string(), text));
  }
  Outcome run(std::string_view yaml) {
    write("case.yaml", yaml);
    return run_case(directory_);
  }
  static std::string why(const Outcome& outcome) {
    std::string text = outcome.diagnostics.render_all();
    for (const std::string& reason : outcome.reasons) text += reason + '\n';
    return text;
  }

  std::string directory_;
};

constexpr std::string_view kRule =
    "alert http any any -> any any (msg:\"secret\"; http.uri; content:\"/secret\"; sid:1;)\n";
constexpr std::string_view kTraffic = R"(
traffic:
  - tcp: {client: "192.0.2.1:40000", server: "10.0.0.10:80"}
    exchange:
      - client: "GET /secret HTTP/1.1\r\nHost: a.example\r\n\r\n"
      - server: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
)";

TEST_F(CaseDirectory, HoldsWhenAlertsAndChecksAreAsExpected) {
  write("test.rules", kRule);
  const Outcome outcome = run(std::string(kTraffic) + R"(
alerts: [1]
checks:
  - {count: 1, match: {event_type: http, http.hostname: a.example, http.status: 200}}
  - {count: 0, match: {event_type: anomaly}}
)");
  EXPECT_EQ(outcome.verdict, Verdict::passed) << why(outcome);
  EXPECT_GE(outcome.events, 3u);
}

TEST_F(CaseDirectory, FailsAndShowsTheNearestEvent) {
  write("test.rules", kRule);
  const Outcome outcome = run(std::string(kTraffic) + R"(
alerts: [1, 1]
checks:
  - {count: 1, match: {event_type: http, http.hostname: b.example}}
)");
  EXPECT_EQ(outcome.verdict, Verdict::failed);
  ASSERT_EQ(outcome.reasons.size(), 2u);
  EXPECT_EQ(outcome.reasons[0], "alerts: expected 1 1, got 1");
  EXPECT_NE(outcome.reasons[1].find("http.hostname is \"b.example\""), std::string::npos) << why(outcome);
}

TEST_F(CaseDirectory, SettingsAndFilesBesideTheCaseAreFound) {
  write("test.rules", kRule);
  write("threshold.config", "suppress gen_id 1, sig_id 1\n");
  const Outcome outcome =
      run(std::string(kTraffic) + "config: {threshold-file: threshold.config}\nalerts: []\n");
  EXPECT_EQ(outcome.verdict, Verdict::passed) << why(outcome);
}

TEST_F(CaseDirectory, AnExplicitCaptureIsRead) {
  write("test.rules", kRule);
  write("case.yaml", std::string(kTraffic) + "alerts: [1]\n");
  core::Diagnostics diagnostics;
  const auto test = load_case(directory_, diagnostics);
  ASSERT_TRUE(test) << diagnostics.render_all();
  ASSERT_TRUE(write_capture(*test, directory_ + "/in.pcap"));
  const Outcome outcome = run("pcap: in.pcap\nalerts: [1]\n");
  EXPECT_EQ(outcome.verdict, Verdict::passed) << why(outcome);
}

TEST_F(CaseDirectory, ARefusedRuleFailsUnlessItIsExpected) {
  write("test.rules", std::string(kRule) + "alert http any any -> any any (nonsense; sid:2;)\n");
  const std::string yaml = std::string(kTraffic) + "alerts: [1]\n";
  EXPECT_EQ(run(yaml).verdict, Verdict::failed);
  EXPECT_EQ(run(yaml + "refused: 1\n").verdict, Verdict::passed);
}

TEST_F(CaseDirectory, WrongCasesAreBroken) {
  write("test.rules", kRule);
  for (const std::string& yaml : {
           std::string(kTraffic),                                   // expects nothing
           std::string("alerts: [1]\n"),                            // no traffic
           std::string(kTraffic) + "alerts: [1]\nalarms: [2]\n",    // unknown key
           std::string(kTraffic) + "pcap: in.pcap\nalerts: [1]\n",  // two sources
           std::string(kTraffic) + "checks: [{count: 1}]\n",        // matches everything
           std::string(kTraffic) + "checks: [{count: 1, match: {a.__like: b}}]\n",
           std::string("pcap: missing.pcap\nalerts: []\n"),
           std::string(
               "traffic: [{tcp: {client: \"1.2.3.4:1\", server: \"::1:80\"}, exchange: []}]\nalerts: []\n"),
           std::string("traffic: [{sctp: {}, exchange: []}]\nalerts: []\n"),
       }) {
    const Outcome outcome = run(yaml);
    EXPECT_EQ(outcome.verdict, Verdict::broken) << yaml;
    EXPECT_FALSE(outcome.reasons.empty()) << yaml;
  }
}

TEST_F(CaseDirectory, CasesAreFoundAtEveryDepth) {
  fs::create_directories(directory_ + "/b/c");
  fs::create_directories(directory_ + "/a");
  write("b/c/case.yaml", "{}");
  write("a/case.json", "{}");
  const auto found = find_cases(directory_);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ(fs::path((*found)[0]).filename(), "a");
  EXPECT_FALSE(find_cases(directory_ + "/none"));
}

Check check_of(const std::string& yaml) {
  core::Diagnostics diagnostics;
  const auto node = core::parse_yaml(core::SourceText("check", yaml), diagnostics);
  Check check = read_check(*node, diagnostics);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.render_all();
  return check;
}

TEST(Match, EachTest) {
  const json event = json::parse(R"({"a": {"list": [1, "two"], "text": "hello", "flag": true}, "n": 5})");
  const auto holds_all = [&](const std::string& match) {
    return count_matching(check_of("{count: 1, match: " + match + "}"), {event}) == 1;
  };
  EXPECT_TRUE(holds_all("{n: 5, \"a.list[1]\": two, a.text.__len: 5, a.flag: 1}"));
  EXPECT_TRUE(holds_all("{a.text.__contains: ell, a.text.__startswith: he, a.text.__endswith: lo}"));
  EXPECT_TRUE(holds_all("{n.__gt: 4, n.__gte: 5, n.__lt: 6, n.__lte: 5, a.list.__contains: 1}"));
  EXPECT_TRUE(holds_all("{has-key: [a.text, n], not-has-key: b.c}"));
  EXPECT_TRUE(holds_all("{b: null}"));
  EXPECT_FALSE(holds_all("{n: \"5\"}"));
  EXPECT_FALSE(holds_all("{\"a.list[2]\": two}"));
  EXPECT_FALSE(holds_all("{n.__gt: 5}"));
  EXPECT_FALSE(holds_all("{a.text.__gt: 1}"));
  EXPECT_FALSE(holds_all("{has-key: a.none}"));
}

std::vector<testing::Frame> traffic_of(const std::string& yaml, std::size_t errors = 0) {
  core::Diagnostics diagnostics;
  const auto node = core::parse_yaml(core::SourceText("traffic", yaml), diagnostics);
  auto frames = make_traffic(*node, diagnostics);
  EXPECT_EQ(diagnostics.error_count(), errors) << diagnostics.render_all();
  return frames;
}

TEST(Traffic, TcpIsCutIntoSegmentsAndAcknowledged) {
  const auto frames = traffic_of(
      "[{tcp: {client: \"192.0.2.1:1000\", server: \"192.0.2.2:80\"}, exchange: [{client: A, times: "
      "3000}]}]");
  // Handshake, three segments with their acknowledgements, close.
  EXPECT_EQ(frames.size(), 3u + 6u + 3u);
}

TEST(Traffic, DatagramsOfBothVersionsAndTheirOrder) {
  const auto frames = traffic_of(R"(
- udp: {client: "[2001:db8::1]:5000", server: "[2001:db8::2]:53"}
  start: 2s
  exchange: [{client_hex: "01 02"}, {server: x}]
- icmp: {client: 192.0.2.1, server: 192.0.2.2}
  exchange: [{client: {type: 8, hex: "00"}}, {wait: 1s}, {server: {type: 0}}]
)");
  ASSERT_EQ(frames.size(), 4u);
  EXPECT_TRUE(std::is_sorted(frames.begin(), frames.end(),
                             [](const auto& a, const auto& b) { return a.time_us < b.time_us; }));
}

TEST(Traffic, MistakesAreRefused) {
  traffic_of("[{tcp: {client: \"192.0.2.1\", server: \"192.0.2.2:80\"}, exchange: [{client: A}]}]", 1);
  traffic_of("[{tcp: {client: \"192.0.2.1:1\", server: \"[::1]:80\"}, exchange: [{client: A}]}]", 1);
  traffic_of("[{tcp: {client: \"192.0.2.1:1\", server: \"192.0.2.2:80\"}, exchange: [{says: A}]}]", 2);
  traffic_of("[{udp: {client: \"192.0.2.1:1\", server: \"192.0.2.2:80\"}, exchange: [{client_hex: 0g}]}]", 1);
  traffic_of(
      "[{udp: {client: \"192.0.2.1:1\", server: \"192.0.2.2:9\"}, exchange: [{client: A, server: B}]}]", 1);
  traffic_of("{}", 1);
}

}  // namespace
}  // namespace gatehouse::ids::casetest
