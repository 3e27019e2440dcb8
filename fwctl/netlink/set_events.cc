#include "fwctl/netlink/set_events.h"

#include <algorithm>
#include <cstring>

#include "fwctl/netlink/elements.h"

namespace gatehouse::fwctl {
namespace {

// Each moves what lies behind it in a list of perhaps a megabyte; beyond this, reading is as fast.
constexpr std::size_t kMostMessages = 256, kMostElements = 256;

// Sorted keys of one length.
class Keys {
 public:
  explicit Keys(PlainKeys keys) : keys_(std::move(keys)) {}

  bool insert(core::ByteView key) {
    const std::size_t at = place_of(key);
    if (is_at(at, key)) return false;
    keys_.bytes.insert(iterator(at), key.begin(), key.end());
    return true;
  }
  bool erase(core::ByteView key) {
    const std::size_t at = place_of(key);
    if (!is_at(at, key)) return false;
    keys_.bytes.erase(iterator(at), iterator(at + 1));
    return true;
  }
  PlainKeys take() { return std::move(keys_); }

 private:
  std::size_t place_of(core::ByteView key) const {
    std::size_t low = 0;
    std::size_t high = keys_.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (std::memcmp(keys_.at(middle), key.data(), key.size()) < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
  bool is_at(std::size_t at, core::ByteView key) const {
    return at < keys_.size() && std::memcmp(keys_.at(at), key.data(), key.size()) == 0;
  }
  Bytes::iterator iterator(std::size_t at) {
    return keys_.bytes.begin() + static_cast<std::ptrdiff_t>(at * keys_.stride());
  }

  PlainKeys keys_;
};

}  // namespace

void SetEvents::note(bool came, core::ByteView message) {
  if (lost_) return;
  if (events_.size() == kMostMessages) return lose();
  events_.push_back({came, {message.begin(), message.end()}});
}

void SetEvents::lose() {
  lost_ = true;
  events_.clear();
}

void SetEvents::append(const SetEvents& later) {
  if (later.lost_ || lost_ || events_.size() + later.events_.size() > kMostMessages) return lose();
  events_.insert(events_.end(), later.events_.begin(), later.events_.end());
}

std::optional<ElementList> SetEvents::after(const KernelSet& before) const {
  const PlainKeys none{before.key_length, before.holds_ranges(), {}};
  const PlainKeys* plain = before.elements.empty() ? &none : before.elements.plain();
  if (lost_ || plain == nullptr || before.irregular || before.concatenated_intervals()) return std::nullopt;
  Keys keys(plain->ranges ? bounds_of(*plain) : *plain);
  const std::size_t length = before.key_length + (plain->ranges ? 1U : 0U);
  std::size_t elements = 0;
  for (const Event& e : events_) {
    ElementReader reader(before);
    if (!reader.add(reinterpret_cast<const nlmsghdr*>(e.message.data())) || reader.plain() == nullptr)
      return std::nullopt;
    const core::ByteView all(*reader.plain());
    for (std::size_t at = 0; at < all.size(); at += length) {
      const core::ByteView key = all.subspan(at, length);
      if (++elements > kMostElements || !(e.came ? keys.insert(key) : keys.erase(key))) return std::nullopt;
    }
  }
  PlainKeys now = keys.take();
  if (!plain->ranges) return ElementList(std::move(now));
  PlainKeys ranges;
  if (!ranges_between(now, ranges)) return std::nullopt;
  return ElementList(std::move(ranges));
}

}  // namespace gatehouse::fwctl
