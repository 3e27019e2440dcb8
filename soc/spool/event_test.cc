#include "soc/spool/event.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace gatehouse::soc {

TEST(EventClass, FollowsTheEventType) {
  const struct {
    std::string_view line;
    EventClass want;
  } rows[] = {
      {R"({"timestamp":"t","event_type":"alert","src_ip":"::1"})", EventClass::alert},
      {R"({"event_type": "stats","stats":{}})", EventClass::stats},
      {R"({"event_type":"flow"})", EventClass::flow},
      {R"({"event_type":"netflow"})", EventClass::flow},
      {R"({"event_type":"anomaly"})", EventClass::anomaly},
      {R"({"event_type":"drop"})", EventClass::activity},
      {R"({"event_type":"http"})", EventClass::transaction},
      {R"({"http":{"url":"\"event_type\":\"stats\""},"event_type":"alert"})", EventClass::alert},
      {R"({"event_type":7})", EventClass::transaction},
      {R"({"event_type":)", EventClass::transaction},
      {R"({"event_type":"alert)", EventClass::alert},
      {"", EventClass::transaction},
  };
  for (const auto& row : rows) EXPECT_EQ(classify(row.line), row.want) << row.line;
}

TEST(EventId, RefusesOtherTexts) {
  for (const char* text :
       {"", "-", "3f9a6c1d2e4b5a60", "3f9a6c1d2e4b5a60-", "3f9a6c1d2e4b5a6x-1", "3f9a6c1d2e4b5a60-1x",
        "3f9a6c1d2e4b5a60+1", "3f9a6c1d2e4b5a60-99999999999999999999"}) {
    EXPECT_FALSE(EventId::parse(text)) << text;
  }
}

RC_GTEST_PROP(EventId, ReadsBackWhatItPrints, (std::uint64_t instance, std::uint64_t sequence)) {
  const EventId id{instance, sequence};
  RC_ASSERT(EventId::parse(id.to_string()) == id);
}

}  // namespace gatehouse::soc
