#include "soc/spool/writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <map>
#include <thread>

#include "core/os.h"
#include "soc/spool/segments.h"
#include "soc/spool/test_support.h"
#include "soc/spool/verify.h"

namespace gatehouse::soc {

using test::line_of;
using test::read_all;
using test::Scratch;

namespace {

std::unique_ptr<SpoolWriter> open_or_die(const std::string& spool, const WriterOptions& options = {}) {
  auto writer = SpoolWriter::open(spool, "ids", options);
  EXPECT_TRUE(writer) << (writer ? "" : writer.error().to_string());
  return writer ? std::move(*writer) : nullptr;
}

std::uint64_t bytes_on_disk(const std::string& directory) {
  std::uint64_t total = 0;
  const auto files = list_segments(directory).value();
  for (const SegmentFile& file : files) total += file.bytes;
  return total;
}

}  // namespace

TEST(SpoolWriter, SyncedEventsAreReadBackInOrder) {
  const Scratch scratch;
  const auto writer = open_or_die(scratch.path());
  for (std::uint64_t i = 1; i <= 1000; ++i) ASSERT_TRUE(writer->append(line_of("alert", i)));
  ASSERT_TRUE(writer->sync());
  const auto events = read_all(scratch.path() + "/ids");
  ASSERT_EQ(events.size(), 1000U);
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    EXPECT_EQ(events[i - 1].event.id, (EventId{writer->instance(), i}));
    EXPECT_EQ(events[i - 1].event.line, line_of("alert", i));
    EXPECT_EQ(events[i - 1].event.event_class, EventClass::alert);
  }
  EXPECT_EQ(writer->counters().synced_sequence, 1000U);
  EXPECT_EQ(writer->counters().appended_total(), 1000U);
}

TEST(SpoolWriter, SyncsByItselfInTime) {
  const Scratch scratch;
  const auto writer = open_or_die(scratch.path());
  ASSERT_TRUE(writer->append(line_of("alert", 1)));
  const std::int64_t start = core::monotonic_us();
  while (writer->counters().synced_sequence == 0 && core::monotonic_us() - start < 5'000'000) ::usleep(5000);
  EXPECT_EQ(writer->counters().synced_sequence, 1U);
}

TEST(SpoolWriter, SequenceGoesOnAndIdentityDiffersAfterReopening) {
  const Scratch scratch;
  std::uint64_t first_instance = 0;
  {
    const auto writer = open_or_die(scratch.path());
    first_instance = writer->instance();
    writer->append(line_of("alert", 1));
  }
  const auto writer = open_or_die(scratch.path());
  EXPECT_NE(writer->instance(), first_instance);
  writer->append(line_of("alert", 2));
  ASSERT_TRUE(writer->sync());
  const auto events = read_all(scratch.path() + "/ids");
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].event.id.sequence, 2U);
}

TEST(SpoolWriter, KeepsASecondWriterOut) {
  const Scratch scratch;
  const auto writer = open_or_die(scratch.path());
  const auto second = SpoolWriter::open(scratch.path(), "ids");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, core::Errc::conflict);
  EXPECT_TRUE(SpoolWriter::open(scratch.path(), "mac"));
}

TEST(SpoolWriter, RefusesStreamNamesThatLeaveTheSpool) {
  const Scratch scratch;
  for (const char* name : {"", "..", "a/b", ".state", "A", "-a", "a b"}) {
    EXPECT_FALSE(SpoolWriter::open(scratch.path(), name)) << name;
  }
}

TEST(SpoolWriter, CountsWhatIsNoLine) {
  const Scratch scratch;
  const auto writer = open_or_die(scratch.path());
  EXPECT_FALSE(writer->append("not json"));
  EXPECT_FALSE(writer->append("{\"a\":1}\n{\"b\":2}"));
  EXPECT_EQ(writer->counters().refused, 2U);
  EXPECT_EQ(writer->counters().last_sequence, 0U);
}

TEST(SpoolWriter, BeginsNewSegmentsAndVerifies) {
  const Scratch scratch;
  WriterOptions options;
  options.segment_bytes = 64U << 10U;
  {
    const auto writer = open_or_die(scratch.path(), options);
    for (std::uint64_t i = 1; i <= 2000; ++i) writer->append(line_of("http", i, 600));
  }
  const auto files = list_segments(scratch.path() + "/ids").value();
  EXPECT_GT(files.size(), 10U);
  for (const SegmentFile& file : files) EXPECT_LT(file.bytes, (64U << 10U) + 700) << file.index;
  const auto report = verify_stream(scratch.path(), "ids");
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->intact());
  EXPECT_EQ(report->end.events, 2000U);
}

