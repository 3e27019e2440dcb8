#include "ids/flow/fragment_tracker.h"

#include <algorithm>

namespace gatehouse::ids {

FragmentTracker::Verdict FragmentTracker::insert(std::uint32_t begin, core::ByteView data, bool last) {
  const std::uint32_t end = begin + static_cast<std::uint32_t>(data.size());
  if (last) {
    const bool shorter = !pieces_.empty() && pieces_.back().end > end;
    if (has_total_ ? total_ != end : shorter) return Verdict::contradiction;
    total_ = end;
    has_total_ = true;
  } else if (has_total_ && end > total_) {
    return Verdict::contradiction;
  }
  return merge(begin, data) ? Verdict::overlap : Verdict::placed;
}

bool FragmentTracker::complete() const {
  if (!has_total_ || header.empty() || pieces_.empty() || pieces_.front().begin != 0) return false;
  for (std::size_t i = 0; i + 1 < pieces_.size(); ++i) {
    if (pieces_[i].end != pieces_[i + 1].begin) return false;
  }
  return pieces_.back().end == total_;
}

// True when some of the bytes were already held.
bool FragmentTracker::merge(std::uint32_t begin, core::ByteView data) {
  const std::uint32_t end = begin + static_cast<std::uint32_t>(data.size());
  const OverlapRange fragment{begin, end};
  if (payload_.size() < end) payload_.resize(end);
  scratch_.clear();
  bool overlap = false;
  std::uint32_t at = begin;  // where the rest of the fragment starts
  const auto place = [&](std::uint32_t from, std::uint32_t to) {
    if (from >= to) return;
    std::copy_n(data.begin() + (from - begin), to - from, payload_.begin() + from);
    scratch_.push_back({from, to, fragment});
  };
  for (const Piece& piece : pieces_) {
    const std::uint32_t from = std::max(begin, piece.begin);
    const std::uint32_t to = std::min(end, piece.end);
    if (from >= to) {
      if (piece.begin >= end) {
        place(at, end);
        at = end;
      }
      scratch_.push_back(piece);
      continue;
    }
    overlap = true;
    place(at, from);
    if (piece.begin < from) scratch_.push_back({piece.begin, from, piece.fragment});
    if (fragment_replaces(policy_, piece.fragment, fragment)) {
      place(from, to);
    } else {
      scratch_.push_back({from, to, piece.fragment});
    }
    if (to < piece.end) scratch_.push_back({to, piece.end, piece.fragment});
    at = to;
  }
  place(at, end);
  pieces_.swap(scratch_);
  return overlap;
}

}  // namespace gatehouse::ids
