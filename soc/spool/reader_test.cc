#include "soc/spool/reader.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <fstream>

#include "core/os.h"
#include "soc/spool/cursor.h"
#include "soc/spool/test_support.h"
#include "soc/spool/verify.h"
#include "soc/spool/writer.h"

namespace gatehouse::soc {

using test::line_of;
using test::read_all;
using test::Scratch;

namespace {

void write(const std::string& spool, std::uint64_t from, std::uint64_t to) {
  auto writer = SpoolWriter::open(spool, "ids").value();
  for (std::uint64_t i = from; i <= to; ++i) writer->append(line_of("alert", i));
}

std::string segment(const std::string& directory, std::size_t number) {
  return segment_path(directory, list_segments(directory).value().at(number).index);
}

void overwrite(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

}  // namespace

TEST(SpoolReader, FollowsAWriterAndGoesBack) {
  const Scratch scratch;
  auto writer = SpoolWriter::open(scratch.path(), "ids").value();
  SpoolReader reader(scratch.path() + "/ids");
  std::vector<ReadEvent> events;
  ASSERT_TRUE(reader.read(events, 10, 1U << 20U));
  EXPECT_TRUE(events.empty());
  writer->append(line_of("alert", 1));
  ASSERT_TRUE(writer->sync());
  ASSERT_TRUE(reader.read(events, 10, 1U << 20U));
  ASSERT_EQ(events.size(), 1U);
  const Position after_first = reader.position();
  writer->append(line_of("alert", 2));
  writer->append(line_of("alert", 3));
  ASSERT_TRUE(writer->sync());
  ASSERT_TRUE(reader.read(events, 10, 1U << 20U));
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(reader.position(), events.back().after);
  reader.go_to(after_first);
  events.clear();
  ASSERT_TRUE(reader.read(events, 1, 1U << 20U));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].event.id.sequence, 2U);
  EXPECT_GT(reader.bytes_ahead().value(), 0U);
}

TEST(SpoolReader, LimitsEventsAndBytes) {
  const Scratch scratch;
  write(scratch.path(), 1, 100);
  SpoolReader reader(scratch.path() + "/ids");
  std::vector<ReadEvent> events;
  ASSERT_TRUE(reader.read(events, 7, 1U << 20U));
  EXPECT_EQ(events.size(), 7U);
  ASSERT_TRUE(reader.read(events, 100, 1));
  EXPECT_EQ(events.size(), 8U);
}

TEST(SpoolReader, StepsOverOneDamagedRecord) {
  const Scratch scratch;
  write(scratch.path(), 1, 10);
  const std::string path = segment(scratch.path() + "/ids", 0);
  std::string content = core::read_file(path).value();
  content[content.find("\"flow_id\":5")] ^= 1;
  overwrite(path, content);
  Position end;
  EXPECT_EQ(read_all(scratch.path() + "/ids", &end).size(), 9U);
  EXPECT_EQ(end.lost, 1U);
  EXPECT_EQ(end.damages, 1U);
  EXPECT_FALSE(verify_stream(scratch.path(), "ids")->intact());
}

