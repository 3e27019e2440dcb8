#include "soc/sinks/syslog_message.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace gatehouse::soc {

namespace {

Event alert(std::string line) {
  return Event{EventClass::alert, EventId{0xab, 7}, 1'000'000, 0, std::move(line)};
}

// The message of the one frame in `frame`.
std::string unframe(const std::string& frame) {
  const std::size_t space = frame.find(' ');
  const std::string message = frame.substr(space + 1);
  EXPECT_EQ(frame.substr(0, space), std::to_string(message.size()));
  return message;
}

std::string message_of(const Event& event, std::size_t most = 8096) {
  std::string frame;
  append_event_frame(frame, event, "ids", "sensor", most);
  return unframe(frame);
}

}  // namespace

TEST(SyslogMessage, PriorityFollowsTheSeverityTable) {
  EXPECT_EQ(syslog_priority(EventClass::alert, 1), 130);
  EXPECT_EQ(syslog_priority(EventClass::alert, 2), 131);
  EXPECT_EQ(syslog_priority(EventClass::alert, 3), 132);
  EXPECT_EQ(syslog_priority(EventClass::alert, 4), 133);
  EXPECT_EQ(syslog_priority(EventClass::alert, 255), 133);
  EXPECT_EQ(syslog_priority(EventClass::alert, 0), 130);
  EXPECT_EQ(syslog_priority(EventClass::anomaly, 1), 133);
  EXPECT_EQ(syslog_priority(EventClass::flow, 1), 134);
}

TEST(SyslogMessage, TimestampGetsItsColon) {
  EXPECT_EQ(rfc5424_timestamp("2026-11-21T20:30:00.123456+0130"), "2026-11-21T20:30:00.123456+01:30");
  for (const char* bad : {"", "2026-11-21T20:30:00.123456Z", "2026-11-21 20:30:00.123456+0000",
                          "x026-11-21T20:30:00.123456+0000"}) {
    EXPECT_EQ(rfc5424_timestamp(bad), "") << bad;
  }
}

TEST(SyslogMessage, HasTheFormOfRfc5424) {
  const std::string message = message_of(alert(
      R"({"timestamp":"2026-11-21T20:30:00.123456+0000","event_type":"alert","src_ip":"10.0.0.1","alert":{"signature_id":5,"severity":1}})"));
  const std::string head =
      "<130>1 2026-11-21T20:30:00.123456+00:00 sensor gatehouse " + std::to_string(::getpid()) +
      R"( alert [gatehouse@32473 id="00000000000000ab-7" stream="ids" seq="7" sid="5" severity="1" src="10.0.0.1"] )";
  ASSERT_EQ(message.substr(0, head.size()), head);
  const auto json = nlohmann::json::parse(message.substr(head.size()));
  EXPECT_EQ(json["alert"]["metadata"]["gatehouse_event_id"][0], "00000000000000ab-7");
}

TEST(SyslogMessage, HeaderFieldsCannotBeForged) {
  const std::string message = message_of(alert(
      R"({"host":"a b\n<1>1 x","event_type":"al ert] [x@1 y=\"z\"]","src_ip":"1\"]\\ [evil@1 a=\"b\"]"})"));
  const std::size_t open = message.find('[');
  EXPECT_EQ(std::count(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(open), ' '), 6)
      << message;
  // The only unescaped ] before the message ends the element.
  std::size_t end = open;
  while (message[end] != ']' || message[end - 1] == '\\') ++end;
  EXPECT_EQ(message.substr(end, 3), "] {") << message;
}

TEST(SyslogMessage, EscapesAndBoundsParameters) {
  std::string out;
  append_sd_param(out, "a", "q\"b\\c]d\xc3\xa9\x01");
  EXPECT_EQ(out, R"( a="q\"b\\c\]d")");
  out.clear();
  append_sd_param(out, "a", "");
  EXPECT_EQ(out, "");
  append_sd_param(out, "a", std::string(500, 'x'), 10);
  EXPECT_EQ(out, " a=\"xxxxxxxxxx\"");
}

TEST(SyslogMessage, KeepsToTheCapAndStaysJson) {
  const std::string line =
      R"({"timestamp":"2026-11-21T20:30:00.123456+0000","event_type":"alert","payload":")" +
      std::string(20000, 'A') + R"(","alert":{"signature_id":5,"severity":1}})";
  const std::string message = message_of(alert(line), 2048);
  EXPECT_LE(message.size(), 2048U);
  EXPECT_NE(message.find("truncated=\"payload\""), std::string::npos);
  const auto json = nlohmann::json::parse(message.substr(message.find("] {") + 2));
  EXPECT_EQ(json["alert"]["metadata"]["gatehouse_truncated"][0], "payload");
  EXPECT_EQ(json["alert"]["metadata"]["gatehouse_event_id"][0], "00000000000000ab-7");
}

TEST(SyslogMessage, HeartbeatNamesTheLastEvent) {
  std::string frame;
  append_heartbeat_frame(frame, StreamMark{"ids", EventId{0xab, 9}, 2, 3}, "sensor");
  const std::string message = unframe(frame);
  EXPECT_NE(
      message.find(
          R"( heartbeat [gatehouse@32473 stream="ids" last="00000000000000ab-9" seq="9" lost="2" dropped="3"] {)"),
      std::string::npos)
      << message;
}

// Whatever the line, the frame says its own length, holds no line end and keeps to the cap.
RC_GTEST_PROP(SyslogMessage, FramesAnyLine, (std::string inner, std::uint8_t size)) {
  std::string line =
      "{\"event_type\":\"alert\",\"x\":\"" + inner + std::string(std::size_t{size} * 40, 'y') + "\"}";
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  std::string frame;
  append_event_frame(frame, alert(line), "ids", "sensor", 1500);
  const std::size_t space = frame.find(' ');
  RC_ASSERT(std::stoul(frame.substr(0, space)) == frame.size() - space - 1);
  RC_ASSERT(frame.size() - space - 1 <= 1500U);
  RC_ASSERT(frame.find('\n') == std::string::npos);
}

}  // namespace gatehouse::soc
