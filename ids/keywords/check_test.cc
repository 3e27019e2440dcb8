#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "ids/keywords/keyword.h"

namespace gatehouse::ids {
namespace {

RuleEnvironment environment() {
  RuleEnvironment e;
  e.classifications = default_classifications();
  e.address_variables = {{"HOME_NET", "[10.0.0.0/8,192.168.0.0/16]"},
                         {"EXTERNAL_NET", "!$HOME_NET"},
                         {"BROKEN", "10.0.0.0/99"},
                         {"CIRCLE", "[$CIRCLE,10.0.0.1]"}};
  e.port_variables = {{"HTTP_PORTS", "[80,8080]"}};
  return e;
}

RuleList check(std::string text, core::Diagnostics& diagnostics) {
  const core::SourceText source("t.rules", std::move(text));
  return check_rules(std::span(&source, 1), environment(), diagnostics);
}

// The rule, which must be good.
const Rule& only(const RuleList& list, const core::Diagnostics& diagnostics) {
  EXPECT_EQ(diagnostics.render_all(), "");
  static const Rule kNone;
  return list.rules.size() == 1 ? *list.rules[0] : kNone;
}

TEST(CheckRules, PointsAtEveryMistakeOfTheTable) {
  std::ifstream in(GATEHOUSE_SOURCE_DIR "/ids/keywords/testdata/bad_rules.txt");
  ASSERT_TRUE(in);
  unsigned rows = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    ++rows;
    const std::size_t blank = line.find(' ');
    const std::string code = line.substr(0, blank);
    std::string rule = line.substr(blank + 1);
    if (rule[0] == '(' || rule.substr(0, 2) == "^(") rule = "alert tcp any any -> any any " + rule;
    const std::size_t mark = rule.find('^');
    ASSERT_NE(mark, std::string::npos) << line;
    rule.erase(mark, 1);
    core::Diagnostics d;
    const RuleList list =
        check("# the good one survives\nalert ip any any -> any any (sid:900;)\n" + rule + "\n", d);
    EXPECT_EQ(list.rules.size(), 1U) << line << "\n" << d.render_all();
    EXPECT_EQ(list.failed, 1U) << line;
    ASSERT_FALSE(d.all().empty()) << line;
    const core::Diagnostic& first = d.all().front();
    EXPECT_EQ(first.code, code) << line << "\n" << core::render(first);
    EXPECT_EQ(first.where.line, 3U) << line;
    EXPECT_EQ(first.where.column, mark + 1) << line << "\n" << core::render(first);
    EXPECT_EQ(first.line_text, rule) << line;
  }
  EXPECT_GE(rows, 100U);
}

TEST(CheckRules, SuggestsWhatWasMeant) {
  core::Diagnostics d;
  check("alert tcp any any -> any any (contnet:\"a\"; sid:1;)\n", d);
  ASSERT_EQ(d.all().size(), 1U);
  EXPECT_EQ(core::render(d.all()[0]),
            "t.rules:1:31: error: unknown keyword `contnet` [unknown-keyword]\n"
            "  alert tcp any any -> any any (contnet:\"a\"; sid:1;)\n"
            "                                ^~~~~~~\n"
            "  hint: did you mean `content`?\n");
}

TEST(CheckRules, ReportsEveryMistakeOfARuleOnce) {
  core::Diagnostics d;
  check("alert tcp any any -> any 99999 (content:\"|zz|\"; depth:5; nocase; flow:to_sever; sid:x;)\n", d);
  ASSERT_EQ(d.all().size(), 4U) << d.render_all();
}

TEST(CheckRules, NamesThePlaceOfTheFirstRuleWithTheSameSid) {
  core::Diagnostics d;
  const RuleList list =
      check("alert ip any any -> any any (sid:5;)\nalert ip any any -> any any (sid:5;)\n", d);
  EXPECT_EQ(list.rules.size(), 1U);
  ASSERT_EQ(d.all().size(), 1U);
  EXPECT_EQ(d.all()[0].code, "duplicate-sid");
  EXPECT_EQ(d.all()[0].where.to_string(), "t.rules:2:34");
  EXPECT_EQ(d.all()[0].hint, "the first rule with it is at t.rules:1:1");
}

TEST(CheckRules, ALaterRevisionReplacesTheEarlierOne) {
  core::Diagnostics d;
  const RuleList list = check(
      "alert ip any any -> any any (sid:5; rev:1;)\nalert ip any any -> any any (sid:6;)\n"
      "alert udp any any -> any any (sid:5; rev:2;)\nalert ip any any -> any any (sid:5; rev:1;)\n",
      d);
  ASSERT_EQ(list.rules.size(), 2U);
  EXPECT_EQ(list.rules[0]->meta.rev, 2U);
  EXPECT_EQ(list.rules[0]->order, 0U);
  EXPECT_EQ(list.rules[1]->meta.sid, 6U);
  ASSERT_EQ(d.all().size(), 1U);  // the last one is older than what is there
  EXPECT_EQ(d.all()[0].code, "duplicate-sid");
}

TEST(CheckRules, OldAndNewBufferNamesMeanTheSame) {
  const char* pairs[][2] = {
      {"content:\"a\"; http_uri; content:\"b\"; distance:1; http_uri;",
       "http.uri; content:\"a\"; content:\"b\"; distance:1;"},
      {"uricontent:\"a\";", "http.uri; content:\"a\";"},
      {"content:\"a\"; http_method;", "http.method; content:\"a\";"},
      {"file_data; content:\"a\";", "file.data; content:\"a\";"},
      {"content:\"a\"; http_client_body;", "http.request_body; content:\"a\";"},
  };
  for (const auto& pair : pairs) {
    core::Diagnostics d;
    const RuleList old = check("alert http any any -> any any (" + std::string(pair[0]) + " sid:1;)", d);
    const RuleList now = check("alert http any any -> any any (" + std::string(pair[1]) + " sid:1;)", d);
    ASSERT_EQ(d.render_all(), "");
    ASSERT_EQ(old.rules[0]->buffers.size(), now.rules[0]->buffers.size()) << pair[0];
    for (std::size_t i = 0; i < now.rules[0]->buffers.size(); ++i) {
      EXPECT_EQ(old.rules[0]->buffers[i].buffer, now.rules[0]->buffers[i].buffer) << pair[0];
      EXPECT_EQ(old.rules[0]->buffers[i].ops.size(), now.rules[0]->buffers[i].ops.size()) << pair[0];
    }
  }
}

TEST(CheckRules, OldBufferNamesSpeakOfHttp1Alone) {
  const char* const old_names[] = {"content:\"a\"; http_uri;", "uricontent:\"a\";", "pcre:\"/a/U\";"};
  const char* const new_names[] = {"http.uri; content:\"a\";", "http.uri; pcre:\"/a/U\";", "urilen:3;"};
  const auto protocols = [](const std::string& header, const char* options) {
    core::Diagnostics d;
    const RuleList list = check(header + " any any -> any any (" + options + " sid:1;)\n", d);
    return only(list, d).app_protocols;
  };
  for (const char* header : {"alert tcp", "alert http"}) {
    for (const char* options : old_names)
      EXPECT_EQ(protocols(header, options), std::vector<AppProto>{find_parser("http")}) << options;
    for (const char* options : new_names) EXPECT_EQ(protocols(header, options).size(), 3U) << options;
  }
}

TEST(CheckRules, DecodesContents) {
  core::Diagnostics d;
  const RuleList list = check(R"(alert tcp any any -> any any (content:"a|0d 0A|\;\"\\|7c|"; sid:1;))", d);
  EXPECT_EQ(only(list, d).buffers[0].ops[0].content.pattern, "a\r\n;\"\\|");
}

