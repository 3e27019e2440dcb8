#include "ids/search/literal_set.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "ids/search/needle.h"
#include "ids/search/typical_traffic.h"

namespace gatehouse::ids {
namespace {

// Beyond so many literals the buckets would fit too much of anything.
constexpr std::size_t kMostBucketed = 48, kMostBucketedShort = 96;
const std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

std::vector<ByteClass> classes_of(const Literal& literal) {
  std::vector<ByteClass> classes = byte_classes(literal.bytes, literal.nocase);
  classes.insert(classes.end(), literal.then.begin(), literal.then.end());
  return classes;
}

// How often windows are expected in traffic: as often as in typical traffic, and by their bytes, more so if
// many literals have them.
class WindowCosts {
 public:
  explicit WindowCosts(const std::vector<Literal>& literals) : in_literals_(std::size_t{1} << kSlotBits) {
    for (const Literal& literal : literals) count(in_literals_, literal.bytes);
  }
  // Where the `size` bytes of `bytes` begin, of which the windows are the rarest. A single window is no run
  // if there is another.
  std::size_t rarest(std::string_view bytes, std::size_t size) const {
    std::size_t best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t at = 0; at + size <= bytes.size(); ++at) {
      double cost = size == kWindowBytes ? cost_as_run(bytes_of(bytes) + at) : 0;
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
  static double cost_as_run(const std::uint8_t* place) {
    constexpr double kFolded = 1e6, kExact = 2e6;
    if (!is_run(window_at(place))) return 0;
    return std::all_of(place, place + kWindowBytes, [&](std::uint8_t b) { return b == *place; }) ? kExact
                                                                                                 : kFolded;
  }
  double cost_of(const std::uint8_t* place) const {
    int rarity = 0;
    for (std::size_t i = 0; i < kWindowBytes; ++i)
      rarity += byte_rarity(static_cast<std::uint8_t>(lower_letter(static_cast<char>(place[i]))));
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
    return static_cast<std::size_t>(std::count_if(literals.begin(), literals.end(), [size](const Literal& l) {
      return l.then.empty() && l.bytes.size() < size;
    }));
  };
  const std::size_t strided_from = strided_.filter.span();
  std::size_t bucketed_below = kWindowBytes;
  if (literals.size() <= kMostBucketed) {
    bucketed_below = static_cast<std::size_t>(-1);
  } else if (below(strided_from) <= kMostBucketedShort) {
    bucketed_below = strided_from;
  }
  const WindowCosts costs(literals);
  std::vector<std::uint32_t> bucketed;
  for (std::size_t i = 0; i < literals.size(); ++i) {
    const Literal& literal = literals[i];
    const auto number = static_cast<std::uint32_t>(i);
    const std::string_view text = texts_.add(literal);
    if (!literal.then.empty()) {
      buckets_.add(classes_of(literal));
      bucketed.push_back(number);
      continue;
    }
    if (text.size() < bucketed_below) {
      const std::size_t width = std::min(text.size(), kWindowBytes);
      const std::size_t at = costs.rarest(text, width);
      buckets_.add(byte_classes(text.substr(at, width), literal.nocase));
      bucketed.push_back(number);
      bucket_windows_[width - 1].add(print_of(bytes_of(text) + at, width), number, text, at);
      continue;
    }
    Fingerprints& prints = text.size() < strided_from ? dense_ : strided_;
    prints.add(text, costs.rarest(text, prints.filter.span()), number);
  }
  if (!bucketed.empty()) buckets_.build();
  buckets_of_.assign(literals.size(), kNoBucket);
  for (std::size_t i = 0; i < bucketed.size(); ++i) {
    const std::uint8_t bucket = buckets_.bucket_of_window()[i];
    buckets_of_[bucketed[i]] = bucket;
    ++bucket_sizes_[bucket];
    const Literal& literal = literals[bucketed[i]];
    if (literal.then.empty()) continue;
    class_windows_[bucket].push_back({classes_of(literal), bucketed[i]});
    class_buckets_ = static_cast<BucketFilter::Buckets>(class_buckets_ | 1U << bucket);
  }
  for (WindowTable& table : bucket_windows_) table.build();
  for (Fingerprints* prints : {&strided_, &dense_}) prints->build();
}

void LiteralSet::Fingerprints::add(std::string_view text, std::size_t first, std::uint32_t literal) {
  bool in_run = false;
  // The last window first: of two occurrences that one position shows, the earlier is met first.
  for (std::size_t at = first + filter.stride(); at-- > first;) {
    const std::uint32_t window = window_at(bytes_of(text) + at);
    filter.add(print_of(window));
    if (!is_run(window)) {
      windows.add(print_of(window), literal, text, at);
    } else if (!std::exchange(in_run, true)) {
      add_run(text, at, literal);
    }
  }
}

void LiteralSet::Fingerprints::add_run(std::string_view text, std::size_t at, std::uint32_t literal) {
  const Run run = run_at({bytes_of(text), text.size()}, at);
  if (run.begin == 0 && run.end == text.size()) {
    runs.add(print_of(bytes_of(text)), literal, text, 0);
  } else {
    const std::size_t border = run.begin != 0 ? run.begin - 1 : run.end + 1 - kWindowBytes;
    borders.add(print_of(bytes_of(text) + border), literal, text, border);
  }
}

void LiteralSet::Fingerprints::build() {
  filter.build();
  for (WindowTable* table : {&windows, &borders, &runs}) table->build();
}

std::size_t LiteralSet::Fingerprints::sift(ByteView data, std::size_t from, std::size_t flagged,
                                           FilterHits& hits) const {
  if (windows.empty()) return flagged;
  const std::uint8_t* block = data.data() + from;
  for (std::size_t i = 0; i < flagged; ++i) windows.prefetch(print_of(block + hits.at[i]));
  std::size_t count = 0;
  for (std::size_t i = 0; i < flagged; ++i) {
    const std::uint16_t at = hits.at[i];
    const std::uint32_t window = window_at(block + at);
    hits.at[count] = at;
    count += static_cast<std::size_t>(int{is_run(window)} |
                                      int{windows.may_find(print_of(window), data, from + at)});
  }
  return count;
}

std::size_t LiteralSet::memory_bytes() const {
  std::size_t bytes = sizeof *this + texts_.memory_bytes() + buckets_of_.size() + buckets_.memory_bytes() +
                      strided_.memory_bytes() + dense_.memory_bytes();
  for (const WindowTable& table : bucket_windows_) bytes += table.memory_bytes();
  return bytes;
}

// Does the same byte as before `at` fill the window there? Then buckets have nothing new: a literal whose
// window is a run is one itself.
bool LiteralSet::continues_run(ByteView data, std::size_t at) {
  return at != 0 && at + kWindowBytes <= data.size() &&
         std::memcmp(data.data() + at - 1, data.data() + at, kWindowBytes) == 0;
}

// A window with this print begins at `at`.
void LiteralSet::confirm(const WindowTable& table, std::uint32_t print, ByteView data, std::size_t at,
                         LiteralScratch& scratch, LiteralSink& sink) const {
  table.find(print, [&](const WindowTable::Entry& entry) {
    if (entry.offset > at || entry.size > data.size() - (at - entry.offset)) return;
    const std::size_t begin = at - entry.offset;
    if (!entry.may_lie_at(data.data() + begin) || scratch.is_reported(entry.literal) ||
        !texts_.lies_at(entry.literal, data.data() + begin)) {
      return;
    }
    scratch.note_reported(entry.literal);
    if (const std::uint8_t bucket = buckets_of_[entry.literal]; bucket != kNoBucket)
      scratch.note_reported_of(bucket);
    sink.on_literal(entry.literal, begin + entry.size);
  });
}

bool LiteralSet::ClassWindow::lies_at(const std::uint8_t* place) const {
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (!classes[i][place[i]]) return false;
  }
  return true;
}

void LiteralSet::confirm_classes(std::size_t bucket, ByteView data, std::size_t at, LiteralScratch& scratch,
                                 LiteralSink& sink) const {
  for (const ClassWindow& window : class_windows_[bucket]) {
    if (scratch.is_reported(window.literal) || window.classes.size() > data.size() - at ||
        !window.lies_at(data.data() + at)) {
      continue;
    }
    scratch.note_reported(window.literal);
    scratch.note_reported_of(static_cast<std::uint8_t>(bucket));
    sink.on_literal(window.literal, at + window.classes.size());
  }
}

// All that the windows inside of `run` can show: what has one of its borders, and what is nothing but a run.
void LiteralSet::confirm_run(const Fingerprints& prints, const Run& run, ByteView data,
                             LiteralScratch& scratch, LiteralSink& sink) const {
  const auto confirm_border = [&](std::size_t at) {
    confirm(prints.borders, print_of(data.data() + at), data, at, scratch, sink);
  };
  if (run.begin != 0) confirm_border(run.begin - 1);
  if (run.end != data.size()) confirm_border(run.end + 1 - kWindowBytes);
  prints.runs.find(print_of(data.data() + run.begin), [&](const WindowTable::Entry& entry) {
    if (scratch.is_reported(entry.literal)) return;
    // Not at its begin only where other bytes were taken for the same letter.
    for (std::size_t begin = run.begin; begin + entry.size <= run.end; ++begin) {
      if (!texts_.lies_at(entry.literal, data.data() + begin)) continue;
      scratch.note_reported(entry.literal);
      sink.on_literal(entry.literal, begin + entry.size);
      return;
    }
  });
}

void LiteralSet::scan_buckets(ByteView data, LiteralScratch& scratch, LiteralSink& sink) const {
  scratch.left_ = bucket_sizes_;
  scratch.unreported_ = static_cast<BucketFilter::Buckets>(-1);
  for (std::size_t from = 0; from < data.size(); from += kFilterBlock) {
    const std::size_t count =
        kernels_.buckets(buckets_.groups(), data.data(), data.size(), from, scratch.hits_);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = from + scratch.hits_.at[i];
      unsigned fit = scratch.hits_.buckets[i] & scratch.unreported_;
      if (fit == 0 || continues_run(data, at)) continue;
      for (unsigned classes = fit & class_buckets_; classes != 0; classes &= classes - 1)
        confirm_classes(static_cast<std::size_t>(std::countr_zero(classes)), data, at, scratch, sink);
      while (fit != 0) {
        const std::size_t width = buckets_.width_of(static_cast<std::size_t>(std::countr_zero(fit)));
        fit &= ~unsigned{buckets_.of_width(width)};
        if (width <= data.size() - at)
          confirm(bucket_windows_[width - 1], print_of(data.data() + at, width), data, at, scratch, sink);
      }
    }
  }
}

void LiteralSet::scan_fingerprints(const Fingerprints& prints, ByteView data, LiteralScratch& scratch,
                                   LiteralSink& sink) const {
  Run run;  // the last one met
  for (std::size_t from = 0; from < data.size(); from += kFilterBlock) {
    const std::size_t flagged =
        kernels_.fingerprints(prints.filter, data.data(), data.size(), from, scratch.hits_);
    const std::size_t count = prints.sift(data, from, flagged, scratch.hits_);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = from + scratch.hits_.at[i];
      const std::uint32_t window = window_at(data.data() + at);
      if (!is_run(window)) {
        confirm(prints.windows, print_of(window), data, at, scratch, sink);
      } else if (at >= run.end) {
        run = run_at(data, at);
        confirm_run(prints, run, data, scratch, sink);
      }
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
