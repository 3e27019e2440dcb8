#include "fwctl/journal/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <memory>

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;
using core::fail_errno;

constexpr std::size_t kMostEntryBytes = 64U << 10U;
constexpr std::size_t kMostImageBytes = 512U << 20U;

// "00000012.json"
std::optional<std::uint64_t> id_in(std::string_view name) {
  if (!name.ends_with(".json")) return std::nullopt;
  name.remove_suffix(5);
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), out);
  if (error != std::errc() || end != name.data() + name.size() || name.size() < 8) return std::nullopt;
  return out;
}

}  // namespace

std::int64_t boottime_us() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}
std::string boot_id() {
  const auto text = core::read_file("/proc/sys/kernel/random/boot_id", 64);
  return text ? text->substr(0, text->find('\n')) : "";
}
std::uint64_t network_namespace() {
  struct stat s {};
  return stat("/proc/thread-self/ns/net", &s) == 0 ? s.st_ino : 0;
}

bool Entry::overdue(std::int64_t now_us, const std::string& this_boot) const {
  return boot != this_boot || now_us >= deadline_us;
}

core::Result<Journal> Journal::open(const std::string& directory, bool make) {
  if (make) GH_CHECK(core::make_directories(directory, 0700));
  struct stat s {};
  if (stat(directory.c_str(), &s) != 0) return fail_errno(errno, "open the journal " + directory);
  if (!S_ISDIR(s.st_mode) || s.st_uid != geteuid() || (s.st_mode & 0022) != 0)
    return fail(Errc::permission,
                "the journal " + directory + " must be a directory that only its owner may write");
  return Journal(directory);
}

core::Result<core::UniqueFd> Journal::lock() const {
  const std::string file = directory_ + "/lock";
  core::UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return fail_errno(errno, "open " + file);
  while (flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno(errno, "lock " + file);
  }
  return fd;
}

core::UniqueFd Journal::try_lock() const {
  core::UniqueFd fd(::open((directory_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (fd.valid() && flock(fd.get(), LOCK_EX | LOCK_NB) != 0) fd.reset();
  return fd;
}

std::string Journal::path(std::uint64_t id, std::string_view ending) const {
  return fmt::format("{}/{:08}.{}", directory_, id, ending);
}

core::Result<std::vector<std::uint64_t>> Journal::ids() const {
  struct Close {
    void operator()(DIR* d) const { closedir(d); }
  };
  const std::unique_ptr<DIR, Close> dir(opendir(directory_.c_str()));
  if (!dir) return fail_errno(errno, "read the journal " + directory_);
  std::vector<std::uint64_t> out;
  while (const dirent* e = readdir(dir.get())) {
    if (const auto id = id_in(e->d_name)) out.push_back(*id);
  }
  std::sort(out.begin(), out.end());
  return out;
}

core::Result<Entry> Journal::entry(std::uint64_t id) const {
  const std::string file = path(id, "json");
  GH_TRY(std::string text, core::read_file(file, kMostEntryBytes));
  GH_TRY(Entry out, parse_entry(core::SourceText(file, std::move(text))));
  if (out.id != id) return fail(Errc::invalid_input, "the entry says it is another one", {file, 1, 1});
  return out;
}

core::Result<std::vector<Entry>> Journal::entries() const {
  GH_TRY(const std::vector<std::uint64_t> all, ids());
  const std::uint64_t here = network_namespace();
  std::vector<Entry> out;
  for (const std::uint64_t id : all) {
    GH_TRY(Entry e, entry(id));
    if (e.network == here) out.push_back(std::move(e));
  }
  return out;
}

core::Result<std::uint64_t> Journal::next_id() const {
  GH_TRY(const std::vector<std::uint64_t> all, ids());
  return all.empty() ? 1 : all.back() + 1;
}

core::Status Journal::put(const Entry& entry) const {
  return core::write_file_atomic(path(entry.id, "json"), to_json(entry), 0600);
}

core::Status Journal::put_image(std::uint64_t id, Image which, std::string_view bytes) const {
  return core::write_file_atomic(path(id, which == Image::before ? "before" : "after"), bytes, 0600);
}
core::Result<std::string> Journal::image(std::uint64_t id, Image which) const {
  return core::read_file(path(id, which == Image::before ? "before" : "after"), kMostImageBytes);
}

core::Status Journal::prune(std::size_t most) const {
  GH_TRY(const std::vector<std::uint64_t> all, ids());
  for (std::size_t i = 0; i + most < all.size(); ++i) {
    const auto old = entry(all[i]);
    if (old && (old->state == EntryState::pending || old->state == EntryState::applying)) continue;
    // The entry last: what has no entry is found by nobody.
    for (const char* ending : {"before", "after", "json"}) unlink(path(all[i], ending).c_str());
  }
  return {};
}

std::optional<Standing> standing(const std::vector<Entry>& entries, const std::string& live_digest) {
  const Entry* last = nullptr;
  for (const Entry& e : entries) {
    if (e.state == EntryState::failed) continue;
    if (e.state == EntryState::applying && e.digest != live_digest) continue;
    if (last == nullptr || e.step > last->step) last = &e;
  }
  if (last == nullptr) return std::nullopt;
  return Standing{last->id,
                  last->state == EntryState::rolled_back ? Journal::Image::before : Journal::Image::after};
}

std::uint64_t next_step(const std::vector<Entry>& entries) {
  std::uint64_t out = 0;
  for (const Entry& e : entries) out = std::max(out, e.step);
  return out + 1;
}

}  // namespace gatehouse::fwctl
