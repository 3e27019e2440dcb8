#include "ids/engine/file_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "core/os.h"

namespace gatehouse::ids::engine {
namespace {

namespace fs = std::filesystem;

// SHA-256 of "abc".
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

class FileStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "gh-store-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { fs::remove_all(root_); }

  std::unique_ptr<DiskFileStore> make(FileStoreSettings settings = {}) {
    auto store = make_file_store(settings, root_, WhenFull::wait);
    EXPECT_TRUE(store) << store.error().to_string();
    (*store)->start();
    return std::move(*store);
  }
  std::string read(const std::string& path) {
    return core::read_file(root_ + "/filestore/" + path).value_or("nothing");
  }
  std::size_t files_below(const std::string& directory) {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(root_ + "/filestore/" + directory))
      count += entry.is_regular_file() ? 1 : 0;
    return count;
  }

  std::string root_;
};

TEST_F(FileStoreTest, NamesFilesByDigest) {
  FileStoreSettings settings;
  settings.write_info = true;
  auto store = make(settings);
  auto sink = store->open();
  ASSERT_NE(sink, nullptr);
  sink->write(core::as_bytes("a"));
  sink->write(core::as_bytes("bc"));
  sink->finish(kAbc, R"({"event_type":"fileinfo"})");
  sink.reset();
  store->stop();
  EXPECT_EQ(read(std::string("ba/") + kAbc), "abc");
  EXPECT_EQ(store->counters().stored, 1U);
  std::size_t infos = 0;
  for (const auto& entry : fs::directory_iterator(root_ + "/filestore/ba")) {
    if (entry.path().extension() != ".json") continue;
    ++infos;
    EXPECT_TRUE(entry.path().filename().string().starts_with(std::string(kAbc) + "."));
    EXPECT_EQ(core::read_file(entry.path().string()).value_or(""), "{\"event_type\":\"fileinfo\"}\n");
  }
  EXPECT_EQ(infos, 1U);
  EXPECT_EQ(files_below("tmp"), 0U);
}

TEST_F(FileStoreTest, KeepsOneCopyOfEqualFiles) {
  auto store = make();
  for (int i = 0; i < 3; ++i) {
    auto sink = store->open();
    sink->write(core::as_bytes("abc"));
    sink->finish(kAbc, "{}");
  }
  store->stop();
  EXPECT_EQ(store->counters().stored, 1U);
  EXPECT_EQ(store->counters().known, 2U);
  EXPECT_EQ(files_below("ba"), 1U);  // no descriptions: not asked for
}

TEST_F(FileStoreTest, AnUnfinishedFileLeavesNothing) {
  auto store = make();
  auto given_up = store->open();
  given_up->write(core::as_bytes("abc"));
  given_up.reset();
  auto open_at_the_end = store->open();
  open_at_the_end->write(core::as_bytes("abc"));
  store->stop();
  EXPECT_EQ(files_below(""), 0U);
}

TEST_F(FileStoreTest, RefusesNamesThatAreNoDigests) {
  auto store = make();
  for (const char* name : {"../../../etc/passwd", "", "BA7816BF", "zz"}) {
    auto sink = store->open();
    sink->write(core::as_bytes("abc"));
    sink->finish(name, "{}");
  }
  store->stop();
  EXPECT_EQ(store->counters().failed, 4U);
  EXPECT_EQ(files_below(""), 0U);
}

TEST_F(FileStoreTest, BoundsWhatIsOpen) {
  FileStoreSettings settings;
  settings.most_open = 2;
  auto store = make(settings);
  auto one = store->open();
  auto two = store->open();
  EXPECT_EQ(store->open(), nullptr);
  EXPECT_EQ(store->counters().refused, 1U);
  one.reset();
  store->stop();
}

TEST_F(FileStoreTest, AnEmptyFileIsAFile) {
  auto store = make();
  store->open()->finish("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "{}");
  store->stop();
  EXPECT_EQ(read("e3/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), "");
}

TEST_F(FileStoreTest, NeedsADirectory) {
  EXPECT_FALSE(make_file_store({}, "-", WhenFull::wait));
  EXPECT_FALSE(make_file_store({}, "", WhenFull::wait));
  FileStoreSettings absolute;
  absolute.directory = root_ + "/elsewhere";
  EXPECT_TRUE(make_file_store(absolute, "-", WhenFull::wait));
}

TEST_F(FileStoreTest, SeveralWorkersAtOnce) {
  auto store = make();
  std::vector<std::thread> workers;
  for (int w = 0; w < 4; ++w) {
    workers.emplace_back([&store] {
      for (int i = 0; i < 50; ++i) {
        auto sink = store->open();
        ASSERT_NE(sink, nullptr);
        sink->write(core::as_bytes("abc"));
        sink->finish(kAbc, "{}");
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  store->stop();
  EXPECT_EQ(store->counters().stored + store->counters().known, 200U);
  EXPECT_EQ(read(std::string("ba/") + kAbc), "abc");
}

}  // namespace
}  // namespace gatehouse::ids::engine
