// A vector that is empty nearly always, in the space of a pointer: rules have a dozen such lists, and there
// are many rules.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace gatehouse::ids {

template <class T>
class RareVector {
 public:
  using value_type = T;

  bool empty() const { return items_ == nullptr || items_->empty(); }
  std::size_t size() const { return items_ == nullptr ? 0 : items_->size(); }
  const T* begin() const { return items_ == nullptr ? nullptr : items_->data(); }
  const T* end() const { return begin() + size(); }
  T* begin() { return items_ == nullptr ? nullptr : items_->data(); }
  T* end() { return begin() + size(); }
  const T& operator[](std::size_t at) const { return (*items_)[at]; }
  T& operator[](std::size_t at) { return (*items_)[at]; }
  T& back() { return items_->back(); }
  void push_back(T item) { emplace_back(std::move(item)); }
  template <class... Args>
  T& emplace_back(Args&&... args) {
    if (items_ == nullptr) items_ = std::make_unique<std::vector<T>>();
    return items_->emplace_back(std::forward<Args>(args)...);
  }
  template <class Predicate>
  void erase_if(Predicate&& predicate) {
    if (items_ != nullptr) std::erase_if(*items_, predicate);
  }

 private:
  std::unique_ptr<std::vector<T>> items_;
};

}  // namespace gatehouse::ids
