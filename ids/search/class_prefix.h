// Where up to four byte classes follow each other: the beginning of a regular expression, say.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/bytes.h"
#include "ids/search/kernels.h"

namespace gatehouse::ids {

using core::ByteView;

class ClassPrefix {
 public:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  // The first one to four of `classes`.
  explicit ClassPrefix(std::span<const ByteClass> classes, const SearchKernels& kernels = best_kernels());

  // The first place at or after `from` and at or before `last` where each class holds its byte.
  std::size_t find(ByteView buffer, std::size_t from, std::size_t last) const;
  bool lies_at(ByteView buffer, std::size_t at) const;
  // The part of all places in traffic where it lies, roughly.
  static double frequency(std::span<const ByteClass> classes);

 private:
  const SearchKernels& kernels_;
  std::size_t size_;
  BucketFilter filter_;
};

}  // namespace gatehouse::ids
