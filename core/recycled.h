// Objects that come and go with every flow of a flood: a class that derives from Recycled<itself> gets its
// memory back from the ones the same thread freed last, which are still in its cache, and asks the heap
// only when there are none.
#pragma once

#include <cstddef>
#include <new>

namespace gatehouse::core {

// An address sanitizer must see each object come and go.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kRecycle = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kRecycle = false;
#else
inline constexpr bool kRecycle = true;
#endif
#else
inline constexpr bool kRecycle = true;
#endif

template <class T, std::size_t kMost = 1024>
class Recycled {
 public:
  static void* operator new(std::size_t bytes) {
    Spare& spare = spare_of_thread();
    // A class derived from T may be larger.
    if (bytes != sizeof(T) || spare.first == nullptr) return ::operator new(bytes);
    Freed* const object = spare.first;
    spare.first = object->next;
    --spare.count;
    return object;
  }
  static void operator delete(void* object, std::size_t bytes) noexcept {
    if (object == nullptr) return;
    Spare& spare = spare_of_thread();
    if (!kRecycle || bytes != sizeof(T) || spare.closed || spare.count >= kMost)
      return ::operator delete(object);
    spare.first = new (object) Freed{spare.first};
    ++spare.count;
  }

 private:
  struct Freed {
    Freed* next;
  };
  // Each object is a block of the heap of its own, so that it may outlive the thread that made it.
  struct Spare {
    Freed* first = nullptr;
    std::size_t count = 0;
    bool closed = false;  // the thread ends: statics may still free objects
    ~Spare() {
      closed = true;
      while (first != nullptr) {
        Freed* const next = first->next;
        ::operator delete(first);
        first = next;
      }
    }
  };
  static Spare& spare_of_thread() {
    static thread_local Spare spare;
    return spare;
  }
};

}  // namespace gatehouse::core
