#include "ids/state/reputation.h"

#include <algorithm>
#include <charconv>

namespace gatehouse::ids {
namespace {

constexpr std::size_t kMostErrors = 20;  // of one file

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return text.substr(text.size());
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::optional<unsigned> number(std::string_view text, unsigned most) {
  unsigned value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || read.ec != std::errc{} || read.ptr != text.data() + text.size() || value > most)
    return std::nullopt;
  return value;
}

// Cuts lines of three fields; the last takes what is left.
class Lines {
 public:
  Lines(const core::SourceText& source, core::Diagnostics& diagnostics)
      : source_(source), diagnostics_(diagnostics) {}

  template <class Use>
  bool each(Use&& use) {
    const std::string_view text = source_.text();
    for (std::size_t start = 0; start < text.size() && errors_ < kMostErrors;) {
      const std::size_t end = std::min(text.find('\n', start), text.size());
      const std::string_view line = trimmed(text.substr(start, end - start));
      start = end + 1;
      if (line.empty() || line.starts_with('#')) continue;
      const std::size_t first = line.find(',');
      const std::size_t second = first == std::string_view::npos ? first : line.find(',', first + 1);
      if (second == std::string_view::npos) {
        fail(line, "reputation-line", "a line has three parts with commas between them");
        continue;
      }
      use(trimmed(line.substr(0, first)), trimmed(line.substr(first + 1, second - first - 1)),
          trimmed(line.substr(second + 1)));
    }
    diagnostics_.attach(source_);
    return errors_ == 0;
  }

  void fail(std::string_view part, std::string code, std::string message) {
    ++errors_;
    const auto at = static_cast<std::size_t>(part.data() - source_.text().data());
    core::Diagnostic& d = diagnostics_.error(std::move(code), source_.position(at), std::move(message));
    d.length = static_cast<std::uint32_t>(std::max<std::size_t>(part.size(), 1));
  }

 private:
  const core::SourceText& source_;
  core::Diagnostics& diagnostics_;
  std::size_t errors_ = 0;
};

// The prefix of `text`, bits after its length cleared: lists name a network by any of its hosts.
std::optional<core::IpPrefix> network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = core::IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const auto bits = static_cast<unsigned>(address->size() * 8);
  unsigned length = bits;
  if (slash != std::string_view::npos) {
    const auto given = number(text.substr(slash + 1), bits);
    if (!given) return std::nullopt;
    length = *given;
  }
  core::IpPrefix prefix{*address, static_cast<std::uint8_t>(length)};
  for (unsigned i = 0; i < address->size(); ++i) {
    const unsigned keep = std::min(8U, length > 8 * i ? length - 8 * i : 0U);
    prefix.address.bytes[i] = static_cast<std::uint8_t>(prefix.address.bytes[i] & (0xff00U >> keep));
  }
  return prefix;
}

// The address after `address`; version 0 when that was the last one.
core::IpAddress next(core::IpAddress address) {
  for (std::size_t i = address.size(); i-- > 0;) {
    if (++address.bytes[i] != 0) return address;
  }
  return {};
}

bool before(const core::IpAddress& a, const core::IpAddress& b) {
  return a.version != b.version ? a.version < b.version : a.bytes < b.bytes;
}

}  // namespace

void PrefixScores::build() {
  // Outer prefixes come before those inside them; of equal ones the later added stays last.
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    if (a.prefix.address != b.prefix.address) return before(a.prefix.address, b.prefix.address);
    return a.prefix.length < b.prefix.length;
  });
  starts_.clear();
  std::vector<std::pair<core::IpAddress, std::uint8_t>> open;  // last address and score, outer first
  const auto start = [&](const core::IpAddress& first, std::int16_t score) {
    if (!starts_.empty() && starts_.back().first == first) {
      starts_.back().score = score;
    } else {
      starts_.push_back({first, score});
    }
  };
  const auto close_until = [&](const core::IpAddress* until) {
    while (!open.empty() && (until == nullptr || before(open.back().first, *until))) {
      const core::IpAddress after = next(open.back().first);
      open.pop_back();
      // An outer prefix that ends there, too, speaks for nothing more.
      while (!open.empty() && after.version != 0 && before(open.back().first, after)) open.pop_back();
      if (after.version != 0)
        start(after, open.empty() ? std::int16_t{-1} : std::int16_t{open.back().second});
    }
  };
  for (const Entry& entry : entries_) {
    close_until(&entry.prefix.address);
    start(entry.prefix.address, entry.score);
    open.emplace_back(entry.prefix.last(), entry.score);
  }
  close_until(nullptr);
  entries_.clear();
  entries_.shrink_to_fit();
}

std::optional<std::uint8_t> PrefixScores::find(const core::IpAddress& address) const {
  const auto place =
      std::upper_bound(starts_.begin(), starts_.end(), address,
                       [](const core::IpAddress& a, const Range& range) { return before(a, range.first); });
  if (place == starts_.begin()) return std::nullopt;
  const Range& range = *(place - 1);
  if (range.score < 0 || range.first.version != address.version) return std::nullopt;
  return static_cast<std::uint8_t>(range.score);
}

bool Reputation::read_categories(const core::SourceText& source, core::Diagnostics& diagnostics) {
  Lines lines(source, diagnostics);
  return lines.each([&](std::string_view id, std::string_view name, std::string_view) {
    const auto category = number(id, kCategories - 1);
    if (!category || *category == 0)
      return lines.fail(id, "reputation-category", "a category has a number from 1 to 59");
    if (name.empty()) return lines.fail(id, "reputation-category", "a category needs a name");
    if (used_[*category]) return lines.fail(id, "reputation-category", "this number is taken");
    if (!names_.emplace(name, *category).second)
      return lines.fail(name, "reputation-category", "this name is taken");
    used_[*category] = true;
  });
}

bool Reputation::read_scores(const core::SourceText& source, core::Diagnostics& diagnostics) {
  Lines lines(source, diagnostics);
  return lines.each([&](std::string_view where, std::string_view id, std::string_view value) {
    const auto prefix = network(where);
    if (!prefix) return lines.fail(where, "reputation-address", "this is no address or network");
    const auto category = number(id, kCategories - 1);
    if (!category || !used_[*category])
      return lines.fail(id, "reputation-category", "the categories file has no category of this number");
    const auto score = number(value, kBest);
    if (!score) return lines.fail(value, "reputation-score", "a score is a number from 0 to 127");
    if (++count_ > kMostEntries)
      return lines.fail(where, "reputation-size", "more entries than this version takes (8000000)");
    (prefix->is_host() ? hosts_ : networks_)[*category].add(*prefix, static_cast<std::uint8_t>(*score));
  });
}

void Reputation::build() {
  for (PrefixScores& scores : hosts_) scores.build();
  for (PrefixScores& scores : networks_) scores.build();
}

std::optional<unsigned> Reputation::category(std::string_view name) const {
  const auto found = names_.find(name);
  if (found == names_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::uint8_t> Reputation::score(const core::IpAddress& address, unsigned category) const {
  if (const auto host = hosts_[category].find(address)) return host;
  return networks_[category].find(address);
}

std::vector<std::string> Reputation::category_names() const {
  std::vector<std::string> out;
  for (const auto& [name, id] : names_) out.push_back(name);
  return out;
}

}  // namespace gatehouse::ids
