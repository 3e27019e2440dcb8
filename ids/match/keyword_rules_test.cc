// Keywords of ids/keywords that look into data, by what rules with them match: a table, and the engine
// against plain evaluation of every rule.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ids/match/detector.h"
#include "ids/match/evaluate.h"

namespace gatehouse::ids {
namespace {

RuleList rules_of(const std::string& text) {
  RuleEnvironment environment;
  core::Diagnostics d;
  const core::SourceText source("t.rules", text);
  RuleList list = check_rules(std::span(&source, 1), environment, d);
  EXPECT_FALSE(d.has_errors()) << d.render_all();
  return list;
}

Packet udp_packet(std::string_view payload) {
  Packet p;
  p.ip_version = 4;
  p.protocol = kProtoUdp;
  p.has_transport = true;
  p.source = *IpAddress::parse("10.0.0.1");
  p.destination = *IpAddress::parse("192.0.2.1");
  p.source_port = 1000;
  p.destination_port = 9;
  p.payload = core::as_bytes(payload);
  return p;
}

std::vector<std::uint32_t> inspect(Detector& detector, const Packet& packet, Flow* flow = nullptr) {
  std::vector<Match> out;
  detector.inspect(packet, flow, out);
  std::vector<std::uint32_t> sids;
  for (const Match& m : out) sids.push_back(m.rule->meta.sid);
  return sids;
}

using namespace std::string_view_literals;

struct Row {
  const char* options;
  bool matches;
};

// 33 bytes: two numbers, letters, numbers as text, a little-endian 4.
constexpr std::string_view kPayload =
    "\x00\x01\x00\x02\xff\xfe"
    "abcdefgh 123x 0x1fz -5;\x04\x00\x00\x00"sv;

const Row kRows[] = {
    // byte_test
    {"byte_test:3,=,123,15,string,dec;", true},
    {"byte_test:6,=,123,15,string,dec;", true},
    {"byte_test:4,=,0x1f,20,string,hex;", true},
    {"byte_test:2,>,100,25,string,dec;", false},
    {"byte_test:2,!&,1,0;", false},
    {"byte_test:2,!=,7,31;", true},
    {"byte_test:2,!=,7,32;", false},  // not there: neither equal nor different
    {"byte_test:4,=,4,29,little;", true},
    {"byte_test:4,=,1,29,little,bitmask 0x4;", true},
    {"byte_test:0,=,0,0;", true},
    {"byte_test:0,=,123,15,string,dec;", true},  // as far as the digits go
    {"byte_test:3,=,123,15,little,string,dec;", true},
    {"byte_test:1,^,1,3;", true},
    {"byte_test:1,^,2,3;", false},
    {"content:\"|3b|\"; byte_test:4,=,4,0,relative,little;", true},
    {"content:\"abc\"; byte_extract:1,-6,v,relative; byte_test:1,=,v,3;", true},
    // byte_jump
    {"byte_jump:2,0; content:\"|00 02|\"; distance:-1; within:2;", true},
    {"byte_jump:1,3,from_end,post_offset -2; isdataat:!1,relative;", true},
    {"byte_jump:1,3,from_end,post_offset -3; isdataat:1,relative; isdataat:!2,relative;", true},
    {"byte_jump:1,3,from_beginning,post_offset -10; content:\"|00 01|\"; distance:0; within:2;", true},
    {"byte_jump:1,3,from_beginning,multiplier 16; content:\"1\"; distance:0;", false},  // behind the end
    {"byte_jump:0,0,from_end,post_offset -4; content:\"|04 00|\"; distance:0; within:2;", true},
    {"byte_jump:1,1,from_beginning,align; content:\"|ff fe|\"; distance:0; within:2;", true},
    // byte_extract and byte_math
    {"byte_extract:6,15,v,string,dec; content:\"x\"; distance:0; within:1;", true},
    {"byte_extract:1,3,v; content:\"abc\"; offset:v; depth:8;", true},
    {"byte_extract:1,3,v,multiplier 3; content:\"abc\"; offset:v; depth:3;", true},
    {"byte_extract:1,1,v,align 4; content:\"|ff fe|\"; offset:v; depth:2;", true},
    {"byte_math:bytes 1, offset 3, oper +, rvalue 5, result r, bitmask 0x06; content:\"|02|\"; offset:r; "
     "depth:1;",
     true},  // (2 + 5) & 6 >> 1
    {"byte_math:bytes 1, offset 3, oper /, rvalue 0, result r;", false},
    {"byte_math:bytes 1, offset 3, oper <<, rvalue 1, result r; byte_test:1,=,r,29;", true},
    // isdataat
    {"isdataat:32;", true},
    {"isdataat:33;", false},
    {"isdataat:33,relative;", true},
    {"isdataat:!33;", true},
    {"content:\"abc\"; isdataat:24,relative; isdataat:!25,relative;", true},
    // relative negation
    {"content:\"abc\"; content:!\"xyz\"; distance:0; content:\"def\"; distance:0; within:3;", true},
    {"content:\"|00|\"; content:!\"|01|\"; distance:0; within:1;", true},
    {"content:\"|00|\"; content:!\"|01|\"; within:1; content:\"|02|\"; distance:0; within:1;", true},
    {"content:\"fgh\"; content:!\"nope\"; within:4; isdataat:!21,relative;", true},
    {"content:\"fgh\"; content:\"ab\"; distance:-50; within:2;", true},
    // entropy
    {"entropy:value > 3.0;", true},
    {"entropy:value < 3.0;", false},
    {"entropy:bytes 2, offset 1, value = 1.0;", true},
    {"entropy:bytes 2, offset 40, value >= 0;", false},
};

TEST(KeywordRules, Table) {
  for (const Row& row : kRows) {
    const auto engine =
        Engine::build(rules_of("alert udp any any -> any any (" + std::string(row.options) + " sid:1;)"), {});
    ASSERT_TRUE(engine.has_value());
    EXPECT_EQ(!inspect(*Detector::make(*engine), udp_packet(kPayload)).empty(), row.matches) << row.options;
  }
}

struct Base64Row {
  const char* options;
  const char* payload;
  bool matches;
};
const Base64Row kBase64Rows[] = {
    {"base64_decode; base64_data; content:\"hello\";", "aGVsbG8=", true},
    {"base64_decode:bytes 4; base64_data; content:\"hel\"; isdataat:!1,relative;", "aGVsbG8=", true},
    {"base64_decode:offset 2; base64_data; content:\"hello\"; startswith;", "x=aGVsbG8=", true},
    {"content:\"x=\"; base64_decode:relative; base64_data; content:\"hel\"; content:\"lo\"; distance:0;",
     "x=aGVsbG8=", true},
    {"content:\"x=\"; base64_decode:offset 1,relative; base64_data; content:\"hello\";", "x= aGVsbG8=", true},
    {"content:\"x=\"; base64_decode:relative; base64_data; content:!\"hello\";", "x=aGVsbG8=", false},
    {"content:\"x=\"; base64_decode:relative; base64_data; content:!\"world\";", "x=!!", false},
    // Only the first place of what it is relative to is decoded.
    {"content:\"x=\"; base64_decode:relative; base64_data; content:\"hello\";", "x=. x=aGVsbG8=", false},
    {"base64_decode; base64_data; pcre:\"/^h.l+o$/\";", "aGVsbG8=", true},
    {"base64_decode; base64_data; content:\"hello\"; pkt_data; content:\"aGV\";", "aGVsbG8=", true},
    {"base64_decode; base64_data; content:\"hello\"; pkt_data; content:\"xyz\";", "aGVsbG8=", false},
};

TEST(KeywordRules, Base64) {
  for (const Base64Row& row : kBase64Rows) {
    const auto engine =
        Engine::build(rules_of("alert udp any any -> any any (" + std::string(row.options) + " sid:1;)"), {});
    ASSERT_TRUE(engine.has_value());
    EXPECT_EQ(!inspect(*Detector::make(*engine), udp_packet(row.payload)).empty(), row.matches)
        << row.options << " on " << row.payload;
  }
}

TEST(KeywordRules, CapturesLiveAsLongAsTheySay) {
  const auto engine = Engine::build(
      rules_of(
          "alert udp any any -> any any (pcre:\"/user=(\\w+)/, flow:user\"; noalert; sid:1;)\n"
          "alert udp any any -> any any (pcre:\"/(?P<pkt_door>d\\d)/\"; noalert; sid:2;)\n"
          "alert udp any any -> any any (pcre:\"/(?P<alert_tail>..)$/\"; content:\"user\"; sid:3;)\n"
          "alert udp any any -> any any (content:\"x\"; flowvar:user,\"eve\"; sid:4;)\n"
          "alert udp any any -> any any (pcre:\"/(k\\d)=(v\\d)/, pkt:key, pkt:value\"; noalert; sid:5;)\n"),
      {});
  ASSERT_TRUE(engine.has_value());
  const auto detector = Detector::make(*engine);
  Flow flow;
  flow.key.protocol = kProtoUdp;
  std::vector<Match> out;
  detector->inspect(udp_packet("user=eve d7 k1=v2 zz"), &flow, out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].context, "\"tail\":\"zz\"");
  ASSERT_NE(flow_captures(flow), nullptr);
  EXPECT_EQ(*find_capture(flow_captures(flow)->values, "user"), "eve");
  const auto captures = detector->packet_captures();
  ASSERT_NE(find_capture(captures, "door"), nullptr);
  EXPECT_EQ(*find_capture(captures, "door"), "d7");
  ASSERT_NE(find_capture(captures, "k1"), nullptr);
  EXPECT_EQ(*find_capture(captures, "k1"), "v2");
  EXPECT_EQ(inspect(*detector, udp_packet("x"), &flow), std::vector<std::uint32_t>{4});
  EXPECT_TRUE(detector->packet_captures().empty());
}

TEST(KeywordRules, BypassEndsTheFlow) {
  const auto engine =
      Engine::build(rules_of("alert udp any any -> any any (content:\"last\"; bypass; sid:1;)\n"), {});
  const auto detector = Detector::make(*engine);
  Flow flow;
  EXPECT_EQ(inspect(*detector, udp_packet("last"), &flow).size(), 1U);
  EXPECT_TRUE(flow.bypassed);
  EXPECT_TRUE(inspect(*detector, udp_packet("last"), &flow).empty());
}

// ---- the engine finds what evaluating every rule finds

rc::Gen<std::string> options() {
  using rc::gen::element;
  const auto word = element<std::string>("ab", "abc", "YWJj", "=", "b", "|00|", "12");
  const auto number = element<std::string>("0", "1", "2", "3", "5");
  const auto one =
      rc::gen::map(rc::gen::tuple(rc::gen::inRange(0, 10), word, number, number), [](const auto& t) {
        const auto& [kind, text, a, b] = t;
        switch (kind) {
          case 0:
            return "content:\"" + text + "\"; ";
          case 1:
            return "content:!\"" + text + "\"; ";
          case 2:
            return "content:\"" + text + "\"; distance:" + a + "; ";
          case 3:
            return "content:!\"" + text + "\"; distance:" + a + "; ";
          case 4:
            return "byte_test:1,>," + a + "," + b + "; ";
          case 5:
            return "byte_jump:1," + a + ",relative; ";
          case 6:
            return "isdataat:!" + a + ",relative; ";
          case 7:
            return "isdataat:" + a + "; ";
          case 8:
            return "byte_extract:1," + a + ",v; ";
          default:
            return "pcre:\"/" + std::string(text == "|00|" ? "a" : text) + "+/R\"; ";
        }
      });
  const auto tail = element<std::string>("", "", "base64_decode:relative; base64_data; content:\"a\"; ",
                                         "base64_decode:offset 1; base64_data; content:!\"b\"; ");
  return rc::gen::map(rc::gen::tuple(rc::gen::container<std::vector<std::string>>(4, one), tail),
                      [](const auto& t) {
                        std::string out = "content:\"a\"; ";
                        for (const std::string& option : std::get<0>(t)) out += option;
                        return out + std::get<1>(t);
                      });
}

RC_GTEST_PROP(KeywordRules, EngineAgreesWithPlainEvaluation, ()) {
  const auto bodies = *rc::gen::container<std::vector<std::string>>(6, options());
  std::string text;
  for (std::size_t i = 0; i < bodies.size(); ++i)
    text += "alert udp any any -> any any (" + bodies[i] + "sid:" + std::to_string(i + 1) + ";)\n";
  const auto payload = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("abYWJjc=12\0x", 12)));
  const Packet packet = udp_packet(payload);
  const RuleList list = rules_of(text);
  std::vector<std::uint32_t> expected;
  for (const auto& rule : list.rules) {
    InspectContext context{packet, nullptr, Direction::to_server, nullptr, {}};
    const bool all = std::all_of(rule->buffers.begin(), rule->buffers.end(), [&](const BufferMatch& buffer) {
      return holds_in(plan_list(buffer), context, packet.payload, 0);
    });
    if (all && !payload.empty()) expected.push_back(rule->meta.sid);
  }
  const auto engine = Engine::build(rules_of(text), {});
  auto found = inspect(*Detector::make(*engine), packet);
  std::sort(found.begin(), found.end());
  RC_ASSERT(found == expected);
}

}  // namespace
}  // namespace gatehouse::ids
