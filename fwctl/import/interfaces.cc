#include "fwctl/import/interfaces.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <set>

namespace gatehouse::fwctl {
namespace {

constexpr std::size_t kNameBytes = 16, kSlotBytes = 4;

class Finder {
 public:
  Finder(const LiveRuleset& ruleset, const prove::Interfaces& indexes) : indexes_(indexes) {
    for (const LiveTable& t : ruleset.tables) {
      for (const KernelChain& c : t.table.chains) {
        if (c.base) names_.insert(c.base->devices.begin(), c.base->devices.end());
        for (const KernelRule& r : c.rules) rule(t.table, r);
      }
    }
  }

  NamedInterfaces take() {
    names_.erase("lo");
    names_.erase("");
    NamedInterfaces out;
    // What no policy can name; a ruleset may hold any bytes.
    for (const std::string& n : names_) (is_ordinary(n) ? out.names : out.others).push_back(n);
    out.others.insert(out.others.end(), wildcards_.begin(), wildcards_.end());
    return out;
  }

 private:
  enum class Holds : std::uint8_t { else_, name, index };

  void rule(const KernelTable& table, const KernelRule& r) {
    held_.fill(Holds::else_);
    for (const Expression& e : r.expressions) {
      if (const auto* load = std::get_if<LoadMeta>(&e)) {
        const bool name = load->key == NFT_META_IIFNAME || load->key == NFT_META_OIFNAME;
        const bool index = load->key == NFT_META_IIF || load->key == NFT_META_OIF;
        held_[load->to % kSlots] = name ? Holds::name : index ? Holds::index : Holds::else_;
      } else if (const auto* payload = std::get_if<LoadPayload>(&e)) {
        held_[payload->to % kSlots] = Holds::else_;
      } else if (const auto* ct = std::get_if<LoadCt>(&e)) {
        held_[ct->to % kSlots] = Holds::else_;
      } else if (const auto* fib = std::get_if<LoadFib>(&e)) {
        held_[fib->to % kSlots] = Holds::else_;
      } else if (const auto* mask = std::get_if<Mask>(&e)) {
        held_[mask->to % kSlots] = Holds::else_;
      } else if (const auto* compare = std::get_if<Compare>(&e)) {
        take(held_[compare->from % kSlots], compare->data);
      } else if (const auto* lookup = std::get_if<Lookup>(&e)) {
        set(table.find_set(lookup->set), lookup->from);
      } else if (const auto* foreign = std::get_if<Foreign>(&e);
                 foreign != nullptr && !foreign->set.empty()) {
        set(table.find_set(foreign->set), foreign->from);
      }
    }
  }
  // A field of a key begins where its register does.
  void set(const KernelSet* s, Slot from) {
    for (std::size_t at = 0; s != nullptr && at < s->key_length; at += kSlotBytes) {
      const std::size_t slot = from + at / kSlotBytes;
      if (slot >= kSlots || held_[slot] == Holds::else_) continue;
      const std::size_t length = held_[slot] == Holds::name ? kNameBytes : kSlotBytes;
      for (const KernelElement& e : s->elements) {
        if (at + length > e.first.size() || at + length > e.last.size()) continue;
        const auto part = [&](const Bytes& key) {
          const auto begin = key.begin() + static_cast<std::ptrdiff_t>(at);
          return Bytes(begin, begin + static_cast<std::ptrdiff_t>(length));
        };
        const Bytes first = part(e.first);
        if (first == part(e.last)) {
          take(held_[slot], first);
        } else if (held_[slot] == Holds::name) {
          wildcard(text(first));
        }
      }
    }
  }
  void take(Holds what, const Bytes& data) {
    if (what == Holds::name && data.size() < kNameBytes && (data.empty() || data.back() != 0)) {
      wildcard(text(data));
    } else if (what == Holds::name) {
      names_.insert(text(data));
    } else if (what == Holds::index && data.size() == kSlotBytes) {
      std::uint32_t number = 0;
      std::memcpy(&number, data.data(), sizeof number);
      for (const auto& [name, index] : indexes_) {
        if (index == number) names_.insert(name);
      }
    }
  }
  void wildcard(const std::string& begin) {
    wildcards_.insert(begin + "*");
    for (const auto& [name, index] : indexes_) {
      if (name.starts_with(begin)) names_.insert(name);
    }
  }
  static bool is_ordinary(const std::string& name) {
    return std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '@';
    });
  }
  static std::string text(const Bytes& data) {
    const auto* begin = reinterpret_cast<const char*>(data.data());
    return {begin, strnlen(begin, data.size())};
  }

  const prove::Interfaces& indexes_;
  std::array<Holds, kSlots> held_{};
  std::set<std::string> names_, wildcards_;
};

}  // namespace

NamedInterfaces interfaces_in(const LiveRuleset& ruleset, const prove::Interfaces& indexes) {
  return Finder(ruleset, indexes).take();
}

}  // namespace gatehouse::fwctl
