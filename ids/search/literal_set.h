// Which of many literals occur in some bytes. See NOTES.md for how.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "ids/search/bucket_filter.h"
#include "ids/search/fingerprint_filter.h"
#include "ids/search/kernels.h"
#include "ids/search/literal_texts.h"
#include "ids/search/run.h"
#include "ids/search/window_table.h"

namespace gatehouse::ids {

using core::ByteView;

// Working memory of one thread for all sets.
class LiteralScratch {
 public:
  // A set that is to be scanned with this has so many literals.
  void reserve(std::size_t literals);

 private:
  friend class LiteralSet;
  void begin_scan();
  bool is_reported(std::uint32_t literal) const { return reported_[literal] == scan_; }
  void note_reported(std::uint32_t literal) { reported_[literal] = scan_; }

  void note_reported_of(std::uint8_t bucket) {
    if (--left_[bucket] == 0) unreported_ = static_cast<BucketFilter::Buckets>(unreported_ & ~(1U << bucket));
  }

  using BucketSizes = std::array<std::uint16_t, BucketFilter::kMostBuckets>;
  std::vector<std::uint32_t> reported_;   // by literal: the scan it was last reported in
  BucketSizes left_{};                    // literals of each bucket not yet reported
  BucketFilter::Buckets unreported_ = 0;  // buckets that have some
  std::uint32_t scan_ = 0;
  FilterHits hits_;
};

// Immutable set of literals, numbered as they were given.
class LiteralSet {
 public:
  // `kernels`: another processor's, in tests.
  explicit LiteralSet(const std::vector<Literal>& literals, const SearchKernels& kernels = best_kernels());

  // Each literal that occurs is reported once, where its first occurrence ends. `scratch` has room for
  // size() literals.
  void scan(ByteView data, LiteralScratch& scratch, LiteralSink& sink) const;
  std::size_t size() const { return texts_.size(); }
  std::size_t memory_bytes() const;

 private:
  // A filter and the literals of its windows. Runs of one byte are long and common, so a window in the run of
  // a literal stands in `windows` by none of its own places: where the filter meets a run, one look at each
  // of its borders finds the literals that have it, and `runs` those that are a run themselves.
  struct Fingerprints {
    FingerprintFilter filter;
    WindowTable windows, borders, runs;

    explicit Fingerprints(std::size_t stride) : filter(stride) {}
    // Of `text` from `first` on, as many windows as the stride asks for.
    void add(std::string_view text, std::size_t first, std::uint32_t literal);
    // Its window at `at` is part of a run.
    void add_run(std::string_view text, std::size_t at, std::uint32_t literal);
    void build();
    // Keeps of the places flagged in the block at `from` those where a literal or a run can lie, and says
    // how many.
    std::size_t sift(ByteView data, std::size_t from, std::size_t flagged, FilterHits& hits) const;
    std::size_t memory_bytes() const {
      return filter.memory_bytes() + windows.memory_bytes() + borders.memory_bytes() + runs.memory_bytes();
    }
  };
  // A literal that classes belong to.
  struct ClassWindow {
    std::vector<ByteClass> classes;
    std::uint32_t literal = 0;
    bool lies_at(const std::uint8_t* place) const;
  };
  static bool continues_run(ByteView data, std::size_t at);
  void confirm(const WindowTable& table, std::uint32_t print, ByteView data, std::size_t at,
               LiteralScratch& scratch, LiteralSink& sink) const;
  void confirm_classes(std::size_t bucket, ByteView data, std::size_t at, LiteralScratch& scratch,
                       LiteralSink& sink) const;
  void confirm_run(const Fingerprints& prints, const Run& run, ByteView data, LiteralScratch& scratch,
                   LiteralSink& sink) const;
  void scan_buckets(ByteView data, LiteralScratch& scratch, LiteralSink& sink) const;
  void scan_fingerprints(const Fingerprints& prints, ByteView data, LiteralScratch& scratch,
                         LiteralSink& sink) const;

  const SearchKernels& kernels_;
  static constexpr std::uint8_t kNoBucket = 0xff;
  LiteralTexts texts_;
  std::vector<std::uint8_t> buckets_of_;  // by literal
  BucketFilter buckets_;
  LiteralScratch::BucketSizes bucket_sizes_{};
  std::array<std::vector<ClassWindow>, BucketFilter::kMostBuckets> class_windows_;  // by bucket
  BucketFilter::Buckets class_buckets_ = 0;                                         // those that have some
  std::array<WindowTable, kWindowBytes> bucket_windows_;  // by width of the window less one
  Fingerprints strided_{kStride}, dense_{1};
};

}  // namespace gatehouse::ids
