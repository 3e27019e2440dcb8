#include "fwctl/compile/element_list.h"

#include <endian.h>

#include <algorithm>
#include <cstring>

namespace gatehouse::fwctl {
namespace {

constexpr std::size_t kNumber = sizeof(std::uint32_t);

// IPv4 addresses, alone or as ranges, are most of what there is: sorted as numbers.
template <class Number>
void sort_as(Bytes& bytes, Number (*to_host)(Number)) {
  std::vector<Number> numbers(bytes.size() / sizeof(Number));
  std::memcpy(numbers.data(), bytes.data(), bytes.size());
  for (Number& n : numbers) n = to_host(n);
  std::sort(numbers.begin(), numbers.end());
  for (Number& n : numbers) n = to_host(n);  // its own inverse
  std::memcpy(bytes.data(), numbers.data(), bytes.size());
}

std::uint32_t swapped4(std::uint32_t n) {
  return be32toh(n);
}
std::uint64_t swapped8(std::uint64_t n) {
  return be64toh(n);
}

}  // namespace

void PlainKeys::append(core::ByteView first_key, core::ByteView last_key) {
  bytes.insert(bytes.end(), first_key.begin(), first_key.end());
  if (ranges) bytes.insert(bytes.end(), last_key.begin(), last_key.end());
}
void PlainKeys::append(const PlainKeys& from, std::size_t index) {
  bytes.insert(bytes.end(), from.at(index), from.at(index) + from.stride());
}

KernelElement PlainKeys::element(std::size_t index) const {
  KernelElement out;
  out.first.assign(first(index).begin(), first(index).end());
  out.last.assign(last(index).begin(), last(index).end());
  return out;
}

void PlainKeys::sort() {
  const std::size_t step = stride();
  const auto descends = [&](std::size_t i) { return std::memcmp(at(i - 1), at(i), step) > 0; };
  // Trees are dumped in order, or in the opposite one.
  std::size_t descents = 0;
  for (std::size_t i = 1; i < size(); ++i) descents += descends(i) ? 1 : 0;
  if (descents == 0) return;
  if (step == kNumber) return sort_as<std::uint32_t>(bytes, swapped4);
  if (step == 2 * kNumber) return sort_as<std::uint64_t>(bytes, swapped8);
  std::vector<const std::uint8_t*> order(size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = at(i);
  std::sort(order.begin(), order.end(),
            [step](const std::uint8_t* a, const std::uint8_t* b) { return std::memcmp(a, b, step) < 0; });
  Bytes sorted;
  sorted.reserve(bytes.size());
  for (const std::uint8_t* key : order) sorted.insert(sorted.end(), key, key + step);
  bytes = std::move(sorted);
}

bool ElementList::same_effect(const ElementList& other) const {
  if (plain_ && other.plain_ && keys_ == other.keys_) return true;
  return std::equal(begin(), end(), other.begin(), other.end(),
                    [](const KernelElement& a, const KernelElement& b) { return a.same_effect(b); });
}

bool ElementList::disjoint() const {
  const auto follows = [](core::ByteView last, core::ByteView first) {
    return std::lexicographical_compare(last.begin(), last.end(), first.begin(), first.end());
  };
  for (std::size_t i = 1; i < size(); ++i) {
    if (plain_ ? !follows(keys_.last(i - 1), keys_.first(i))
               : !follows(elements_[i - 1].last, elements_[i].first))
      return false;
  }
  return true;
}

bool ElementList::back_is_highest() const {
  if (empty()) return false;
  const core::ByteView last = plain_ ? keys_.last(size() - 1) : core::ByteView(elements_.back().last);
  return std::all_of(last.begin(), last.end(), [](std::uint8_t byte) { return byte == 0xff; });
}

const std::vector<KernelElement>& ElementList::all() const {
  if (!expanded_) {
    elements_.reserve(keys_.size());
    for (std::size_t i = 0; i < keys_.size(); ++i) elements_.push_back(keys_.element(i));
    expanded_ = true;
  }
  return elements_;
}

std::vector<KernelElement>& ElementList::own() {
  all();
  keys_ = {};
  plain_ = false;
  return elements_;
}

}  // namespace gatehouse::fwctl
