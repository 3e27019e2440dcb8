// What rules and literal sets cost, sampled: one in kEvery evaluations and scans is timed, so that it can
// always be on. Belongs to one worker.
#pragma once

#include <time.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace gatehouse::ids {

// Sums over the samples of one rule or one literal set.
struct CostSamples {
  std::uint64_t count = 0;
  std::uint64_t nanoseconds = 0;
  std::uint64_t bytes = 0;  // scanned; of literal sets only
  std::uint64_t hits = 0;   // evaluations that matched; candidates a scan named

  void add(const CostSamples& other) {
    count += other.count;
    nanoseconds += other.nanoseconds;
    bytes += other.bytes;
    hits += other.hits;
  }
};

class CostSampler {
 public:
  static constexpr std::uint32_t kEvery = 512;

  void resize(std::size_t entries) { samples_.assign(entries, {}); }
  // Times every kEvery-th `work()`, whose result it returns. `work` gets the samples to note hits in; null:
  // this one does not count.
  template <class Work>
  auto measure(std::size_t entry, Work&& work) {
    if (--countdown_ != 0) return work(static_cast<CostSamples*>(nullptr));
    countdown_ = kEvery;
    CostSamples& samples = samples_[entry];
    const Timing timing(samples, overhead_ns_);
    return work(&samples);
  }
  const std::vector<CostSamples>& samples() const { return samples_; }

 private:
  // Of this thread: while others run on its processor, nothing here costs more. It asks the kernel, which is
  // why samples are few.
  static std::uint64_t cpu_ns() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
  }
  // What asking the clock adds to each sample.
  static std::uint64_t clock_cost_ns() {
    static const std::uint64_t cost = [] {
      std::uint64_t least = ~std::uint64_t{0};
      for (int i = 0; i < 64; ++i) {
        const std::uint64_t start = cpu_ns();
        least = std::min(least, cpu_ns() - start);
      }
      return least;
    }();
    return cost;
  }

  struct Timing {
    Timing(CostSamples& into, std::uint64_t overhead) : samples(into), spent_before(overhead + cpu_ns()) {}
    ~Timing() {
      const std::uint64_t now = cpu_ns();
      ++samples.count;
      samples.nanoseconds += now - std::min(now, spent_before);
    }
    Timing(const Timing&) = delete;
    Timing& operator=(const Timing&) = delete;
    CostSamples& samples;
    std::uint64_t spent_before;
  };

  std::uint32_t countdown_ = kEvery;
  std::uint64_t overhead_ns_ = clock_cost_ns();
  std::vector<CostSamples> samples_;
};

}  // namespace gatehouse::ids
