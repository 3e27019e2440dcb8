// Which of many literals lie at the one place where each of them counts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "ids/search/literal_texts.h"
#include "ids/search/window_table.h"

namespace gatehouse::ids {

using core::ByteView;

struct AnchoredLiteral {
  Literal literal;
  std::uint32_t place = 0;  // of its first byte
};

// Places are few, so each is looked at once, whatever the number of literals. Immutable.
class AnchoredSet {
 public:
  explicit AnchoredSet(const std::vector<AnchoredLiteral>& literals);

  // `origin`: where places count from, an offset into the data; it may lie before it. What does not lie in
  // the data as a whole is not there. Each literal is reported once at most.
  void find(ByteView data, std::int64_t origin, LiteralSink& sink) const;
  std::size_t size() const { return texts_.size(); }
  // No literal lies beyond so many bytes from the origin.
  std::size_t reach() const { return reach_; }
  std::size_t memory_bytes() const;

 private:
  // Where windows of one width begin, and its print of what lies there.
  struct Spot {
    std::uint32_t place = 0, width = 0;
    std::uint64_t mask = 0;  // the first `width` of eight bytes
    std::uint32_t salt = 0;
    std::uint32_t print(std::uint64_t bytes) const;
  };
  static Spot spot_at(std::uint32_t place, std::size_t width, std::size_t number);
  bool entered(std::uint32_t print) const {
    return (filter_[print >> filter_shift_ >> 6U] >> (print >> filter_shift_ & 63U) & 1U) != 0;
  }

  LiteralTexts texts_;
  std::vector<Spot> spots_;  // by where they end
  std::vector<std::uint64_t> filter_;  // a bit for each print, so that a place with nothing costs no more
  unsigned filter_shift_ = 0;
  WindowTable windows_;
  std::size_t reach_ = 0;
};

}  // namespace gatehouse::ids
