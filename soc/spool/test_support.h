// What the tests of the spool and of its users share.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "soc/spool/reader.h"

namespace gatehouse::soc::test {

// A directory that goes away with the test.
class Scratch {
 public:
  // `in_memory` is for tests of many rounds that would only wait for the disk.
  explicit Scratch(bool in_memory = false) {
    const std::filesystem::path memory = "/dev/shm";
    const bool use_memory = in_memory && std::filesystem::is_directory(memory);
    std::string pattern =
        ((use_memory ? memory : std::filesystem::temp_directory_path()) / "gh-soc-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data()) == nullptr ? "" : pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// An EVE-like line that carries `number`, padded to about `size` bytes.
inline std::string line_of(std::string_view type, std::uint64_t number, std::size_t size = 0) {
  std::string out = "{\"timestamp\":\"2026-11-21T20:30:00.123456+0000\",\"event_type\":\"" +
                    std::string(type) + "\",\"flow_id\":" + std::to_string(number);
  if (size > out.size() + 20) out += ",\"payload\":\"" + std::string(size - out.size() - 14, 'x') + '"';
  return out + '}';
}

inline std::vector<ReadEvent> read_all(const std::string& directory, Position* end = nullptr,
                                       Position start = {}) {
  SpoolReader reader(directory, start, 0);
  std::vector<ReadEvent> out;
  for (std::size_t before = 1; before != out.size();) {
    before = out.size();
    if (!reader.read(out, 1000, 1U << 20U)) break;
    if (out.size() == before) break;
  }
  if (end != nullptr) *end = reader.position();
  return out;
}

}  // namespace gatehouse::soc::test
