#include "ids/engine/output.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <sstream>

#include "core/os.h"

namespace gatehouse::ids::engine {
namespace {

class Memory : public EventSink {
 public:
  void write(EventKind, std::string_view line) override {
    std::unique_lock lock(mutex_);
    open_.wait(lock, [this] { return !held_; });
    lines.emplace_back(line);
  }
  void flush() override { ++flushes; }
  const std::string& failure() const override { return failure_; }
  std::uint64_t lost() const override { return 0; }
  void hold(bool on) {
    const std::lock_guard lock(mutex_);
    held_ = on;
    open_.notify_all();
  }
  std::vector<std::string> lines;
  int flushes = 0;

 private:
  std::mutex mutex_;
  std::condition_variable open_;
  bool held_ = false;
  std::string failure_;
};

TEST(EventRing, WrapsAroundAndKeepsOrder) {
  EventRing ring(4096);
  std::string room;
  std::size_t next = 0;
  for (std::size_t i = 0; i < 5000; ++i) {
    const std::string text(1 + i % 700, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(ring.push(EventKind::flow, text));
    if (i % 3 != 2) continue;
    const int most = 1 + static_cast<int>(i % 5);
    const auto expect_next = [&](EventKind kind, std::string_view line) {
      EXPECT_EQ(line, std::string(1 + next % 700, static_cast<char>('a' + next % 26)));
      EXPECT_EQ(kind, EventKind::flow);
      ++next;
    };
    while (ring.read(most, room, expect_next) == most) ring.release();
    ring.release();
  }
  EXPECT_FALSE(ring.push(EventKind::flow, std::string(5000, 'x')));
  EXPECT_FALSE(ring.fits(5000));
}

TEST(Output, EveryLineOfEveryPortArrivesInItsOrder) {
  auto sink = std::make_unique<Memory>();
  Memory& memory = *sink;
  Output output(2, WhenFull::wait, 4096);  // far smaller than what is written: the ports wait
  output.add_sink(std::move(sink));
  output.start();
  std::thread other([&] {
    for (int i = 0; i < 2000; ++i) output.port(1).write(EventKind::flow, "b" + std::to_string(i) + "\n");
  });
  for (int i = 0; i < 2000; ++i) output.port(0).write(EventKind::alert, "a" + std::to_string(i) + "\n");
  other.join();
  output.stop();
  int a = 0;
  int b = 0;
  for (const std::string& line : memory.lines)
    EXPECT_EQ(line.substr(1), std::to_string(line[0] == 'a' ? a++ : b++) + "\n");
  EXPECT_EQ(a, 2000);
  EXPECT_EQ(b, 2000);
  EXPECT_EQ(output.dropped(), 0u);
  EXPECT_GT(memory.flushes, 0);
}

TEST(Output, ASlowDiskCostsEventsNotTimeWhenLive) {
  auto sink = std::make_unique<Memory>();
  Memory& memory = *sink;
  memory.hold(true);
  Output output(1, WhenFull::drop, 4096);
  output.add_sink(std::move(sink));
  output.start();
  for (int i = 0; i < 1000; ++i) output.port(0).write(EventKind::flow, std::string(99, 'x') + "\n");
  EXPECT_GT(output.dropped(), 900u);  // 4096 bytes hold 39 lines, the writer has taken at most one
  memory.hold(false);
  output.stop();
  EXPECT_EQ(memory.lines.size() + output.dropped(), 1000u);
}

TEST(Output, AMassOfFlowEventsNeitherDropsNorDelaysAlertsWhenLive) {
  auto sink = std::make_unique<Memory>();
  Memory& memory = *sink;
  memory.hold(true);
  Output output(1, WhenFull::drop, 64 << 10);
  output.add_sink(std::move(sink));
  output.start();
  OutputPort& port = output.port(0);
  const std::string flow = "f" + std::string(98, 'x') + "\n";
  for (int i = 0; i < 2000; ++i) port.write(EventKind::flow, flow);
  EXPECT_GT(port.dropped(EventKind::flow), 1000u);
  // Protocol events still find room where flows do not; alerts have their own.
  for (int i = 0; i < 50; ++i) port.write(EventKind::transaction, "t\n");
  for (int i = 0; i < 100; ++i) port.write(EventKind::alert, "a" + std::to_string(i) + "\n");
  EXPECT_EQ(port.dropped(EventKind::transaction), 0u);
  EXPECT_EQ(port.dropped(EventKind::alert), 0u);
  memory.hold(false);
  output.stop();
  std::size_t last_alert = 0;
  for (std::size_t i = 0; i < memory.lines.size(); ++i) {
    if (memory.lines[i][0] == 'a') last_alert = i;
  }
  // What the writer had already taken comes before them, and at most one batch of it.
  EXPECT_LT(last_alert, 100u + 513u);
  EXPECT_EQ(memory.lines.size() + output.dropped(), 2150u);
}

// Lines of every length, many of them around the end of their ring, from two producers.
TEST(FileSink, HoldsEveryLineWhole) {
  std::string directory = "/tmp/gh-output-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const auto line = [](char name, int i) {
    return name + std::to_string(i) + std::string(static_cast<std::size_t>(i) % 900, '.') + "\n";
  };
  constexpr int kLines = 3000;
  {
    Output output(2, WhenFull::wait, 4096);
    auto sink = open_file_sink(directory);
    ASSERT_TRUE(sink) << sink.error().text;
    output.add_sink(std::move(*sink));
    output.start();
    std::thread other([&] {
      for (int i = 0; i < kLines; ++i) output.port(1).write(EventKind::flow, line('b', i));
    });
    for (int i = 0; i < kLines; ++i) output.port(0).write(EventKind::alert, line('a', i));
    other.join();
    output.stop();
    EXPECT_EQ(output.failure(), "");
  }
  std::array<int, 2> next{};
  std::istringstream text(*core::read_file(directory + "/eve.json"));
  for (std::string read; std::getline(text, read);) {
    ASSERT_FALSE(read.empty());
    int& i = next[read[0] == 'b' ? 1 : 0];
    ASSERT_EQ(read + "\n", line(read[0], i++));
  }
  EXPECT_EQ(next, (std::array{kLines, kLines}));
  std::filesystem::remove_all(directory);
}

TEST(FileSink, AppendsReopensAndReportsFailure) {
  std::string directory = "/tmp/gh-output-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  {
    auto sink = open_file_sink(directory + "/deep/er");
    ASSERT_TRUE(sink) << sink.error().text;
    (*sink)->write(EventKind::flow, "one\n");
    (*sink)->flush();
    const std::string path = directory + "/deep/er/eve.json";
    ASSERT_EQ(std::rename(path.c_str(), (path + ".1").c_str()), 0);
    (*sink)->reopen();
    (*sink)->write(EventKind::flow, "two\n");
    (*sink)->flush();
    EXPECT_EQ(*core::read_file(path), "two\n");
    EXPECT_EQ(*core::read_file(path + ".1"), "one\n");
  }
  {
    auto again = open_file_sink(directory + "/deep/er");
    ASSERT_TRUE(again);
    (*again)->write(EventKind::flow, "three\n");
    (*again)->flush();
  }
  EXPECT_EQ(*core::read_file(directory + "/deep/er/eve.json"), "two\nthree\n");
  EXPECT_FALSE(open_file_sink("/proc/no/such"));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace gatehouse::ids::engine
