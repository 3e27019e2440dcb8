// A file seen in transit, whatever protocol carries it: what is kept of it, what is learnt of it
// while it passes, and where it goes when it is to be stored.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ids/decode/packet.h"

namespace gatehouse::ids {

enum class FileState : std::uint8_t { open, closed, truncated, error };

enum class FileHash : std::uint8_t { md5, sha1, sha256 };
inline constexpr std::size_t kFileHashes = 3;

// What has to be learnt of every file besides its first bytes. Costs time, so only what is asked for.
struct FileNeeds {
  std::array<bool, kFileHashes> hashes{};  // by FileHash
  bool magic = false;                      // its type as libmagic tells it, in every log of a file
  bool store = false;                      // it may have to be stored: what was not stored yet is kept
  void add(const FileNeeds& other);
};

// Takes the bytes of one file to be stored. Destroyed without finish(): nothing is stored.
class FileSink {
 public:
  virtual ~FileSink() = default;
  // Never waits for a disk in live capture; bytes that found no room make the sink fail.
  virtual void write(ByteView bytes) = 0;
  // The file is over. `sha256` names it; `info` is its event, a JSON object; may be empty.
  virtual void finish(std::string sha256, std::string info) = 0;
  virtual std::uint64_t id() const = 0;
  virtual bool failed() const = 0;
};

class FileStore {
 public:
  virtual ~FileStore() = default;
  virtual std::unique_ptr<FileSink> open() = 0;  // null: no room
};

// What configuration and rules ask of files. Shared and immutable; a reload makes a new one.
struct FilePolicy {
  FileNeeds needs;
  std::array<bool, 2> store_all{};  // by direction: every file is stored
  std::uint32_t store_sid = 0;      // the rule that wants it; 0: the configuration
  std::uint64_t store_limit = 0;    // bytes stored of a file; 0: all
  // Bytes kept of a file that no rule has decided to store yet.
  std::uint64_t undecided_limit = std::uint64_t{1} << 20U;
  FileStore* store = nullptr;  // null: nothing can be stored
};

class FileHasher;  // file.cc

// Grows as data arrives. Made by Transaction::open_file.
class TransferredFile {
 public:
  TransferredFile();
  TransferredFile(std::string name, Direction direction, std::uint64_t keep_limit, const FilePolicy* policy);
  ~TransferredFile();
  TransferredFile(TransferredFile&&) noexcept;
  TransferredFile& operator=(TransferredFile&&) noexcept;

  // The next bytes. Also after close(): some receivers read on.
  void append(ByteView bytes);
  // So many bytes were lost.
  void skip(std::uint64_t bytes);
  // A file with a gap is never `closed`: it becomes `truncated`.
  void close(FileState final_state);
  bool is_open() const { return state == FileState::open; }

  // Nothing: not asked for, still open, or not all of the file was seen (of a truncated file only
  // SHA-256 is told, of what was seen).
  std::optional<std::vector<std::uint8_t>> digest(FileHash hash) const;
  // What libmagic says of the first bytes; empty while there are too few. Remembered once told.
  const std::string& magic() const;

  // Keep it: what is there now and all that comes. False: not possible (no store, no room, or bytes
  // are gone already).
  bool store(std::uint32_t sid);
  bool storing() const { return sink_ != nullptr; }
  // It is being stored, or rules may still ask for it.
  bool storable() const { return sink_ != nullptr || (store_ != nullptr && !undecided_lost_); }
  // Ends storing once the file is over; `info` is its event. Nothing happens when it is not stored.
  void finish_store(std::string info);
  // Nothing more will be stored of it, so nothing has to be kept for that.
  void give_up_store();
  bool stored() const { return sink_ != nullptr && !sink_->failed(); }
  std::uint64_t store_id() const { return sink_ == nullptr ? 0 : sink_->id(); }

  std::string name;
  Direction direction = Direction::to_client;
  std::uint64_t size = 0;  // all bytes, also those not kept and those lost
  FileState state = FileState::open;
  bool gaps = false;
  bool logged = false;
  bool inspected = false;  // rules have seen all of it; kept by the engine
  std::uint64_t tx_id = 0;
  // The part of a larger file this is (HTTP ranges): first and last byte, both inclusive.
  std::optional<std::array<std::uint64_t, 2>> range;
  std::vector<std::uint32_t> sids;  // of the rules that had it stored
  std::vector<std::uint8_t> data;   // the first bytes, which rules may look into

 private:
  void keep(ByteView bytes);

  std::uint64_t keep_limit_ = 0;  // of `data`; 0: unlimited
  std::uint64_t undecided_limit_ = 0, store_limit_ = 0, written_ = 0;
  FileStore* store_ = nullptr;
  std::unique_ptr<FileHasher> hasher_;
  std::unique_ptr<FileSink> sink_;
  // Beyond `data`, as long as a rule may still ask for all of it.
  std::vector<std::uint8_t> undecided_;
  bool undecided_lost_ = false;
  mutable std::optional<std::string> magic_;
};

// First bytes libmagic is given, as many as it looks at in the field's configurations.
inline constexpr std::size_t kMagicBytes = 4096;

// The type of a file by its first bytes. The only caller of libmagic; its database is loaded with
// the first call of a thread. Empty: libmagic has no database.
std::string file_magic(ByteView first_bytes);

// Two lower-case digits a byte.
std::string hex_text(ByteView bytes);

}  // namespace gatehouse::ids
