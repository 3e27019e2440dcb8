#include "ids/search/literal_set.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ids/search/needle.h"
#include "ids/search/typical_traffic.h"

namespace gatehouse::ids {
namespace {

// Beyond so many literals the buckets would fit too much of anything.
constexpr std::size_t kMostBucketed = 48, kMostBucketedShort = 96;
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

const std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

// How often windows are expected in traffic: as often as in typical traffic, and by their bytes, more so if
// many literals have them.
class WindowCosts {
 public:
  explicit WindowCosts(const std::vector<Literal>& literals) : in_literals_(std::size_t{1} << kSlotBits) {
    for (const Literal& literal : literals) count(in_literals_, literal.bytes);
  }
  // Where the `size` bytes of `bytes` begin, of which the windows are the rarest.
  std::size_t rarest(std::string_view bytes, std::size_t size) const {
    std::size_t best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t at = 0; at + size <= bytes.size(); ++at) {
      double cost = 0;
      for (std::size_t i = at; i + kWindowBytes <= at + size; ++i) cost += cost_of(bytes_of(bytes) + i);
      if (cost < least) {
        least = cost;
        best = at;
      }
    }
    return best;
  }

 private:
  using Counts = std::vector<std::uint16_t>;
  static void count(Counts& counts, std::string_view bytes) {
    for (std::size_t at = 0; at + kWindowBytes <= bytes.size(); ++at) {
      std::uint16_t& count = counts[slot(bytes_of(bytes) + at)];
      count = static_cast<std::uint16_t>(std::min(count + 1, 0xffff));
    }
  }
  static const Counts& in_typical_traffic() {
    static const Counts counts = [] {
      Counts out(std::size_t{1} << kSlotBits);
      count(out, typical_traffic());
      return out;
    }();
    return counts;
  }
  static std::size_t slot(const std::uint8_t* place) {
    return print_of(place, kWindowBytes) >> (32U - kSlotBits);
  }
  double cost_of(const std::uint8_t* place) const {
    int rarity = 0;
    for (std::size_t i = 0; i < kWindowBytes; ++i)
      rarity += byte_rarity(static_cast<std::uint8_t>(lower(static_cast<char>(place[i]))));
    const double seen = in_typical_traffic()[slot(place)] / static_cast<double>(typical_traffic().size());
    return seen + (1.0 + in_literals_[slot(place)]) * std::ldexp(1.0, -rarity);
  }
  static constexpr unsigned kSlotBits = 17;
  Counts in_literals_;
};

}  // namespace

void LiteralScratch::reserve(std::size_t literals) {
  if (reported_.size() < literals) reported_.resize(literals, 0);
}

void LiteralScratch::begin_scan() {
  if (++scan_ != 0) return;
  std::fill(reported_.begin(), reported_.end(), 0);
  scan_ = 1;
}

LiteralSet::LiteralSet(const std::vector<Literal>& literals, const SearchKernels& kernels)
    : kernels_(kernels) {
  const auto below = [&](std::size_t size) {
    return static_cast<std::size_t>(std::count_if(
        literals.begin(), literals.end(), [size](const Literal& l) { return l.bytes.size() < size; }));
  };
  const std::size_t strided_from = strided_.filter.span();
  std::size_t bucketed_below = kWindowBytes;
  if (literals.size() <= kMostBucketed) {
    bucketed_below = static_cast<std::size_t>(-1);
  } else if (below(strided_from) <= kMostBucketedShort) {
    bucketed_below = strided_from;
  }
  const WindowCosts costs(literals);
  for (std::size_t i = 0; i < literals.size(); ++i) {
    const Literal& literal = literals[i];
    const auto number = static_cast<std::uint32_t>(i);
    std::string text = literal.bytes;
    if (literal.nocase) std::transform(text.begin(), text.end(), text.begin(), lower);
    texts_.push_back(
        {static_cast<std::uint32_t>(arena_.size()), static_cast<std::uint32_t>(text.size()), literal.nocase});
    arena_ += text;
    if (text.size() < bucketed_below) {
      const std::size_t width = std::min(text.size(), kWindowBytes);
      const std::size_t at = costs.rarest(text, width);
      buckets_.add(std::string_view(text).substr(at, width), literal.nocase);
      bucket_windows_[width - 1].add(print_of(bytes_of(text) + at, width), number, text, at);
      continue;
    }
    Fingerprints& prints = text.size() < strided_from ? dense_ : strided_;
    prints.add(text, costs.rarest(text, prints.filter.span()), number);
  }
  if (!buckets_.empty()) buckets_.build();
  for (WindowTable& table : bucket_windows_) table.build();
  for (Fingerprints* prints : {&strided_, &dense_}) prints->build();
}

