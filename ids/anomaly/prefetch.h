#pragma once

namespace gatehouse::ids::anomaly {

// What lies there will be read or written soon. The empty assembly makes it a side effect: GCC 12 takes a
// function that does nothing but prefetch for one without any, and leaves out the calls of it.
inline void prefetch_line(const void* address) {
  __builtin_prefetch(address, 1);
  asm volatile("");
}

}  // namespace gatehouse::ids::anomaly
