#include "ids/anomaly/state.h"

#include <fmt/format.h>

#include <algorithm>

namespace gatehouse::ids::anomaly {
namespace {

static_assert(std::endian::native == std::endian::little, "the state file lies in memory as it is written");

constexpr std::string_view kMagic = "GHANOMLY";
constexpr std::uint32_t kVersion = 9;

struct Head {
  char magic[8];
  std::uint32_t version, size;  // size: of this
  std::uint64_t seed;
  std::int64_t time_us;
  std::uint64_t length, checksum;
};

std::uint64_t stir(std::uint64_t sum, std::uint64_t word) {
  __extension__ const unsigned __int128 product =
      static_cast<unsigned __int128>(sum ^ word ^ 0x9e3779b97f4a7c15U) * 0xd6e8feb86659fd93U;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Finds damage, not forgery: who may write the file may write anything.
std::uint64_t checksum(const Head& head, std::string_view body) {
  std::uint64_t sum = stir(stir(head.seed, static_cast<std::uint64_t>(head.time_us)), head.length);
  while (body.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, body.data(), 8);
    sum = stir(sum, word);
    body.remove_prefix(8);
  }
  std::uint64_t word = body.size() << 56U;
  std::memcpy(&word, body.data(), body.size());
  return stir(sum, word);
}

}  // namespace

void StateArchive::section(std::string_view name) {
  std::string read(name);
  text(read, 64);
  if (!failed() && read != name) refuse("it was made with other detectors or by another version");
}

void StateArchive::text(std::string& value, std::size_t limit) {
  auto size = static_cast<std::uint32_t>(value.size());
  if (saving()) {
    write(&size, sizeof size);
    write(value.data(), size);
    return;
  }
  if (!take(&size, sizeof size)) return;
  if (size > limit || size > in_.size()) return refuse("a text is too long");
  value.assign(in_.substr(0, size));
  in_.remove_prefix(size);
}

bool StateArchive::take(void* data, std::size_t size) {
  if (failed()) return false;
  if (in_.size() < size) {
    refuse("it ends too early");
    return false;
  }
  std::memcpy(data, in_.data(), size);
  in_.remove_prefix(size);
  return true;
}

bool StateArchive::is_zero(const void* data, std::size_t size) {
  const char* const bytes = static_cast<const char*>(data);
  return bytes[0] == 0 && std::memcmp(bytes, bytes + 1, size - 1) == 0;
}

std::string state_file(const StateHead& what, std::string_view body) {
  Head head{};
  std::memcpy(head.magic, kMagic.data(), kMagic.size());
  head.version = kVersion;
  head.size = sizeof head;
  head.seed = what.seed;
  head.time_us = what.time_us;
  head.length = body.size();
  head.checksum = checksum(head, body);
  std::string out(reinterpret_cast<const char*>(&head), sizeof head);
  out += body;
  return out;
}

core::Result<StateHead> read_state_head(std::string_view content, std::string_view& body) {
  const auto refuse = [](std::string_view why) {
    return core::fail(core::Errc::invalid_input, std::string(why));
  };
  Head head;
  if (content.size() < sizeof head || content.substr(0, kMagic.size()) != kMagic)
    return refuse("it is no state of detectors");
  std::memcpy(&head, content.data(), sizeof head);
  if (head.version != kVersion || head.size != sizeof head)
    return core::fail(core::Errc::invalid_input,
                      fmt::format("it has version {}, this program writes {}", head.version, kVersion));
  body = content.substr(sizeof head);
  if (head.length != body.size()) return refuse("it is cut off or has something behind its end");
  if (head.checksum != checksum(head, body)) return refuse("its checksum is wrong: it is damaged");
  if (head.seed == 0 || !sound_time(head.time_us)) return refuse("its head is out of range");
  return StateHead{head.seed, head.time_us};
}

}  // namespace gatehouse::ids::anomaly
