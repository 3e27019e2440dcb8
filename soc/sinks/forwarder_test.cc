#include "soc/sinks/forwarder.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "core/os.h"
#include "soc/spool/cursor.h"
#include "soc/spool/segments.h"
#include "soc/spool/test_support.h"
#include "soc/spool/writer.h"

namespace gatehouse::soc {

using test::line_of;
using test::Scratch;

namespace {

// What a receiver ends up with, over any number of connections.
struct Receiver {
  std::vector<std::string> kept;  // safe with the receiver
  std::atomic<std::size_t> beats = 0;
};

// Fails at random and keeps only what it has confirmed: events handed over and not confirmed are
// lost when a connection breaks, as with a receiver that is killed.
class FlakySink final : public Sink {
 public:
  FlakySink(Receiver& receiver, unsigned seed, unsigned fail_percent)
      : receiver_(receiver), random_(seed), fail_percent_(fail_percent) {}

  core::Status connect() override {
    unsafe_.clear();
    confirmed_ = 0;
    return maybe_fail();
  }
  core::Status send(std::string_view, std::span<const ReadEvent> events) override {
    for (const ReadEvent& e : events) {
      unsafe_.push_back(e.event.id.to_string());
      GH_CHECK(maybe_fail(200));
    }
    return {};
  }
  core::Result<std::uint64_t> confirmed() override {
    GH_CHECK(maybe_fail());
    keep(unsafe_.empty() ? 0 : random_() % (unsafe_.size() + 1));
    return confirmed_;
  }
  core::Status heartbeat(std::span<const StreamMark> marks) override {
    receiver_.beats += marks.size();
    return {};
  }
  core::Status finish(std::int64_t) override {
    GH_CHECK(maybe_fail());
    keep(unsafe_.size());
    return {};
  }

 private:
  void keep(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) receiver_.kept.push_back(unsafe_[i]);
    unsafe_.erase(unsafe_.begin(), unsafe_.begin() + static_cast<std::ptrdiff_t>(count));
    confirmed_ += count;
  }
  core::Status maybe_fail(unsigned rarer = 1) {
    if (random_() % (100 * rarer) < fail_percent_) return core::fail(core::Errc::io, "broken");
    return {};
  }

  Receiver& receiver_;
  std::mt19937 random_;
  unsigned fail_percent_;
  std::vector<std::string> unsafe_;
  std::uint64_t confirmed_ = 0;
};

ForwardSettings settings_for(const std::string& spool) {
  ForwardSettings s;
  s.spool = spool;
  s.state = spool + "/.state";
  s.once = true;
  s.save_interval_us = 0;
  s.least_wait_us = s.most_wait_us = 50;
  return s;
}

std::set<std::string> fill(const std::string& spool, const std::string& stream, std::uint64_t count) {
  WriterOptions options;
  options.segment_bytes = 1;
  auto writer = SpoolWriter::open(spool, stream, options).value();
  for (std::uint64_t i = 1; i <= count; ++i) writer->append(line_of("alert", i, 300));
  std::set<std::string> ids;
  for (std::uint64_t i = 1; i <= count; ++i) ids.insert(EventId{writer->instance(), i}.to_string());
  return ids;
}

}  // namespace

// However often a receiver breaks off, the cursor never runs ahead of what it kept.
RC_GTEST_PROP(Forwarder, DeliversEverythingThroughAnyFailures, (unsigned seed)) {
  const Scratch scratch(true);
  std::set<std::string> want = fill(scratch.path(), "ids", 700);
  want.merge(fill(scratch.path(), "mac", 300));
  Receiver receiver;
  Forwarder forwarder("siem", std::make_unique<FlakySink>(receiver, seed, 20), settings_for(scratch.path()));
  Signal signal;
  RC_ASSERT(forwarder.run(signal).has_value());
  RC_ASSERT(std::set<std::string>(receiver.kept.begin(), receiver.kept.end()) == want);
  for (const char* stream : {"ids", "mac"}) {
    const Position saved = load_cursor(cursor_path(scratch.path() + "/.state", "siem", stream));
    RC_ASSERT(saved.last.sequence == (std::string(stream) == "ids" ? 700U : 300U));
    RC_ASSERT(forwarder.saved_segments().at(stream) == saved.segment);
  }
}

TEST(Forwarder, GivesUpOnceAndKeepsItsPlace) {
  const Scratch scratch(true);
  fill(scratch.path(), "ids", 10);
  ForwardSettings settings = settings_for(scratch.path());
  settings.give_up_us = 20'000;
  Receiver receiver;
  Signal signal;
  {
    Forwarder forwarder("siem", std::make_unique<FlakySink>(receiver, 1, 100), settings);
    EXPECT_FALSE(forwarder.run(signal));
  }
  EXPECT_TRUE(receiver.kept.empty());
  Forwarder forwarder("siem", std::make_unique<FlakySink>(receiver, 1, 0), settings);
  EXPECT_TRUE(forwarder.run(signal));
  EXPECT_EQ(receiver.kept.size(), 10U);
  // A third one finds nothing left to do.
  Forwarder again("siem", std::make_unique<FlakySink>(receiver, 1, 0), settings);
  EXPECT_TRUE(again.run(signal));
  EXPECT_EQ(receiver.kept.size(), 10U);
}

TEST(Forwarder, FollowsNewEventsAndStreamsAndBeats) {
  const Scratch scratch(true);
  ForwardSettings settings = settings_for(scratch.path());
  settings.once = false;
  settings.heartbeat_us = 1000;
  Receiver receiver;
  Forwarder forwarder("siem", std::make_unique<FlakySink>(receiver, 1, 0), settings);
  Signal signal;
  core::Status status;
  std::thread thread([&] { status = forwarder.run(signal); });
  fill(scratch.path(), "ids", 5);
  signal.notify();
  const std::int64_t start = core::monotonic_us();
  while (core::monotonic_us() - start < 10'000'000 && receiver.beats == 0) {
    signal.notify();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  signal.stop();
  thread.join();
  EXPECT_TRUE(status);
  EXPECT_EQ(receiver.kept.size(), 5U);
  EXPECT_GT(receiver.beats, 0U);
}

}  // namespace gatehouse::soc
