// New rules while packets flow.
//
// The main thread reads the files and builds an engine beside the running one; each worker takes it between
// two packets and says so. Nothing stops meanwhile: what was not inspected is what the kernel had no room for
// between the beginning of the reload and that moment, and it is counted.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/os.h"
#include "ids/engine/rule_set.h"
#include "ids/engine/settings.h"

namespace gatehouse::ids::engine {

// What the system can still give this process: the least of MemAvailable (proc_meminfo(5)) and, of its memory
// cgroup and those above, memory.max less memory.current (cgroup-v2, "Memory"). The files are opened once,
// before the process restricts itself.
class MemoryLeft {
 public:
  // Of another tree of files in tests.
  explicit MemoryLeft(const std::string& proc = "/proc", const std::string& cgroups = "/sys/fs/cgroup");
  // Bytes. Empty: the system does not say.
  std::optional<std::uint64_t> bytes() const;

 private:
  struct Group {
    core::UniqueFd most, current;
  };
  core::UniqueFd meminfo_;
  std::vector<Group> groups_;
};

// How a reload comes to the workers, and what they say of it.
class Handover {
 public:
  explicit Handover(std::size_t workers) : workers_(workers) {}

  // Of all workers together.
  struct Taken {
    std::uint64_t dropped = 0;          // packets the kernel had no room for meanwhile
    std::int64_t longest_pause_us = 0;  // of one worker, while it changed over
  };

  // The main thread.
  void begin() { begun_.fetch_add(1, std::memory_order_release); }
  void publish(std::shared_ptr<const Engine> engine);
  // Once, after the last worker has taken what was published last.
  std::optional<Taken> finished();

  // A worker's thread.
  class Lane {
   public:
    // Between two batches. `dropped()` counts since the start; `replace(engine)` changes over.
    template <class Dropped, class Replace>
    void look(Handover& all, Dropped&& dropped, Replace&& replace) {
      if (const std::uint32_t begun = all.begun_.load(std::memory_order_acquire); begun != begun_) {
        begun_ = begun;
        dropped_before_ = dropped();
      }
      std::shared_ptr<const Engine> engine = all.take(seen_);
      if (engine == nullptr) return;
      const std::int64_t start_us = core::monotonic_us();
      replace(std::move(engine));
      const std::int64_t pause_us = core::monotonic_us() - start_us;
      all.taken(seen_, {dropped() - dropped_before_, pause_us});
    }

   private:
    std::uint32_t begun_ = 0, seen_ = 0;
    std::uint64_t dropped_before_ = 0;
  };

 private:
  // Null: nothing new since `seen`.
  std::shared_ptr<const Engine> take(std::uint32_t& seen);
  void taken(std::uint32_t number, const Taken& by_one);

  const std::size_t workers_;
  std::atomic<std::uint32_t> begun_{0};
  std::atomic<std::uint32_t> number_{0};  // of the engine below
  std::mutex mutex_;
  std::shared_ptr<const Engine> engine_;
  std::size_t taken_ = 0;  // workers that have it
  Taken sum_;
};

// The rules in force, and their replacement.
class LiveRules {
 public:
  LiveRules(std::vector<std::string> paths, const Settings& settings, RuleSet rules, std::size_t workers);

  const RuleSet& set() const { return rules_; }
  std::int64_t loaded_us() const { return loaded_us_; }  // epoch
  Handover& handover() { return handover_; }
  // Reads rule, classification, threshold and list files again. False: the old rules stay in force, for a
  // reason that was logged.
  bool reload();
  // Tells when the last worker has changed over, and frees the old rules then: here, not in a worker. To be
  // called now and then.
  void look();

 private:
  // Memory that loading so much text takes, as the first load did; 0: not known.
  std::uint64_t need(std::uint64_t text_bytes) const;
  bool fits() const;

  const std::vector<std::string> paths_;
  const Settings& settings_;
  RuleSet rules_;
  std::shared_ptr<const Engine> old_;
  std::int64_t loaded_us_;
  std::int64_t begun_us_ = 0;  // monotonic, of the reload under way
  MemoryLeft memory_;
  Handover handover_;
};

}  // namespace gatehouse::ids::engine
