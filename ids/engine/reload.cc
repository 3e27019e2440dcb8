#include "ids/engine/reload.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/cli.h"
#include "core/log.h"

namespace gatehouse::ids::engine {
namespace {

core::UniqueFd open_small(const std::string& path) {
  return core::UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

// The beginning of a file the kernel makes anew for each reader that starts at its beginning.
std::string read_again(const core::UniqueFd& fd) {
  std::array<char, 4096> room;
  const ssize_t got = fd.valid() ? ::pread(fd.get(), room.data(), room.size(), 0) : -1;
  return got > 0 ? std::string(room.data(), static_cast<std::size_t>(got)) : std::string();
}

// The number after `name` and blanks. Empty: there is none ("max" is none).
std::optional<std::uint64_t> number_after(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + name.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

std::uint64_t mebibytes(std::uint64_t bytes) {
  return (bytes + (1U << 20U) - 1) >> 20U;
}

}  // namespace

MemoryLeft::MemoryLeft(const std::string& proc, const std::string& cgroups)
    : meminfo_(open_small(proc + "/meminfo")) {
  // "0::/system.slice/ids.service": the unified hierarchy.
  const auto own = core::read_file(proc + "/self/cgroup", 1U << 16U);
  const std::size_t at = own ? own->find("0::/") : std::string::npos;
  if (at == std::string::npos) return;
  const std::size_t begin = at + 4;
  for (std::filesystem::path path = own->substr(begin, own->find('\n', begin) - begin); !path.empty();
       path = path.parent_path()) {
    const std::string directory = cgroups + "/" + path.string();
    Group group{open_small(directory + "/memory.max"), open_small(directory + "/memory.current")};
    if (group.most.valid() && group.current.valid()) groups_.push_back(std::move(group));
  }
}

std::optional<std::uint64_t> MemoryLeft::bytes() const {
  std::optional<std::uint64_t> least = number_after(read_again(meminfo_), "MemAvailable:");
  if (least) *least *= 1024;
  for (const Group& group : groups_) {
    const auto most = number_after(read_again(group.most), ""),
               current = number_after(read_again(group.current), "");
    if (!most || !current) continue;
    const std::uint64_t left = *most - std::min(*most, *current);
    least = std::min(least.value_or(left), left);
  }
  return least;
}

void Handover::publish(std::shared_ptr<const Engine> engine) {
  const std::lock_guard lock(mutex_);
  engine_ = std::move(engine);
  taken_ = 0;
  sum_ = {};
  number_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const Engine> Handover::take(std::uint32_t& seen) {
  if (number_.load(std::memory_order_acquire) == seen) return nullptr;
  const std::lock_guard lock(mutex_);
  seen = number_.load(std::memory_order_relaxed);
  return engine_;
}

void Handover::taken(std::uint32_t number, const Taken& by_one) {
  const std::lock_guard lock(mutex_);
  if (number != number_.load(std::memory_order_relaxed)) return;  // the next is there already
  ++taken_;
  sum_.dropped += by_one.dropped;
  sum_.longest_pause_us = std::max(sum_.longest_pause_us, by_one.longest_pause_us);
}

std::optional<Handover::Taken> Handover::finished() {
  const std::lock_guard lock(mutex_);
  if (engine_ == nullptr || taken_ != workers_) return std::nullopt;
  engine_.reset();  // told once
  return sum_;
}

LiveRules::LiveRules(std::vector<std::string> paths, const Settings& settings, RuleSet rules,
                     std::size_t workers)
    : paths_(std::move(paths)),
      settings_(settings),
      rules_(std::move(rules)),
      loaded_us_(core::wall_clock_us()),
      handover_(workers) {}

std::uint64_t LiveRules::need(std::uint64_t text_bytes) const {
  if (rules_.text_bytes == 0) return 0;
  return static_cast<std::uint64_t>(static_cast<double>(rules_.load_bytes) * static_cast<double>(text_bytes) /
                                    static_cast<double>(rules_.text_bytes));
}

// Both sets of rules are there until the last worker has changed over.
bool LiveRules::fits() const {
  const auto text = rule_text_bytes(paths_);  // what cannot be read is told by the load
  const std::uint64_t bytes = need(text.value_or(0));
  const std::optional<std::uint64_t> left = memory_.bytes();
  core::log_info("reload begins: needs {} until the old rules are gone; {}",
                 bytes == 0 ? "memory nobody has measured" : fmt::format("about {} MiB", mebibytes(bytes)),
                 left ? fmt::format("{} MiB are free", *left >> 20U) : "how much is free is not known");
  if (!left || bytes <= *left) return true;
  core::log_error("reload failed, the old rules stay in force: too little memory for both");
  return false;
}

bool LiveRules::reload() {
  if (old_ != nullptr) look();
  if (old_ != nullptr) {
    core::log_error("reload failed, the old rules stay in force: the reload before is not finished");
    return false;
  }
  if (!fits()) return false;
  begun_us_ = core::monotonic_us();
  handover_.begin();
  core::Diagnostics diagnostics;
  Settings settings = settings_;
  const core::Status read = load_classifications(settings, diagnostics);
  core::Result<RuleSet> fresh = read ? load_rule_set(paths_, settings, diagnostics)
                                     : core::Result<RuleSet>(tl::unexpected(read.error()));
  core::print_diagnostics(diagnostics);
  if (!fresh) {
    core::log_error("reload failed, the old rules stay in force: {}", fresh.error().to_string());
    return false;
  }
  if (fresh->loaded == 0 && fresh->failed != 0) {
    core::log_error("reload failed, the old rules stay in force: all {} rules are refused", fresh->failed);
    return false;
  }
  // Only the first load is measured: the peak of a process never sinks.
  fresh->load_bytes = need(fresh->text_bytes);
  old_ = rules_.engine;
  rules_ = std::move(*fresh);
  loaded_us_ = core::wall_clock_us();
  handover_.publish(rules_.engine);
  core::log_info("reloaded: {} rules, {} refused, in {} ms", rules_.loaded, rules_.failed,
                 (core::monotonic_us() - begun_us_) / 1000);
  return true;
}

void LiveRules::look() {
  if (old_ == nullptr) return;
  const auto taken = handover_.finished();
  if (!taken) return;
  core::log_info(
      "reload finished: every worker inspects by the new rules after {} ms; packets not inspected: {}; "
      "longest pause {} us",
      (core::monotonic_us() - begun_us_) / 1000, taken->dropped, taken->longest_pause_us);
  old_.reset();
  core::release_free_memory();
}

}  // namespace gatehouse::ids::engine
