#include "site/drill/events.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>

#include "core/os.h"

namespace gatehouse::drill {
namespace {

constexpr std::string_view kAlert =
    R"({"timestamp":"2026-11-21T20:30:00.250000+0000","event_type":"alert","src_ip":"198.51.100.66",)"
    R"("dest_ip":"10.66.1.10","alert":{"signature_id":1000123,"signature":"Shellshock in a header"}})";
constexpr std::string_view kScan =
    R"({"timestamp":"2026-11-21T20:30:01.000000+0000","event_type":"anomaly","src_ip":"198.51.100.66",)"
    R"("dest_ip":"10.66.1.10","detection":{"class":"scan.syn.vertical"}})";

struct TimeRow {
  const char* name;
  std::string_view text;
  std::optional<std::int64_t> us;
};

TEST(EventTime, ReadsEveAndRfc3339) {
  const TimeRow rows[] = {
      {"epoch", "1970-01-01T00:00:00Z", 0},
      {"eve", "1970-01-02T00:00:00.000001+0000", 86'400'000'001},
      {"offset with a colon", "1970-01-01T01:00:00+01:00", 0},
      {"offset without", "1970-01-01T00:00:00.5-0030", 1'800'500'000},
      {"milliseconds", "1970-01-01T00:00:00.123Z", 123'000},
      {"more digits than kept", "1970-01-01T00:00:00.123456789Z", 123'456},
      {"no offset", "1970-01-01T00:00:00", std::nullopt},
      {"no such day", "2026-02-30T00:00:00Z", std::nullopt},
      {"hour 24", "2026-01-01T24:00:00Z", std::nullopt},
      {"half an offset", "2026-01-01T00:00:00+00", std::nullopt},
      {"rubbish behind", "2026-01-01T00:00:00Zz", std::nullopt},
      {"empty", "", std::nullopt},
  };
  for (const TimeRow& row : rows) EXPECT_EQ(parse_time_us(row.text), row.us) << row.name;
}

RC_GTEST_PROP(EventTime, ReadsWhatTheCoreWrites, ()) {
  const auto us = *rc::gen::inRange<std::int64_t>(0, 4'000'000'000'000'000);
  std::string eve;
  core::append_eve_timestamp(eve, us);
  RC_ASSERT(parse_time_us(eve) == us);
  RC_ASSERT(parse_time_us(core::rfc3339(us)) == us);
}

RC_GTEST_PROP(EventLine, NoTextBreaksTheReader, (const std::string& text)) {
  // What is not an EVE object gives nothing; arbitrary text hardly ever is one.
  const auto event = parse_event_line(text);
  RC_ASSERT(!event.has_value() || text.find('{') != std::string::npos);
}

TEST(EventLine, ReadsWhatTheReceiverWrote) {
  auto event = parse_event_line("2026-11-21T20:30:00.750000+00:00\t5f-7\talert\t" + std::string(kAlert));
  ASSERT_TRUE(event);
  EXPECT_EQ(event->received_us - event->event_us, 500'000);
  EXPECT_EQ(event->id, "5f-7");
  EXPECT_EQ(event->sid, 1000123U);
  EXPECT_EQ(event->source, "198.51.100.66");
}

TEST(EventLine, WritesAddressesInTheirShortForm) {
  auto event =
      parse_event_line(R"({"timestamp":"2026-11-21T20:30:00.250000+0000","event_type":"alert",)"
                       R"("src_ip":"2001:0db8:0066:0000:0000:0000:0000:0066","dest_ip":"not an address"})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->source, "2001:db8:66::66");
  EXPECT_EQ(event->target, "not an address");
}

TEST(EventLine, RefusesWhatIsNoEvent) {
  for (std::string_view line : {"", "x", "2026-11-21T20:30:00Z", "2026-11-21T20:30:00Z {", "[]", "{}", "null",
                                R"({"event_type":"alert"})", R"({"timestamp":"2026-11-21T20:30:00Z"})"}) {
    EXPECT_FALSE(parse_event_line(line)) << line;
  }
}

TEST(EventMatch, EveryGivenConditionMustHold) {
  const Event alert = *parse_event_line(kAlert);
  const Event scan = *parse_event_line(kScan);
  EXPECT_TRUE((EventMatch{{1000123}, {}, "", ""}).matches(alert));
  EXPECT_TRUE((EventMatch{{1000123}, {}, "198.51.100.66", "10.66.1.10"}).matches(alert));
  EXPECT_FALSE((EventMatch{{1000123}, {}, "198.51.100.77", ""}).matches(alert)) << "another source";
  EXPECT_FALSE((EventMatch{{1000123}, {}, "", "10.66.1.11"}).matches(alert)) << "another target";
  EXPECT_FALSE((EventMatch{{7}, {}, "", ""}).matches(alert)) << "another signature";
  EXPECT_TRUE((EventMatch{{}, {"scan.syn"}, "", ""}).matches(scan));
  EXPECT_FALSE((EventMatch{{}, {"dos."}, "", ""}).matches(scan));
  EXPECT_FALSE((EventMatch{{}, {}, "", ""}).matches(scan)) << "nothing asked for matches nothing";
  EXPECT_FALSE((EventMatch{{}, {""}, "", ""}).matches(alert)) << "no class, whatever the prefix";
}

class EventLogTest : public testing::Test {
 protected:
  EventLogTest() {
    char path[] = "/tmp/gh-events-XXXXXX";
    close(mkstemp(path));
    path_ = path;
  }
  ~EventLogTest() override { unlink(path_.c_str()); }
  void append(std::string_view text) { std::ofstream(path_, std::ios::app) << text; }
  std::string path_;
};

TEST_F(EventLogTest, FollowsAGrowingLogAndWaitsForWholeLines) {
  EventLog log(path_);
  append(std::string(kAlert).substr(0, 40));
  ASSERT_TRUE(log.refresh());
  EXPECT_TRUE(log.events().empty());
  append(std::string(kAlert).substr(40) + "\n{\"event_type\":\"flow\"}\n{\"alert\"\n" + std::string(kScan) +
         "\n");
  ASSERT_TRUE(log.refresh());
  EXPECT_EQ(log.events().size(), 2U);
  EXPECT_EQ(log.unreadable_lines(), 1U);
  EXPECT_EQ(log.other_lines(), 1U);
  const EventMatch any_scan{{}, {"scan."}, "", ""};
  const std::int64_t at = log.events()[1].event_us;
  EXPECT_NE(log.first_match(any_scan, at), nullptr);
  EXPECT_EQ(log.first_match(any_scan, at + 1), nullptr) << "an older event proves nothing about this attack";
}

TEST_F(EventLogTest, ALogThatIsNotThereYetIsEmpty) {
  EventLog log(path_ + "-none");
  EXPECT_TRUE(log.refresh());
  EXPECT_TRUE(log.events().empty());
}

}  // namespace
}  // namespace gatehouse::drill