TEST(CheckRules, ResolvesGroups) {
  struct Row {
    const char* group;
    const char* inside;
    const char* outside;
  };
  const Row rows[] = {{"$HOME_NET", "10.255.255.255", "11.0.0.0"},
                      {"$EXTERNAL_NET", "2001:db8::1", "192.168.0.1"},
                      {"[10.0.0.0/8,!10.1.0.0/16]", "10.2.0.0", "10.1.255.255"},
                      {"[!10.0.0.1,!10.0.0.3]", "10.0.0.2", "10.0.0.3"},
                      {"![10.0.0.0/9,10.128.0.0/9]", "11.0.0.0", "10.128.0.0"},
                      {"10.0.0.5-10.0.0.9", "10.0.0.9", "10.0.0.10"},
                      {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
                      {"[0.0.0.0/0]", "255.255.255.255", "::"}};
  for (const Row& row : rows) {
    core::Diagnostics d;
    const RuleList list = check("alert ip " + std::string(row.group) + " any -> any any (sid:1;)", d);
    ASSERT_EQ(d.render_all(), "") << row.group;
    EXPECT_TRUE(list.rules[0]->source.contains(*IpAddress::parse(row.inside))) << row.group;
    EXPECT_FALSE(list.rules[0]->source.contains(*IpAddress::parse(row.outside))) << row.group;
  }
  core::Diagnostics d;
  const RuleList list = check("alert tcp any [$HTTP_PORTS,1024:,!5000:6000] -> any !443 (sid:1;)", d);
  const Rule& rule = only(list, d);
  for (const std::uint16_t port : {80, 8080, 1024, 4999, 6001, 65535})
    EXPECT_TRUE(rule.source_port.contains(port)) << port;
  for (const std::uint16_t port : {81, 1023, 5000, 6000})
    EXPECT_FALSE(rule.source_port.contains(port)) << port;
  EXPECT_FALSE(rule.destination_port.contains(443));
}

TEST(CheckRules, ClassifiesRules) {
  struct Row {
    const char* rule;
    RuleClass rule_class;
    bool once;
  };
  const Row rows[] = {
      {"alert ip any any -> any any (sid:1;)", RuleClass::packet, true},
      {"alert tcp any any -> any any (flow:to_server; sid:1;)", RuleClass::packet, false},
      {"alert tcp any any -> any any (content:\"abcd\"; sid:1;)", RuleClass::stream, false},
      {"alert tcp any any -> any any (content:\"abcd\"; dsize:>3; sid:1;)", RuleClass::packet, false},
      {"alert tcp-pkt any any -> any any (content:\"abcd\"; sid:1;)", RuleClass::packet, false},
      {"alert udp any any -> any any (content:\"abcd\"; sid:1;)", RuleClass::packet, false},
      {"alert http any any -> any any (http.uri; content:\"abcd\"; sid:1;)", RuleClass::transaction, false},
      {"alert tcp any any -> any any (app-layer-event:http.request_header_invalid; sid:1;)",
       RuleClass::transaction, false},
      {"alert pkthdr any any -> any any (decode-event:ipv4.trunc_pkt; sid:1;)", RuleClass::event, false},
  };
  for (const Row& row : rows) {
    core::Diagnostics d;
    const RuleList list = check(row.rule, d);
    if (list.rules.empty()) continue;  // an event name of a parser may change; its table has its own test
    EXPECT_EQ(list.rules[0]->rule_class, row.rule_class) << row.rule;
    EXPECT_EQ(list.rules[0]->once_per_direction, row.once) << row.rule;
  }
}

TEST(CheckRules, SkipsWhatIsNotRequired) {
  core::Diagnostics d;
  const RuleList list = check(
      "alert ip any any -> any any (requires:version >= 99; nosuchkeyword:1; sid:1;)\n"
      "alert ip any any -> any any (requires:version >= 7.0.3 < 8 | >= 8; sid:2;)\n"
      "alert ip any any -> any any (requires:keyword nosuch; sid:3;)\n"
      "alert ip any any -> any any (requires:colour blue; sid:4;)\n",
      d);
  EXPECT_EQ(d.render_all(), "");
  EXPECT_EQ(list.skipped, 3U);
  ASSERT_EQ(list.rules.size(), 1U);
  EXPECT_EQ(list.rules[0]->meta.sid, 2U);
}

TEST(Keywords, AreMoreThanAHundredAndUnique) {
  const auto names = keyword_names();
  EXPECT_GT(names.size(), 150U);
  for (std::size_t i = 1; i < names.size(); ++i) EXPECT_NE(names[i - 1], names[i]);
}

TEST(Classifications, ReadTheFieldsFileAndSayWhatIsWrong) {
  RuleEnvironment e;
  core::Diagnostics d;
  EXPECT_TRUE(parse_classifications(
      core::SourceText("c", "# x\nconfig classification: mine,Text, with comma, 2\n"), e, d));
  EXPECT_EQ(e.classifications.at("mine").description, "Text, with comma");
  EXPECT_FALSE(parse_classifications(core::SourceText("c", "config classification: a,b,0\n"), e, d));
  EXPECT_EQ(d.all().back().where.to_string(), "c:1:28");
}

}  // namespace
}  // namespace gatehouse::ids
