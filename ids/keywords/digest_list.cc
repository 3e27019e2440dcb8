#include <algorithm>
#include <cstring>

#include "core/os.h"
#include "ids/keywords/file_tests.h"

namespace gatehouse::ids {
namespace {

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Appends the digest at the start of `line`; false when there is none of exactly this length.
bool append_digest(std::string_view line, std::size_t digest_bytes, std::vector<std::uint8_t>& out) {
  if (line.size() < digest_bytes * 2) return false;
  if (line.size() > digest_bytes * 2 && digit(line[digest_bytes * 2]) >= 0) return false;
  const std::size_t start = out.size();
  for (std::size_t i = 0; i < digest_bytes * 2; i += 2) {
    const int high = digit(line[i]);
    const int low = digit(line[i + 1]);
    if (high < 0 || low < 0) {
      out.resize(start);
      return false;
    }
    out.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return true;
}

template <std::size_t N>
void sort_digests(std::vector<std::uint8_t>& bytes) {
  std::vector<std::array<std::uint8_t, N>> all(bytes.size() / N);
  std::memcpy(all.data(), bytes.data(), all.size() * N);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  bytes.resize(all.size() * N);
  std::memcpy(bytes.data(), all.data(), bytes.size());
}

}  // namespace

core::Result<std::shared_ptr<const DigestList>> DigestList::read(const std::string& path,
                                                                 std::size_t digest_bytes) {
  GH_TRY(const std::string text, core::read_file(path, kMostFileBytes));
  auto list = std::make_shared<DigestList>();
  list->digest_bytes_ = digest_bytes;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++number;
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    if (!append_digest(line, digest_bytes, list->bytes_)) {
      return core::fail(core::Errc::invalid_input, path + ":" + std::to_string(number) + ": no digest of " +
                                                       std::to_string(digest_bytes * 2) +
                                                       " hexadecimal digits");
    }
  }
  if (!list->bytes_.empty()) {
    if (digest_bytes == 16) sort_digests<16>(list->bytes_);
    if (digest_bytes == 20) sort_digests<20>(list->bytes_);
    if (digest_bytes == 32) sort_digests<32>(list->bytes_);
  }
  return std::shared_ptr<const DigestList>(std::move(list));
}

bool DigestList::contains(ByteView digest) const {
  if (digest.size() != digest_bytes_) return false;
  std::size_t low = 0;
  std::size_t high = size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const int order = std::memcmp(bytes_.data() + middle * digest_bytes_, digest.data(), digest_bytes_);
    if (order == 0) return true;
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return false;
}

}  // namespace gatehouse::ids
