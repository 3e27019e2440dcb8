// Literal sets compiled by Hyperscan, and their cache on disk. Everything of hs.h stays behind
// prefilter.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "ids/match/profile.h"

struct hs_database;
struct hs_scratch;

namespace gatehouse::ids {

using core::ByteView;

struct Literal {
  std::string bytes;
  bool nocase = false;
};

// Receives the index of each literal that occurs, at least once per scan.
class LiteralSink {
 public:
  virtual ~LiteralSink() = default;
  virtual void on_literal(std::uint32_t literal) = 0;
};

// Working memory of one worker for all databases.
class ScanScratch {
 public:
  ScanScratch() = default;
  ScanScratch(const ScanScratch&) = delete;
  ScanScratch& operator=(const ScanScratch&) = delete;
  ~ScanScratch();
  hs_scratch* get() const { return scratch_; }

  CostSampler costs;  // by number of the set

 private:
  friend class LiteralSet;
  hs_scratch* scratch_ = nullptr;
};

// Immutable set of literals.
class LiteralSet {
 public:
  LiteralSet(const LiteralSet&) = delete;
  LiteralSet& operator=(const LiteralSet&) = delete;
  ~LiteralSet();

  // Compiles, or loads from `cache_dir` when an earlier run left the same set there. A cache that
  // cannot be read or written costs time, never an error.
  static core::Result<std::unique_ptr<const LiteralSet>> build(const std::vector<Literal>& literals,
                                                               const std::string& cache_dir);
  core::Status prepare(ScanScratch& scratch) const;
  void scan(ByteView data, ScanScratch& scratch, LiteralSink& sink) const;
  std::size_t bytes() const;

 private:
  explicit LiteralSet(hs_database* database) : database_(database) {}
  hs_database* database_;
};

}  // namespace gatehouse::ids
