#include "fwctl/journal/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>

namespace gatehouse::fwctl {
namespace {

using ::testing::HasSubstr;

class JournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/gh-journal-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    auto opened = Journal::open(directory_, false);
    ASSERT_TRUE(opened) << opened.error().to_string();
    journal_.emplace(std::move(*opened));
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  static Entry entry(std::uint64_t id, EntryState state) {
    Entry out;
    out.id = id;
    out.state = state;
    out.made = "2026-11-22T12:00:00Z";
    out.site = "a \"quoted\"\nname";
    out.digest = fmt::format("{:016x}", id);
    out.network = network_namespace();
    out.boot = boot_id();
    return out;
  }

  std::string directory_;
  std::optional<Journal> journal_;
};

TEST_F(JournalTest, WhatIsWrittenReadsBack) {
  Entry e = entry(1, EntryState::pending);
  e.deadline_us = 123'456'789;
  e.session = "10.66.2.10 40000 10.66.2.1 22";
  ASSERT_TRUE(journal_->put(e));
  const auto back = journal_->entry(1);
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(to_json(*back), to_json(e));
  EXPECT_EQ(*journal_->next_id(), 2U);
  ASSERT_TRUE(journal_->put_image(1, Journal::Image::before, std::string("a\0b", 3)));
  EXPECT_EQ(journal_->image(1, Journal::Image::before)->size(), 3U);
  EXPECT_FALSE(journal_->image(1, Journal::Image::after));
}

TEST_F(JournalTest, EntriesOfOtherNamespacesAreNotOurs) {
  Entry other = entry(1, EntryState::pending);
  other.network = 7;
  ASSERT_TRUE(journal_->put(other));
  ASSERT_TRUE(journal_->put(entry(2, EntryState::confirmed)));
  const auto all = journal_->entries();
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ((*all)[0].id, 2U);
}

TEST_F(JournalTest, ADamagedEntryIsAnErrorThatNamesItsFile) {
  ASSERT_TRUE(core::write_file_atomic(directory_ + "/00000003.json", "{\"id\":3,\"state\":\"wrong\"}"));
  const auto all = journal_->entries();
  ASSERT_FALSE(all);
  EXPECT_THAT(all.error().to_string(), HasSubstr("00000003.json:1:"));
}

TEST_F(JournalTest, ADirectoryThatOthersMayWriteIsRefused) {
  ASSERT_EQ(chmod(directory_.c_str(), 0777), 0);
  EXPECT_FALSE(Journal::open(directory_, false));
  EXPECT_FALSE(Journal::open(directory_ + "/none", false));
}

TEST_F(JournalTest, TheLockExcludes) {
  {
    const auto held = journal_->lock();
    ASSERT_TRUE(held);
    const core::UniqueFd other(::open((directory_ + "/lock").c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_NE(flock(other.get(), LOCK_EX | LOCK_NB), 0);
  }
  EXPECT_TRUE(journal_->lock());
}

TEST_F(JournalTest, PruningKeepsWhatIsPending) {
  ASSERT_TRUE(journal_->put(entry(1, EntryState::pending)));
  for (std::uint64_t i = 2; i <= 6; ++i) ASSERT_TRUE(journal_->put(entry(i, EntryState::confirmed)));
  ASSERT_TRUE(journal_->prune(2));
  const auto all = journal_->entries();
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 3U);
  EXPECT_EQ((*all)[0].id, 1U);
  EXPECT_EQ((*all)[1].id, 5U);
}

TEST(Standing, IsWhatTheLastStepLeft) {
  const auto entry = [](std::uint64_t id, std::uint64_t step, EntryState state) {
    Entry out;
    out.id = id;
    out.step = step;
    out.state = state;
    out.digest = std::to_string(id);
    return out;
  };
  using State = EntryState;
  EXPECT_FALSE(standing({}, ""));
  EXPECT_EQ(standing({entry(1, 1, State::confirmed), entry(2, 2, State::failed)}, "")->id, 1U);
  const auto back = standing({entry(1, 1, State::confirmed), entry(2, 3, State::rolled_back)}, "");
  EXPECT_EQ(back->id, 2U);
  EXPECT_EQ(back->image, Journal::Image::before);
  const auto further = standing({entry(1, 4, State::rolled_back), entry(2, 3, State::rolled_back)}, "");
  EXPECT_EQ(further->id, 1U);
  EXPECT_EQ(further->image, Journal::Image::before);
  EXPECT_EQ(standing({entry(1, 1, State::confirmed), entry(2, 2, State::applying)}, "1")->id, 1U);
  EXPECT_EQ(standing({entry(1, 1, State::confirmed), entry(2, 2, State::applying)}, "2")->id, 2U);
  EXPECT_EQ(next_step({entry(1, 4, State::confirmed), entry(2, 2, State::failed)}), 5U);
}

TEST(Deadline, IsOverAtItsTimeAndAfterAReboot) {
  Entry e;
  e.boot = "this";
  e.deadline_us = 100;
  EXPECT_FALSE(e.overdue(99, "this"));
  EXPECT_TRUE(e.overdue(100, "this"));
  EXPECT_TRUE(e.overdue(1, "another"));
}

}  // namespace
}  // namespace gatehouse::fwctl
