// What commits did to the elements of a set, as the kernel tells its listeners. With what the set held before
// it says what the set holds now, without reading 100,000 elements again.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "fwctl/compile/kernel_table.h"

namespace gatehouse::fwctl {

class SetEvents {
 public:
  // Elements came, or went: a message of the kernel with its header.
  void note(bool came, core::ByteView message);
  // Something else became of the set, or more than can be told: it must be read.
  void lose();
  void append(const SetEvents& later);

  // The elements of the set that held those of `before`. Nothing when these events cannot have come after
  // that, when there are too many of them, or when an element has more than a key.
  std::optional<ElementList> after(const KernelSet& before) const;

 private:
  struct Event {
    bool came = false;
    std::vector<std::uint8_t> message;
  };
  std::vector<Event> events_;
  bool lost_ = false;
};

}  // namespace gatehouse::fwctl
