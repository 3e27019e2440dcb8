#include "fwctl/compile/digest.h"

#include <fmt/format.h>

#include <algorithm>

#include "fwctl/compile/describe.h"

namespace gatehouse::fwctl {
namespace {

// FNV-1a, 64 bits; every part ends with a byte that is in no text.
class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) byte(static_cast<std::uint8_t>(c));
    byte(0xff);
  }
  void add(const Bytes& bytes) {
    add(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  std::uint64_t value() const { return value_; }

 private:
  void byte(std::uint8_t b) { value_ = (value_ ^ b) * 0x100000001b3U; }
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

template <class T>
std::vector<const T*> by_name(const std::vector<T>& all) {
  std::vector<const T*> out;
  for (const T& x : all) out.push_back(&x);
  std::sort(out.begin(), out.end(), [](const T* a, const T* b) { return a->name < b->name; });
  return out;
}

}  // namespace

std::string digest(const KernelTable& table) {
  Hash out;
  out.add(table.name + " " + std::to_string(table.flags));
  // The order of sets and of chains is that in which they were made, and means nothing.
  for (const KernelSet* set : by_name(table.sets)) {
    const KernelSet& s = *set;
    out.add("set " + s.name + " " + describe_definition(s));
    if (s.holds_state()) continue;
    for (const KernelElement& e : s.elements) {
      out.add(e.first);
      out.add(e.last);
      out.add(e.verdict ? e.verdict->to_string() : "");
      out.add(e.foreign);
    }
  }
  for (const KernelChain* chain : by_name(table.chains)) {
    const KernelChain& c = *chain;
    out.add("chain " + c.name + " " + (c.base ? describe(*c.base) : ""));
    for (const KernelRule& r : c.rules) out.add(describe(r, table));
  }
  return fmt::format("{:016x}", out.value());
}

}  // namespace gatehouse::fwctl