void LiteralSet::Fingerprints::add(std::string_view text, std::size_t first, std::uint32_t literal) {
  // The last window first: of two occurrences that one position shows, the earlier is met first.
  for (std::size_t at = first + filter.stride(); at-- > first;) {
    const std::uint32_t print = print_of(bytes_of(text) + at, kWindowBytes);
    filter.add(print);
    windows.add(print, literal, text, at);
  }
}

void LiteralSet::Fingerprints::build() {
  filter.build();
  windows.build();
}

std::size_t LiteralSet::memory_bytes() const {
  std::size_t bytes = sizeof *this + arena_.size() + texts_.size() * sizeof(Text) + strided_.memory_bytes() +
                      dense_.memory_bytes();
  for (const WindowTable& table : bucket_windows_) bytes += table.memory_bytes();
  return bytes;
}

bool LiteralSet::lies_at(const Text& text, const std::uint8_t* place) const {
  const char* bytes = arena_.data() + text.at;
  if (!text.nocase) return std::memcmp(place, bytes, text.size) == 0;
  for (std::size_t i = 0; i < text.size; ++i) {
    if (lower(static_cast<char>(place[i])) != bytes[i]) return false;
  }
  return true;
}

// A window with this print begins at `at`.
void LiteralSet::confirm(const WindowTable& table, std::uint32_t print, ByteView data, std::size_t at,
                         LiteralScratch& scratch, LiteralSink& sink) const {
  table.find(print, [&](const WindowTable::Entry& entry) {
    if (entry.offset > at || entry.size > data.size() - (at - entry.offset)) return;
    const std::size_t begin = at - entry.offset;
    if (!entry.may_lie_at(data.data() + begin) || scratch.reported_[entry.literal] == scratch.scan_ ||
        !lies_at(texts_[entry.literal], data.data() + begin)) {
      return;
    }
    scratch.reported_[entry.literal] = scratch.scan_;
    sink.on_literal(entry.literal, begin + entry.size);
  });
}

void LiteralSet::scan_buckets(ByteView data, LiteralScratch& scratch, LiteralSink& sink) const {
  for (std::size_t from = 0; from < data.size(); from += kFilterBlock) {
    const std::size_t count =
        kernels_.buckets(buckets_.tables(), data.data(), data.size(), from, scratch.hits_);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = from + scratch.hits_.at[i];
      for (std::size_t width = 1; width <= kWindowBytes && width <= data.size() - at; ++width) {
        if ((scratch.hits_.buckets[i] & buckets_.of_width(width)) != 0)
          confirm(bucket_windows_[width - 1], print_of(data.data() + at, width), data, at, scratch, sink);
      }
    }
  }
}

void LiteralSet::scan_fingerprints(const Fingerprints& prints, ByteView data, LiteralScratch& scratch,
                                   LiteralSink& sink) const {
  for (std::size_t from = 0; from < data.size(); from += kFilterBlock) {
    const std::size_t count =
        kernels_.fingerprints(prints.filter, data.data(), data.size(), from, scratch.hits_);
    for (std::size_t i = 0; i < count; ++i)
      prints.windows.prefetch(print_of(data.data() + from + scratch.hits_.at[i], kWindowBytes));
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = from + scratch.hits_.at[i];
      confirm(prints.windows, print_of(data.data() + at, kWindowBytes), data, at, scratch, sink);
    }
  }
}

void LiteralSet::scan(ByteView data, LiteralScratch& scratch, LiteralSink& sink) const {
  scratch.begin_scan();
  if (!buckets_.empty()) scan_buckets(data, scratch, sink);
  for (const Fingerprints* prints : {&strided_, &dense_}) {
    if (!prints->filter.empty()) scan_fingerprints(*prints, data, scratch, sink);
  }
}

}  // namespace gatehouse::ids
