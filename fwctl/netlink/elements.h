// Elements of sets as they are on the wire. Without libnftnl: it makes an object of each, which takes longer
// than the kernel takes to load it.
#pragma once

#include <libmnl/libmnl.h>

#include <string>
#include <vector>

#include "fwctl/compile/kernel_table.h"

namespace gatehouse::fwctl {

// Elements of one message: the kernel's attribute length is 16 bits and wraps silently (8,000
// elements sent become 3,904 in the set), so messages stay far below it.
inline constexpr std::size_t kMaxElementsPerMessage = 500;
inline constexpr std::size_t kMaxElementBytesPerMessage = 32'768;

// Adds elements to the message, from `next` on, as many as go into one; the first that is left.
std::size_t put_elements(nlmsghdr* h, const KernelSet& set, std::size_t next);
// One key for a time.
void put_timed_element(nlmsghdr* h, core::ByteView key, std::uint64_t time_ms, const std::string& comment);

// One TLV of type "comment", as nft reads it: the text with its terminator.
Bytes comment_userdata(std::uint8_t type, const std::string& comment);
// The comment among the TLVs of nft's userdata; whatever else is there is not ours to judge.
std::string comment_of(core::ByteView userdata, std::uint8_t type);

// Disjoint ranges as the kernel keeps them: starts and ends, each with a byte behind its key, 0 an end, 1 a
// start.
PlainKeys bounds_of(const PlainKeys& ranges);
// The ranges that sorted bounds make; false when one begins without the one before having ended, or ends
// without having begun.
bool ranges_between(const PlainKeys& bounds, PlainKeys& out);

// Collects the elements that messages hold.
class ElementReader {
 public:
  // The definition of the set.
  explicit ElementReader(const KernelSet& set) : set_(set) {}

  // False when the message makes no sense.
  bool add(const nlmsghdr* h);
  // The keys, or in a set of ranges their bounds, in the order of the messages; null when an element has
  // more.
  const Bytes* plain() const { return is_plain_ ? &plain_ : nullptr; }
  // Sorted; starts and ends become ranges. `out` is the set with its definition.
  void finish(KernelSet& out);

 private:
  struct Raw {
    KernelElement element;
    bool end = false;
  };
  bool add_element(const nlattr* a);
  Raw decode(const nlattr* a) const;
  void begin_raw();
  void finish_plain(KernelSet& out);

  const KernelSet& set_;
  // As long as no element has more than a key.
  Bytes plain_;
  std::vector<Raw> raw_;
  bool is_plain_ = true;
};

}  // namespace gatehouse::fwctl
