// One datagram under construction.
#pragma once

#include <cstdint>
#include <vector>

#include "core/bytes.h"
#include "ids/flow/os_policy.h"

namespace gatehouse::ids {

class FragmentTracker {
 public:
  explicit FragmentTracker(OsPolicy policy) : policy_(policy) {}

  enum class Verdict : std::uint8_t { placed, overlap, contradiction };
  // Places payload bytes at `begin`. `last`: the fragment says that the datagram ends with it.
  // contradiction: it ends elsewhere than another fragment said; nothing is placed.
  Verdict insert(std::uint32_t begin, core::ByteView data, bool last);

  // All bytes from 0 to the end are there.
  bool complete() const;
  core::ByteView payload() const { return core::ByteView(payload_).first(total_); }
  std::size_t memory() const {
    return payload_.capacity() + pieces_.capacity() * sizeof(Piece) + header.capacity();
  }

  std::vector<std::uint8_t> header;  // link and IP header of the fragment with offset 0
  std::size_t link_size = 0;         // the part of it before the IP header
  unsigned fragments = 0;

 private:
  // Which fragment a range of bytes came from: overlaps are decided between fragments.
  struct Piece {
    std::uint32_t begin, end;
    OverlapRange fragment;
  };
  bool merge(std::uint32_t begin, core::ByteView data);

  OsPolicy policy_;
  std::vector<std::uint8_t> payload_;
  std::vector<Piece> pieces_, scratch_;  // sorted, disjoint
  std::uint32_t total_ = 0;
  bool has_total_ = false;
};

}  // namespace gatehouse::ids
