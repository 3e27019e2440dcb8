// What survives: kill -9 at any moment, cut files, flipped bits.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <random>
#include <set>

#include "core/os.h"
#include "soc/spool/segments.h"
#include "soc/spool/test_support.h"
#include "soc/spool/writer.h"

namespace gatehouse::soc {

using test::line_of;
using test::read_all;
using test::Scratch;

namespace {

// Appends for ever; `synced` is what it has been told is safe.
[[noreturn]] void write_until_killed(const std::string& spool, std::atomic<std::uint64_t>* synced) {
  WriterOptions options;
  options.segment_bytes = 96U << 10U;
  options.sync_interval_us = 2000;
  auto writer = SpoolWriter::open(spool, "ids", options);
  if (!writer) ::_exit(1);
  for (std::uint64_t i = 1;; ++i) {
    (*writer)->append(line_of("alert", i, 200 + i * 37 % 900));
    if (i % 16 == 0) *synced = (*writer)->counters().synced_sequence;
    if (i % 64 == 0 && !(*writer)->sync()) ::_exit(2);
    if (i % 64 == 0) *synced = (*writer)->counters().synced_sequence;
  }
}

}  // namespace

TEST(SpoolCrash, KillLosesNothingAcknowledged) {
  const Scratch scratch;
  void* shared = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto* synced = new (shared) std::atomic<std::uint64_t>(0);
  std::mt19937 random(20261121);
  std::uint64_t last = 0;
  for (int round = 0; round < 20; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) write_until_killed(scratch.path(), synced);
    ::usleep(2000 + random() % 60'000);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer gave up: " << WEXITSTATUS(status);
    Position end;
    const auto events = read_all(scratch.path() + "/ids", &end);
    EXPECT_EQ(end.lost, 0U) << round;
    EXPECT_EQ(end.damages, 0U) << round;
    EXPECT_GE(end.last.sequence, *synced) << round;
    EXPECT_GE(end.last.sequence, last) << round;
    last = end.last.sequence;
    // Every number once, in order: nothing acknowledged is missing and no identity is used twice.
    for (std::size_t i = 0; i < events.size(); ++i) ASSERT_EQ(events[i].event.id.sequence, i + 1);
  }
  EXPECT_GT(last, 100U);
  ::munmap(shared, 4096);
}

namespace {

struct Written {
  std::vector<Event> events;
  std::string directory;
};

Written write_some(const std::string& spool, std::uint64_t count) {
  WriterOptions options;
  options.segment_bytes = 1;  // the least a segment may be
  {
    auto writer = SpoolWriter::open(spool, "ids", options).value();
    for (std::uint64_t i = 1; i <= count; ++i) writer->append(line_of("alert", i, 100 + i * 131 % 4000));
  }
  Written out;
  out.directory = spool + "/ids";
  for (const ReadEvent& e : read_all(out.directory)) out.events.push_back(e.event);
  return out;
}

void damage(const std::string& directory, std::uint32_t where, std::uint32_t kind) {
  const auto files = list_segments(directory).value();
  const SegmentFile& file = files[where % files.size()];
  const std::string path = segment_path(directory, file.index);
  std::string content = core::read_file(path).value();
  if (content.empty()) return;
  const std::size_t at = (where >> 8U) % content.size();
  if (kind % 4 == 0) {
    content.resize(at);
  } else if (kind % 4 == 1) {
    content.replace(at, std::min<std::size_t>(512, content.size() - at), 512, '\0');  // a block never written
    content.resize(std::max(content.size(), at));
  } else {
    content[at] = static_cast<char>(content[at] ^ (1 << (kind >> 4U) % 8));
  }
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

}  // namespace

// After any damage: every event that is read is one that was written, no number is read twice, what
// is missing in the middle is counted exactly, and a writer goes on with fresh identities.
RC_GTEST_PROP(SpoolCrash, DamageIsCountedAndNeverBelieved,
              (std::vector<std::pair<std::uint32_t, std::uint32_t>> hits)) {
  if (hits.size() > 6) hits.resize(6);
  const Scratch scratch(true);
  const Written written = write_some(scratch.path(), 80);
  RC_ASSERT(written.events.size() == 80U);
  for (const auto& [where, kind] : hits) damage(written.directory, where, kind);

  Position end;
  const auto read = read_all(written.directory, &end);
  std::set<std::uint64_t> seen;
  for (const ReadEvent& e : read) {
    const std::uint64_t n = e.event.id.sequence;
    RC_ASSERT(n >= 1 && n <= 80U);
    RC_ASSERT(seen.insert(n).second);
    RC_ASSERT(e.event.line == written.events[n - 1].line);
    RC_ASSERT(e.event.id == written.events[n - 1].id);
  }
  if (!read.empty()) RC_ASSERT(read.size() + end.lost == end.last.sequence);

  {
    auto writer = SpoolWriter::open(scratch.path(), "ids").value();
    RC_ASSERT(writer->instance() != written.events[0].id.instance);
    RC_ASSERT(writer->append(line_of("alert", 1)));
  }
  const auto again = read_all(written.directory, &end);
  RC_ASSERT(!again.empty());
  RC_ASSERT(again.size() == read.size() + 1);
  for (const ReadEvent& e : read) RC_ASSERT(again.back().event.id.sequence > e.event.id.sequence);
}

}  // namespace gatehouse::soc
