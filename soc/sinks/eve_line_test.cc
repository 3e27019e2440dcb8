#include "soc/sinks/eve_line.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

namespace gatehouse::soc {

using nlohmann::json;

namespace {

constexpr std::string_view kAlert =
    R"({"timestamp":"2026-11-21T20:30:00.123456+0000","host":"s1","event_type":"alert","src_ip":"10.0.0.1",)"
    R"("dest_ip":"::1","community_id":"1:x","http":{"url":"a\"}b","event_type":"no"},)"
    R"("alert":{"signature_id":2019,"gid":1,"severity":2,"signature":"s","metadata":{"cve":["x"]}}})";

}  // namespace

TEST(ScanEve, FindsTheFields) {
  const auto fields = scan_eve(kAlert);
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->timestamp, "2026-11-21T20:30:00.123456+0000");
  EXPECT_EQ(fields->event_type, "alert");
  EXPECT_EQ(fields->host, "s1");
  EXPECT_EQ(fields->src_ip, "10.0.0.1");
  EXPECT_EQ(fields->dest_ip, "::1");
  EXPECT_EQ(fields->signature_id, 2019U);
  EXPECT_EQ(fields->severity, 2U);
  EXPECT_EQ(fields->depth, 4U);
}

TEST(ScanEve, TakesOddValuesWithoutFieldsAndRefusesBrokenLines) {
  const auto odd =
      scan_eve(R"({"timestamp":7,"event_type":null,"alert":[1],"host":{"a":"b"},"severity":-1.5})");
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->timestamp, "");
  EXPECT_EQ(odd->host, "");
  EXPECT_EQ(odd->alert_open, 0U);
  EXPECT_FALSE(scan_eve(R"({"alert":{"severity":-1}})")->severity);
  EXPECT_FALSE(scan_eve(R"({"alert":{"severity":"1"}})")->severity);
  for (const char* bad : {"", "{", "}", "{}x", R"({"a"})", R"({"a":)", R"({"a":1)", R"({"a":"x)",
                          R"({"a":[1})", "[1]", R"({"a":1,})", R"({"alert":{"a":1})"}) {
    EXPECT_FALSE(scan_eve(bad)) << bad;
  }
}

TEST(WithId, GoesWhereTheSchemaAllows) {
  const EventId id{0xab, 7};
  const auto id_of = [&](std::string_view line) {
    const json parsed = json::parse(with_id(line, scan_eve(line).value(), id));
    return parsed.contains("alert") ? parsed["alert"]["metadata"]["gatehouse_event_id"][0]
                                    : parsed["gatehouse_event_id"];
  };
  for (const std::string_view line :
       {kAlert, std::string_view(R"({"alert":{}})"), std::string_view(R"({"alert":{"a":1}})"),
        std::string_view(R"({"alert":{"metadata":{}}})"), std::string_view("{}"),
        std::string_view(R"({"event_type":"flow"})")}) {
    EXPECT_EQ(id_of(line), id.to_string()) << line;
  }
  EXPECT_EQ(with_id_in_alert(R"({"event_type":"flow"})", scan_eve(R"({"event_type":"flow"})").value(), id),
            R"({"event_type":"flow"})");
}

TEST(ShortenLine, DropsBodiesFirst) {
  const std::string line = R"({"event_type":"alert","payload":")" + std::string(9000, 'A') +
                           R"(","http":{"hostname":"h","http_response_body":")" + std::string(500, 'B') +
                           R"("},"alert":{"signature_id":5}})";
  std::string removed;
  const json out = json::parse(shorten_line(line, scan_eve(line), 8000, removed));
  EXPECT_EQ(removed, "payload,http.http_response_body");
  EXPECT_FALSE(out.contains("payload"));
  EXPECT_EQ(out["http"]["hostname"], "h");
  EXPECT_EQ(out["alert"]["metadata"]["gatehouse_truncated"], json({"payload", "http.http_response_body"}));
}

TEST(ShortenLine, CutsStringsThenKeepsTheIdentity) {
  std::string removed;
  const std::string strings = R"({"event_type":"http","http":{"url":")" + std::string(20000, 'u') + R"("}})";
  const json cut = json::parse(shorten_line(strings, scan_eve(strings), 2000, removed));
  EXPECT_EQ(cut["http"]["url"].get<std::string>().size(), 256U);
  EXPECT_EQ(removed, "strings");
  std::string many = R"({"event_type":"flow","src_ip":"10.0.0.1")";
  for (int i = 0; i < 2000; ++i) many += ",\"key" + std::to_string(i) + "\":1";
  many += '}';
  const json identity = json::parse(shorten_line(many, scan_eve(many), 2000, removed));
  EXPECT_EQ(identity["src_ip"], "10.0.0.1");
  EXPECT_EQ(removed, "all-but-identity");
}

TEST(ShortenLine, NestingWithoutEndIsNotBuilt) {
  const std::string deep = R"({"a":)" + std::string(100000, '[') + std::string(100000, ']') + "}";
  std::string removed;
  EXPECT_TRUE(json::accept(shorten_line(deep, scan_eve(deep), 600, removed)));
  EXPECT_EQ(removed, "line");
}

RC_GTEST_PROP(ShortenLine, AlwaysFitsAndStaysJson, (std::map<std::string, std::string> members)) {
  json object = {{"event_type", "alert"}, {"alert", {{"signature_id", 1}}}};
  for (const auto& [key, value] : members)
    object[key] = {{"payload", value}, {"list", {value, value + value}}};
  const std::string line = object.dump(-1, ' ', false, json::error_handler_t::replace);
  const auto fields = scan_eve(line);
  RC_ASSERT(fields.has_value());
  std::string removed;
  const std::string out = shorten_line(line, fields, 600, removed);
  RC_ASSERT(out.size() <= 600U);
  RC_ASSERT(json::accept(out));
}

}  // namespace gatehouse::soc
