// What rules ask of a file as a whole: its size, its digests, and that it be stored.
#pragma once

#include <memory>
#include <vector>

#include "ids/keywords/buffers.h"
#include "ids/keywords/values.h"

namespace gatehouse::ids {

// The parsers that follow files.
inline constexpr std::string_view kFileCarriers[] = {"http", "smtp",  "ftp-data", "smb",
                                                     "nfs",  "http2", "pop3",     "imap"};

// The i-th file of a direction; null when there is none.
const TransferredFile* file_at(const Transaction& tx, Direction direction, unsigned i);

// One question about a file. False also while it cannot be answered yet.
class FileQuestion {
 public:
  virtual ~FileQuestion() = default;
  virtual bool holds(const TransferredFile& file) const = 0;
};

// The list of digests in a file beside the rules: sorted, binary.
class DigestList {
 public:
  static constexpr std::uint64_t kMostFileBytes = std::uint64_t{256} << 20U;
  // One digest a line, in hexadecimal digits; text behind it, empty lines and # comments are skipped.
  static core::Result<std::shared_ptr<const DigestList>> read(const std::string& path,
                                                              std::size_t digest_bytes);
  bool contains(ByteView digest) const;
  std::size_t size() const { return digest_bytes_ == 0 ? 0 : bytes_.size() / digest_bytes_; }

 private:
  std::size_t digest_bytes_ = 0;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace gatehouse::ids
