#include "soc/spool/format.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "soc/spool/writer.h"

namespace gatehouse::soc {

namespace {

std::string record(std::uint64_t sequence, std::string_view line) {
  std::string out;
  append_record(out, RecordView{EventClass::alert, EventId{7, sequence}, 42, 3, line});
  return out;
}

}  // namespace

TEST(SpoolFormat, RecordReadsBack) {
  const std::string bytes = record(9, "{\"a\":1}");
  EXPECT_EQ(record_size(core::as_bytes(bytes)), bytes.size());
  const RecordRead read = read_record(core::as_bytes(bytes));
  ASSERT_EQ(read.state, RecordState::complete);
  EXPECT_EQ(read.record.event_class, EventClass::alert);
  EXPECT_EQ(read.record.id, (EventId{7, 9}));
  EXPECT_EQ(read.record.appended_us, 42);
  EXPECT_EQ(read.record.skipped, 3U);
  EXPECT_EQ(read.record.line, "{\"a\":1}");
  EXPECT_EQ(read.record.size(), bytes.size());
}

TEST(SpoolFormat, EveryPrefixIsPartial) {
  const std::string bytes = record(9, "{\"a\":1}");
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_EQ(read_record(core::as_bytes(std::string_view(bytes).substr(0, n))).state, RecordState::partial)
        << n;
  }
}

TEST(SpoolFormat, EveryFlippedBitIsNoticed) {
  const std::string good = record(9, "{\"a\":1}") + std::string(64, ' ');
  const std::size_t size = good.size() - 64;
  for (std::size_t bit = 0; bit < size * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(read_record(core::as_bytes(bad)).state, RecordState::complete) << bit;
  }
}

TEST(SpoolFormat, HeaderReadsBackAndNoticesEveryBit) {
  std::string good;
  append_segment_header(good, SegmentHeader{77, 88});
  ASSERT_EQ(good.size(), kSegmentHeaderBytes);
  const auto header = read_segment_header(core::as_bytes(good));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->first_sequence, 77U);
  EXPECT_EQ(header->created_us, 88);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(read_segment_header(core::as_bytes(bad))) << bit;
  }
}

TEST(SpoolFormat, LinesThatCouldForgeARecordAreRefused) {
  EXPECT_TRUE(valid_line("{}"));
  for (const std::string& bad : {std::string(""), std::string("{"), std::string("x{}"), std::string("{}\n"),
                                 std::string("{\"a\":\n1}"), std::string("{\0}", 3),
                                 "{" + record(1, "{}") + "}", "{" + std::string(kMaxLineBytes, ' ') + "}"}) {
    EXPECT_FALSE(valid_line(bad)) << bad.substr(0, 40);
  }
}

// The finder gives exactly the undamaged records whatever lies between them.
RC_GTEST_PROP(SpoolFormat, FindsRecordsBetweenRubbish, (std::vector<std::string> rubbish)) {
  std::string bytes;
  for (std::size_t i = 0; i < rubbish.size(); ++i) bytes += rubbish[i] + record(i + 1, "{\"n\":1}");
  std::size_t at = 0;
  for (std::size_t i = 0; i < rubbish.size(); ++i) {
    const auto found = find_record(core::as_bytes(bytes), at);
    RC_ASSERT(found.has_value());
    const RecordRead read = read_record(core::as_bytes(bytes).subspan(*found));
    RC_ASSERT(read.record.id.sequence == i + 1);
    at = *found + read.record.size();
  }
  RC_ASSERT(!find_record(core::as_bytes(bytes), at).has_value());
}

}  // namespace gatehouse::soc