// While the writer lives, unreadable bytes at the end may be a write in progress.
TEST(SpoolReader, WaitsBeforeItCallsTheEndDamaged) {
  const Scratch scratch;
  write(scratch.path(), 1, 10);
  const std::string path = segment(scratch.path() + "/ids", 0);
  std::string content = core::read_file(path).value();
  content[content.find("\"flow_id\":5")] ^= 1;
  overwrite(path, content);
  SpoolReader reader(scratch.path() + "/ids", {}, 50'000);
  std::vector<ReadEvent> events;
  ASSERT_TRUE(reader.read(events, 100, 1U << 20U));
  EXPECT_EQ(events.size(), 4U);
  EXPECT_TRUE(reader.has_unfinished_bytes());
  ::usleep(60'000);
  ASSERT_TRUE(reader.read(events, 100, 1U << 20U));
  EXPECT_EQ(events.size(), 9U);
}

TEST(SpoolReader, CountsAMissingSegment) {
  const Scratch scratch;
  write(scratch.path(), 1, 10);
  write(scratch.path(), 11, 30);
  write(scratch.path(), 31, 40);
  const std::string directory = scratch.path() + "/ids";
  ASSERT_EQ(::unlink(segment(directory, 1).c_str()), 0);
  Position end;
  EXPECT_EQ(read_all(directory, &end).size(), 20U);
  EXPECT_EQ(end.lost, 20U);
}

TEST(SpoolReader, ATornEndThatAWriterCutsIsNoDamage) {
  const Scratch scratch;
  write(scratch.path(), 1, 10);
  const std::string directory = scratch.path() + "/ids";
  const std::string path = segment(directory, 0);
  const std::string content = core::read_file(path).value();
  overwrite(path, content + content.substr(32, 60));
  SpoolReader reader(directory, {}, 1);
  std::vector<ReadEvent> events;
  ASSERT_TRUE(reader.read(events, 100, 1U << 20U));
  ASSERT_TRUE(reader.read(events, 100, 1U << 20U));
  EXPECT_EQ(events.size(), 10U);
  EXPECT_TRUE(reader.has_unfinished_bytes());
  EXPECT_FALSE(verify_stream(scratch.path(), "ids")->intact());
  write(scratch.path(), 11, 12);
  ASSERT_TRUE(reader.read(events, 100, 1U << 20U));
  EXPECT_EQ(events.size(), 12U);
  EXPECT_EQ(reader.position().damages, 0U);
  EXPECT_TRUE(verify_stream(scratch.path(), "ids")->intact());
}

TEST(SpoolReader, AStreamBegunAnewIsReadFromItsStart) {
  const Scratch scratch;
  write(scratch.path(), 1, 3);
  const std::string directory = scratch.path() + "/ids";
  Position later;
  later.segment = 99;
  later.offset = 1000;
  later.last = EventId{1, 5000};
  Position end;
  EXPECT_EQ(read_all(directory, &end, later).size(), 3U);
  EXPECT_EQ(end.damages, 1U);
}

TEST(SpoolReader, APositionBehindACutEndGoesOnInTheNextSegment) {
  const Scratch scratch;
  write(scratch.path(), 1, 3);
  const std::string directory = scratch.path() + "/ids";
  Position end;
  read_all(directory, &end);
  end.offset += 500;
  end.last.sequence = 9;  // a receiver saw these; the power cut took them
  write(scratch.path(), 4, 6);
  Position now;
  EXPECT_EQ(read_all(directory, &now, end).size(), 3U);
  EXPECT_EQ(now.lost, 0U);
}

TEST(SegmentFiles, TheNewestIsNeverRemoved) {
  const Scratch scratch;
  write(scratch.path(), 1, 3);
  write(scratch.path(), 4, 6);
  EXPECT_EQ(remove_segments_below(scratch.path() + "/ids", 1000).value(), 1U);
  EXPECT_EQ(list_segments(scratch.path() + "/ids")->size(), 1U);
}

TEST(Cursor, DamageMeansFromTheStart) {
  const Scratch scratch;
  Position position;
  position.segment = 3;
  position.offset = 77;
  position.last = EventId{5, 6};
  position.lost = 1;
  const std::string path = scratch.path() + "/a.cursor";
  ASSERT_TRUE(save_cursor(path, position));
  EXPECT_EQ(load_cursor(path), position);
  const std::string text = core::read_file(path).value();
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string bad = text;
    bad[i] ^= 1;
    EXPECT_FALSE(parse_cursor(bad)) << i;
    EXPECT_FALSE(parse_cursor(text.substr(0, i))) << i;
  }
  EXPECT_EQ(load_cursor(scratch.path() + "/none"), Position{});
}

RC_GTEST_PROP(Cursor, ReadsBack, (std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d)) {
  const Position position{a, b, EventId{c, d}, a, b, c, d};
  RC_ASSERT(parse_cursor(cursor_text(position)) == position);
}

}  // namespace gatehouse::soc
