// Replaces the allocation functions of the test program. In a file of its own: inlined next to its
// callers the compiler would see malloc and free of two different families.
#include <atomic>
#include <cstdlib>
#include <new>

#include "ids/alert/testing/allocations.h"

namespace {
std::atomic<std::size_t> count{0};
}  // namespace

void* operator new(std::size_t size) {
  ++count;
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}
// std::stable_sort asks this way; what it gets is freed by the plain delete.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++count;
  return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

namespace gatehouse::ids::alert {
std::size_t allocations() {
  return count;
}
}  // namespace gatehouse::ids::alert
