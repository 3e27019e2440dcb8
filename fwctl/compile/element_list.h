// The elements of a set, in two forms: one by one with everything that an element can have, or, where they
// are keys and nothing else, as plain bytes. A list of 100,000 addresses is 400 kB in the second form and
// 30 MB in the first, which costs more to build and throw away than the kernel takes to load it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"

namespace gatehouse::fwctl {

using Bytes = std::vector<std::uint8_t>;

struct KernelVerdict {
  std::int32_t code = 0;  // NF_DROP 0, NF_ACCEPT 1, NFT_JUMP -3, NFT_GOTO -4, NFT_RETURN -5, ...
  std::string chain;

  std::string to_string() const;
  friend bool operator==(const KernelVerdict&, const KernelVerdict&) = default;
};

// All keys from `first` to `last`; for a concatenation, field by field. Each field is padded with
// zeros to 4 bytes.
struct KernelElement {
  Bytes first;
  Bytes last;
  std::optional<KernelVerdict> verdict;
  std::string foreign;  // a timeout, expression or object reference, which ours never have
  std::string comment;
  core::SourcePos where;
  bool catch_all = false;  // foreign: stands for every key that is not in the set
  bool uncertain = false;  // foreign: is there for a time, or matches by a state of its own

  bool same_effect(const KernelElement& o) const {
    return first == o.first && last == o.last && verdict == o.verdict && foreign == o.foreign;
  }
  // By `first`, then by `last`.
  bool comes_before(const KernelElement& o) const {
    return first != o.first ? first < o.first : last < o.last;
  }
};

// Keys of one length, or ranges of them, ascending.
struct PlainKeys {
  std::uint32_t key_length = 0;  // at least 1
  bool ranges = false;           // each is a first and a last key, else one key
  Bytes bytes;

  std::size_t stride() const { return ranges ? std::size_t{2} * key_length : key_length; }
  std::size_t size() const { return key_length == 0 ? 0 : bytes.size() / stride(); }
  const std::uint8_t* at(std::size_t index) const { return bytes.data() + index * stride(); }
  core::ByteView first(std::size_t index) const { return {at(index), key_length}; }
  core::ByteView last(std::size_t index) const { return {at(index) + (stride() - key_length), key_length}; }
  void append(core::ByteView first, core::ByteView last);
  void append(const PlainKeys& from, std::size_t index);
  KernelElement element(std::size_t index) const;
  void sort();
  friend bool operator==(const PlainKeys&, const PlainKeys&) = default;
};

// Behaves as a vector of KernelElement. Who asks for a single element gets the first form, which is then
// kept; who writes to one loses the second. Not for several threads at once.
class ElementList {
 public:
  using value_type = KernelElement;
  using iterator = std::vector<KernelElement>::iterator;
  using const_iterator = std::vector<KernelElement>::const_iterator;

  ElementList() = default;
  ElementList(std::initializer_list<KernelElement> elements) : elements_(elements) {}
  explicit ElementList(std::vector<KernelElement> elements) : elements_(std::move(elements)) {}
  explicit ElementList(PlainKeys keys) : keys_(std::move(keys)), plain_(true), expanded_(false) {}

  // Null when an element has more than a key.
  const PlainKeys* plain() const { return plain_ ? &keys_ : nullptr; }
  std::size_t size() const { return plain_ ? keys_.size() : elements_.size(); }
  bool empty() const { return size() == 0; }

  const_iterator begin() const { return all().begin(); }
  const_iterator end() const { return all().end(); }
  const KernelElement& operator[](std::size_t index) const { return all()[index]; }
  bool same_effect(const ElementList& other) const;
  // As ranges: each begins after the one before has ended.
  bool disjoint() const;
  // The last range ends with the highest key.
  bool back_is_highest() const;

  iterator begin() { return own().begin(); }
  iterator end() { return own().end(); }
  KernelElement& operator[](std::size_t index) { return own()[index]; }
  void push_back(KernelElement element) { own().push_back(std::move(element)); }
  iterator erase(const_iterator at) { return own().erase(at); }
  void clear() { *this = ElementList(); }

 private:
  const std::vector<KernelElement>& all() const;
  std::vector<KernelElement>& own();

  PlainKeys keys_;
  bool plain_ = false;
  mutable bool expanded_ = true;
  mutable std::vector<KernelElement> elements_;
};

}  // namespace gatehouse::fwctl
