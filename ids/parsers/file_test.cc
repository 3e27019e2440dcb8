#include "ids/parsers/file.h"

#include <gtest/gtest.h>

#include "ids/parsers/parser.h"

namespace gatehouse::ids {
namespace {

std::string text(ByteView bytes) {
  return std::string(core::as_text(bytes));
}

// A store in memory.
class MemoryStore : public FileStore {
 public:
  struct Kept {
    std::string bytes, sha256, info;
    bool finished = false;
  };
  std::unique_ptr<FileSink> open() override {
    if (full) return nullptr;
    files.emplace_back();
    return std::make_unique<Sink>(*this, files.size() - 1);
  }
  bool full = false;
  std::vector<Kept> files;

 private:
  class Sink : public FileSink {
   public:
    Sink(MemoryStore& store, std::size_t i) : store_(store), i_(i) {}
    void write(ByteView bytes) override { store_.files[i_].bytes += core::as_text(bytes); }
    void finish(std::string sha256, std::string info) override {
      store_.files[i_].sha256 = std::move(sha256);
      store_.files[i_].info = std::move(info);
      store_.files[i_].finished = true;
    }
    std::uint64_t id() const override { return i_ + 1; }
    bool failed() const override { return false; }

   private:
    MemoryStore& store_;
    std::size_t i_;
  };
};

FilePolicy all_hashes() {
  FilePolicy policy;
  policy.needs.hashes = {true, true, true};
  return policy;
}

std::string digest(const TransferredFile& file, FileHash hash) {
  const auto bytes = file.digest(hash);
  return bytes ? hex_text(*bytes) : "none";
}

TEST(File, DigestsOfAClosedFile) {
  const FilePolicy policy = all_hashes();
  TransferredFile file("a", Direction::to_client, 2, &policy);
  for (const char c : std::string("abc")) file.append(core::as_bytes(std::string_view(&c, 1)));
  EXPECT_EQ(digest(file, FileHash::md5), "none");
  file.close(FileState::closed);
  EXPECT_EQ(digest(file, FileHash::md5), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(digest(file, FileHash::sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(digest(file, FileHash::sha256),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(text(file.data), "ab");
  EXPECT_EQ(file.size, 3U);
  // Bytes that follow all the same belong to it.
  file.append(core::as_bytes("d"));
  EXPECT_EQ(digest(file, FileHash::md5), "e2fc714c4727ee9395f324cd2e7f331f");
}

TEST(File, NothingIsComputedThatNobodyAsksFor) {
  TransferredFile file("a", Direction::to_client, 0, nullptr);
  file.append(core::as_bytes("abc"));
  file.close(FileState::closed);
  EXPECT_EQ(digest(file, FileHash::md5), "none");
  FilePolicy policy;
  policy.needs.hashes[static_cast<std::size_t>(FileHash::sha1)] = true;
  TransferredFile one("a", Direction::to_client, 0, &policy);
  one.close(FileState::closed);
  EXPECT_EQ(digest(one, FileHash::md5), "none");
  EXPECT_EQ(digest(one, FileHash::sha1), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

TEST(File, AFileWithAGapIsTruncated) {
  const FilePolicy policy = all_hashes();
  TransferredFile file("a", Direction::to_client, 0, &policy);
  file.append(core::as_bytes("abc"));
  file.skip(5);
  file.close(FileState::closed);
  EXPECT_EQ(file.state, FileState::truncated);
  EXPECT_TRUE(file.gaps);
  EXPECT_EQ(file.size, 8U);
  EXPECT_EQ(digest(file, FileHash::md5), "none");
  EXPECT_NE(digest(file, FileHash::sha256), "none");
}

TEST(File, StoresWhatCameBeforeTheDecision) {
  MemoryStore store;
  FilePolicy policy = all_hashes();
  policy.needs.store = true;
  policy.undecided_limit = 100;
  policy.store = &store;
  TransferredFile file("a", Direction::to_client, 4, &policy);
  file.append(core::as_bytes("0123"));
  file.append(core::as_bytes("4567"));
  EXPECT_TRUE(file.store(7));
  EXPECT_TRUE(file.store(7));
  EXPECT_TRUE(file.store(8));
  file.append(core::as_bytes("89"));
  file.close(FileState::closed);
  EXPECT_EQ(text(file.data), "0123");
  file.finish_store("{}");
  ASSERT_EQ(store.files.size(), 1U);
  EXPECT_EQ(store.files[0].bytes, "0123456789");
  EXPECT_EQ(store.files[0].sha256, digest(file, FileHash::sha256));
  EXPECT_TRUE(store.files[0].finished);
  EXPECT_EQ(file.sids, (std::vector<std::uint32_t>{7, 8}));
  EXPECT_TRUE(file.stored());
}

TEST(File, DoesNotStoreAFileWithBytesMissing) {
  MemoryStore store;
  FilePolicy policy = all_hashes();
  policy.needs.store = true;
  policy.undecided_limit = 6;
  policy.store = &store;
  TransferredFile file("a", Direction::to_client, 4, &policy);
  file.append(core::as_bytes("01234"));
  file.append(core::as_bytes("56"));
  EXPECT_FALSE(file.store(1));
  TransferredFile given_up("a", Direction::to_client, 4, &policy);
  given_up.append(core::as_bytes("01234"));
  given_up.give_up_store();
  EXPECT_FALSE(given_up.store(1));
  store.full = true;
  TransferredFile no_room("a", Direction::to_client, 4, &policy);
  EXPECT_FALSE(no_room.store(1));
  EXPECT_TRUE(store.files.empty());
}

TEST(File, StoresAllWhenToldAndUpToTheLimit) {
  MemoryStore store;
  FilePolicy policy = all_hashes();
  policy.store_all = {true, true};
  policy.store_limit = 5;
  policy.store = &store;
  TransferredFile file("a", Direction::to_client, 0, &policy);
  file.append(core::as_bytes("0123"));
  file.append(core::as_bytes("4567"));
  file.append(core::as_bytes("8"));
  EXPECT_TRUE(file.storing());
  EXPECT_EQ(store.files.at(0).bytes, "01234");
}

TEST(File, TellsTheTypeOnceThereIsEnough) {
  const std::string png("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x02\0\0\0", 29);
  TransferredFile file("a", Direction::to_client, 0, nullptr);
  file.append(core::as_bytes(png));
  EXPECT_EQ(file.magic(), "");
  file.close(FileState::closed);
  EXPECT_NE(file.magic().find("PNG image data"), std::string::npos) << file.magic();
}

TEST(File, TransactionsBoundTheirFiles) {
  class Plain : public Transaction {};
  Plain tx;
  tx.id = 5;
  for (std::size_t i = 0; i < Transaction::kMaxFiles; ++i) {
    ASSERT_NE(tx.open_file("f", Direction::to_server, 10, nullptr), nullptr);
  }
  EXPECT_EQ(tx.open_file("f", Direction::to_server, 10, nullptr), nullptr);
  EXPECT_EQ(tx.files.back().tx_id, 5U);
}

}  // namespace
}  // namespace gatehouse::ids
