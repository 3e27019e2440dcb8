#include "ids/engine/top.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace gatehouse::ids::engine {
namespace {

class Top : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(mkdtemp(directory_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string path() const { return directory_ + "/top.sock"; }
  std::string directory_ = "/tmp/gh-ids-top-XXXXXX";
};

TEST_F(Top, AnswersWhoAsksAndOnlyItsOwner) {
  auto socket = TopSocket::open(path());
  ASSERT_TRUE(socket) << socket.error().to_string();
  EXPECT_FALSE((*socket)->asked());
  struct stat status {};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  core::Result<std::string> answer;
  std::thread asking([&] { answer = ask_top(path()); });
  while (!(*socket)->asked()) std::this_thread::yield();
  (*socket)->answer("{}\n");
  asking.join();
  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer, "{}\n");
}

TEST_F(Top, ReplacesADeadSocketAndNothingElse) {
  {
    auto alive = TopSocket::open(path());
    ASSERT_TRUE(alive);
    EXPECT_EQ(TopSocket::open(path()).error().code, core::Errc::conflict);
    std::filesystem::rename(path(), path() + ".old");
  }
  std::filesystem::rename(path() + ".old", path());
  EXPECT_TRUE(TopSocket::open(path()));
  std::ofstream(directory_ + "/file") << "mine";
  EXPECT_FALSE(TopSocket::open(directory_ + "/file"));
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/file"));
  EXPECT_FALSE(TopSocket::open(std::string(200, 'x')));
  EXPECT_FALSE(ask_top(directory_ + "/nobody"));
}

TEST_F(Top, KeepsThoseThatMatterMost) {
  anomaly::MonitorView view(0, 3);
  for (std::uint32_t i = 0; i < 10; ++i) {
    anomaly::Suspect s;
    s.address = core::IpAddress::v4(i);
    s.percent = i * 7 % 10;
    view.add(s);
  }
  ASSERT_EQ(view.suspects().size(), 3u);
  EXPECT_EQ(view.suspects()[0].percent, 9u);
  EXPECT_EQ(view.suspects()[2].percent, 7u);
}

}  // namespace
}  // namespace gatehouse::ids::engine
