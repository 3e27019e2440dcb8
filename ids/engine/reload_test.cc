#include "ids/engine/reload.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "ids/keywords/rule.h"

namespace gatehouse::ids::engine {
namespace {

std::shared_ptr<const Engine> empty_engine() {
  core::Diagnostics diagnostics;
  return *Engine::build(check_rules({}, RuleEnvironment{}, diagnostics), {});
}

TEST(Handover, EndsWhenTheLastWorkerHasTakenTheNewest) {
  Handover all(2);
  Handover::Lane one, two;
  std::uint64_t dropped = 5;
  int replaced = 0;
  const auto look = [&](Handover::Lane& lane) {
    lane.look(
        all, [&] { return dropped; }, [&](const std::shared_ptr<const Engine>&) { ++replaced; });
  };
  look(one);
  EXPECT_FALSE(all.finished()) << "nothing was published";
  all.begin();
  look(one);
  look(two);
  EXPECT_EQ(replaced, 0);
  all.publish(empty_engine());
  dropped += 3;
  look(one);
  look(one);
  EXPECT_EQ(replaced, 1);
  EXPECT_FALSE(all.finished()) << "one of two has it";
  dropped += 1;
  look(two);
  EXPECT_EQ(replaced, 2);
  const auto taken = all.finished();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->dropped, 3U + 4U);
  EXPECT_FALSE(all.finished()) << "told once";
}

TEST(Handover, WorkersOnThreadsOfTheirOwnAllGetEveryEngineOrANewerOne) {
  constexpr int kRounds = 50;
  Handover all(2);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      Handover::Lane lane;
      std::uint64_t dropped = 0;
      while (!stop) {
        lane.look(
            all, [&] { return dropped; }, [](const std::shared_ptr<const Engine>&) {});
        std::this_thread::yield();
      }
    });
  }
  const auto engine = empty_engine();
  for (int round = 0; round < kRounds; ++round) {
    all.begin();
    all.publish(engine);
    std::optional<Handover::Taken> taken;
    while (!(taken = all.finished())) std::this_thread::yield();
    EXPECT_EQ(taken->dropped, 0U);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(engine.use_count(), 1) << "nobody but the owner keeps it";
}

class Memory : public ::testing::Test {
 protected:
  void SetUp() override { write("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    3000 kB\n"); }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    ASSERT_TRUE(core::make_directories(std::filesystem::path(root_ + path).parent_path().string()));
    ASSERT_TRUE(core::write_file_atomic(root_ + path, text));
  }
  std::optional<std::uint64_t> left() const { return MemoryLeft(root_ + "proc", root_ + "cgroup").bytes(); }

  const std::string root_ = ::testing::TempDir() + "gatehouse-memory-" + std::to_string(::getpid()) + "/";
};

TEST_F(Memory, IsWhatTheSystemHasWhereNothingLimitsIt) {
  EXPECT_EQ(left(), 3000U * 1024);
  write("proc/self/cgroup", "0::/a/b\n");
  EXPECT_EQ(left(), 3000U * 1024) << "no such group";
  write("cgroup/a/b/memory.max", "max\n");
  write("cgroup/a/b/memory.current", "1000\n");
  EXPECT_EQ(left(), 3000U * 1024);
}

TEST_F(Memory, IsWhatTheNarrowestGroupAboveLeaves) {
  write("proc/self/cgroup", "1:cpu:/old\n0::/a/b\n");
  write("cgroup/a/b/memory.max", "900000\n");
  write("cgroup/a/b/memory.current", "100000\n");
  EXPECT_EQ(left(), 800'000U);
  write("cgroup/a/memory.max", "500000\n");
  write("cgroup/a/memory.current", "100000\n");
  EXPECT_EQ(left(), 400'000U);
  write("cgroup/a/memory.current", "600000\n");
  EXPECT_EQ(left(), 0U) << "above its limit already";
}

TEST_F(Memory, IsUnknownWhereNothingCanBeRead) {
  EXPECT_FALSE(MemoryLeft(root_ + "nowhere", root_ + "nowhere").bytes());
}

}  // namespace
}  // namespace gatehouse::ids::engine