// The heart of the policy: what is dropped first, that the cap holds, and that every number adds up.
TEST(SpoolWriter, DropsByClassAndAccountsForEach) {
  const Scratch scratch;
  const std::string directory = scratch.path() + "/ids";
  WriterOptions options;
  options.cap_bytes = 1U << 20U;
  options.summary_interval_us = 1000;
  const auto writer = open_or_die(scratch.path(), options);
  const char* types[] = {"stats", "flow", "http", "anomaly", "alert"};
  std::map<std::string, std::uint64_t> first_drop;
  for (std::uint64_t i = 1; i <= 4000; ++i) {
    const std::string type = types[i % 5];
    if (!writer->append(line_of(type, i, 500)) && first_drop.count(type) == 0) first_drop[type] = i;
    if (i % 100 == 0) {
      ASSERT_TRUE(writer->sync());
    }
  }
  ASSERT_TRUE(writer->sync());
  ASSERT_EQ(first_drop.size(), 5U);
  EXPECT_LT(first_drop["stats"], first_drop["flow"]);
  EXPECT_LT(first_drop["flow"], first_drop["http"]);
  EXPECT_LT(first_drop["http"], first_drop["anomaly"]);
  EXPECT_LT(first_drop["anomaly"], first_drop["alert"]);
  EXPECT_LE(bytes_on_disk(directory), options.cap_bytes);

  // The forwarder gives segments back: the writer notices, accepts again and reports once.
  const auto files = list_segments(directory).value();
  Position end;
  const auto before = read_all(directory, &end);
  ASSERT_TRUE(remove_segments_below(directory, files.back().index));
  const std::int64_t start = core::monotonic_us();
  while (!writer->append(line_of("stats", 5000, 500)) && core::monotonic_us() - start < 10'000'000)
    ::usleep(20'000);
  ASSERT_TRUE(writer->sync());
  const auto after = read_all(directory, &end, end);
  const WriterCounters counters = writer->counters();
  EXPECT_EQ(end.events, counters.appended_total());
  EXPECT_EQ(end.dropped, counters.dropped_total());
  EXPECT_EQ(end.events + end.dropped, counters.last_sequence);
  EXPECT_EQ(end.lost, 0U);
  EXPECT_EQ(end.damages, 0U);
  std::size_t summaries = 0;
  for (const ReadEvent& e : after)
    summaries += e.event.line.find("gatehouse_dropped_stats") != std::string::npos;
  EXPECT_GE(summaries, 1U);
}

TEST(SpoolWriter, SurvivesAFullDisk) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting a small tmpfs needs root";
  ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  const Scratch scratch;
  ASSERT_EQ(::mount("none", scratch.path().c_str(), "tmpfs", 0, "size=4m"), 0);
  const std::string ballast = scratch.path() + "/ballast";
  {
    WriterOptions options;
    options.sync_interval_us = 20'000;
    const auto writer = open_or_die(scratch.path(), options);
    ASSERT_TRUE(writer->append(line_of("alert", 1)));
    ASSERT_TRUE(writer->sync());
    {
      // Somebody else takes all that is left.
      const core::UniqueFd fd(::open(ballast.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
      const std::string block(64U << 10U, 'b');
      while (::write(fd.get(), block.data(), block.size()) > 0) {
      }
      const std::string byte = "b";
      while (::write(fd.get(), byte.data(), 1) > 0) {
      }
    }
    std::uint64_t accepted = 1;
    for (std::uint64_t i = 2; i <= 3000; ++i) accepted += writer->append(line_of("alert", i, 600)) ? 1 : 0;
    EXPECT_FALSE(writer->sync());
    EXPECT_GT(writer->counters().write_failures, 0U);
    ASSERT_EQ(::unlink(ballast.c_str()), 0);
    const std::int64_t start = core::monotonic_us();
    while (!writer->sync() && core::monotonic_us() - start < 10'000'000) ::usleep(50'000);
    EXPECT_TRUE(writer->sync());
    Position end;
    EXPECT_GE(read_all(scratch.path() + "/ids", &end).size(), accepted);
    EXPECT_EQ(end.lost, 0U);
    EXPECT_EQ(end.damages, 0U);
  }
  EXPECT_EQ(::umount(scratch.path().c_str()), 0);
}

TEST(SpoolWriter, AppendsFromSeveralThreads) {
  const Scratch scratch;
  const auto writer = open_or_die(scratch.path());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < 2000; ++i) writer->append(line_of("dns", i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(writer->sync());
  Position end;
  EXPECT_EQ(read_all(scratch.path() + "/ids", &end).size(), 8000U);
  EXPECT_EQ(end.lost, 0U);
}

}  // namespace gatehouse::soc
