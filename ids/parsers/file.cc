#include "ids/parsers/file.h"

#include <openssl/evp.h>

#include <algorithm>

#include "ids/parsers/parser.h"

namespace gatehouse::ids {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

const EVP_MD* algorithm(std::size_t hash) {
  // Looked up once: naming them anew has the library search for them each time, under a lock. They live as
  // long as the program.
  static const EVP_MD* const kAll[kFileHashes] = {EVP_MD_fetch(nullptr, "MD5", nullptr),
                                                  EVP_MD_fetch(nullptr, "SHA1", nullptr),
                                                  EVP_MD_fetch(nullptr, "SHA256", nullptr)};
  return kAll[hash];
}

}  // namespace

// The running digests. A digest that could not be started (no memory, refused by the library's
// policy) or went wrong is dropped: none rather than a wrong one.
class FileHasher {
 public:
  explicit FileHasher(const std::array<bool, kFileHashes>& wanted) {
    for (std::size_t i = 0; i < kFileHashes; ++i) {
      if (!wanted[i]) continue;
      contexts_[i].reset(algorithm(i) == nullptr ? nullptr : EVP_MD_CTX_new());
      if (contexts_[i] && EVP_DigestInit_ex(contexts_[i].get(), algorithm(i), nullptr) != 1)
        contexts_[i].reset();
    }
  }

  void update(ByteView bytes) {
    for (Context& context : contexts_) {
      if (context && EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1) context.reset();
    }
  }

  // Of what came so far: more may follow.
  std::optional<std::vector<std::uint8_t>> result(FileHash hash) const {
    const Context& running = contexts_[static_cast<std::size_t>(hash)];
    if (!running) return std::nullopt;
    const Context copy(EVP_MD_CTX_new());
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> out{};
    unsigned size = 0;
    if (!copy || EVP_MD_CTX_copy_ex(copy.get(), running.get()) != 1 ||
        EVP_DigestFinal_ex(copy.get(), out.data(), &size) != 1) {
      return std::nullopt;
    }
    return std::vector<std::uint8_t>(out.begin(), out.begin() + size);
  }

 private:
  std::array<Context, kFileHashes> contexts_;
};

TransferredFile* Transaction::open_file(std::string name, Direction direction, std::uint64_t keep_limit,
                                        const FilePolicy* policy) {
  // A multipart body or a mail can name very many.
  if (files.size() >= kMaxFiles) return nullptr;
  TransferredFile& file = files.emplace_back(std::move(name), direction, keep_limit, policy);
  file.tx_id = id;
  if (store_sids[index(direction)] != 0) file.store(store_sids[index(direction)]);
  return &file;
}

void FileNeeds::add(const FileNeeds& other) {
  for (std::size_t i = 0; i < kFileHashes; ++i) hashes[i] = hashes[i] || other.hashes[i];
  magic = magic || other.magic;
  store = store || other.store;
}

TransferredFile::TransferredFile() = default;
TransferredFile::~TransferredFile() = default;
TransferredFile::TransferredFile(TransferredFile&&) noexcept = default;
TransferredFile& TransferredFile::operator=(TransferredFile&&) noexcept = default;

TransferredFile::TransferredFile(std::string file_name, Direction file_direction, std::uint64_t keep_limit,
                                 const FilePolicy* policy)
    : name(std::move(file_name)), direction(file_direction), keep_limit_(keep_limit) {
  if (policy == nullptr) return;
  const auto& hashes = policy->needs.hashes;
  if (std::find(hashes.begin(), hashes.end(), true) != hashes.end())
    hasher_ = std::make_unique<FileHasher>(hashes);
  if (policy->store == nullptr) return;
  store_limit_ = policy->store_limit;
  if (policy->store_all[index(direction)]) {
    sink_ = policy->store->open();
    if (sink_ != nullptr && policy->store_sid != 0) sids.push_back(policy->store_sid);
  } else if (policy->needs.store) {
    store_ = policy->store;
    undecided_limit_ = policy->undecided_limit;
  }
}

void TransferredFile::append(ByteView bytes) {
  size += bytes.size();
  if (hasher_) hasher_->update(bytes);
  keep(bytes);
}

void TransferredFile::keep(ByteView bytes) {
  if (sink_) {
    std::uint64_t count = bytes.size();
    if (store_limit_ != 0) count = std::min(count, store_limit_ - std::min(store_limit_, written_));
    if (count != 0) sink_->write(bytes.first(count));
    written_ += count;
  }
  const std::uint64_t room =
      keep_limit_ == 0 ? bytes.size() : keep_limit_ - std::min<std::uint64_t>(keep_limit_, data.size());
  const std::size_t count = std::min<std::uint64_t>(room, bytes.size());
  data.insert(data.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
  if (store_ == nullptr || undecided_lost_) return;
  const ByteView rest = bytes.subspan(count);
  if (data.size() + undecided_.size() + rest.size() > undecided_limit_) {
    undecided_lost_ = !rest.empty();
    if (undecided_lost_) undecided_ = {};
    return;
  }
  undecided_.insert(undecided_.end(), rest.begin(), rest.end());
}

void TransferredFile::skip(std::uint64_t bytes) {
  size += bytes;
  gaps = true;
}

void TransferredFile::close(FileState final_state) {
  state = final_state == FileState::closed && gaps ? FileState::truncated : final_state;
}

std::optional<std::vector<std::uint8_t>> TransferredFile::digest(FileHash hash) const {
  if (!hasher_ || is_open()) return std::nullopt;
  if (state != FileState::closed && hash != FileHash::sha256) return std::nullopt;
  return hasher_->result(hash);
}

const std::string& TransferredFile::magic() const {
  static const std::string kNone;
  if (magic_) return *magic_;
  if (data.empty() || (data.size() < kMagicBytes && is_open())) return kNone;
  magic_ = file_magic(ByteView(data).first(std::min(data.size(), kMagicBytes)));
  return *magic_;
}

bool TransferredFile::store(std::uint32_t sid) {
  // Also when nothing comes of it: the rule has had its say on this file.
  if (std::find(sids.begin(), sids.end(), sid) == sids.end()) sids.push_back(sid);
  if (sink_ == nullptr) {
    if (store_ == nullptr || undecided_lost_) return false;
    sink_ = store_->open();
    if (sink_ == nullptr) return false;
    store_ = nullptr;
    const std::vector<std::uint8_t> first = std::move(data);
    const std::vector<std::uint8_t> rest = std::move(undecided_);
    data = {};
    undecided_ = {};
    keep(first);
    keep(rest);
    data = first;
  }
  return true;
}

void TransferredFile::finish_store(std::string info) {
  if (sink_ == nullptr || sink_->failed()) return;
  const auto sha256 = digest(FileHash::sha256);
  if (sha256) sink_->finish(hex_text(*sha256), std::move(info));
}

void TransferredFile::give_up_store() {
  if (sink_ == nullptr) store_ = nullptr;
  undecided_ = {};
}

std::string hex_text(ByteView bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    out.push_back(kDigits[byte >> 4U]);
    out.push_back(kDigits[byte & 15U]);
  }
  return out;
}

}  // namespace gatehouse::ids
