// Lists of sources to refuse: text as feeds publish it.
//
//   # a comment; also after an entry, also with ;
//   192.0.2.7
//   198.51.100.0/24
//   203.0.113.5-203.0.113.90
//   2001:db8:bad::/48
#include <algorithm>
#include <filesystem>
#include <limits>

#include "core/os.h"
#include "site/load/load.h"
#include "site/load/reader.h"

namespace gatehouse::site {
namespace {

using core::IpAddress;

// A shorter prefix in a feed is a mistake of its maker: it would shut out a continent.
constexpr std::uint8_t kLeast4 = 8, kLeast6 = 16;
constexpr std::size_t kMostBytes = 256U << 20U;
constexpr std::size_t kMostEntries = 5'000'000;
constexpr std::string_view kBlank = " \t\r";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// Host bits that are set are left out, as feeds have them: 192.0.2.7/24 is its network.
std::optional<AddressRange> prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return AddressRange{*address, *address};
  const std::string_view digits = text.substr(slash + 1);
  const std::size_t most = address->size() * 8;
  if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  std::size_t length = 0;
  for (const char c : digits) length = length * 10 + static_cast<std::size_t>(c - '0');
  if (length > most) return std::nullopt;
  AddressRange out{*address, *address};
  for (std::size_t bit = length; bit < most; ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
    out.first.bytes[bit / 8] = static_cast<std::uint8_t>(out.first.bytes[bit / 8] & ~mask);
    out.last.bytes[bit / 8] = static_cast<std::uint8_t>(out.last.bytes[bit / 8] | mask);
  }
  return out;
}

std::optional<AddressRange> entry(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return prefix(text);
  const auto first = IpAddress::parse(trimmed(text.substr(0, dash)));
  const auto last = IpAddress::parse(trimmed(text.substr(dash + 1)));
  if (!first || !last || first->version != last->version || *last < *first) return std::nullopt;
  return AddressRange{*first, *last};
}

// Holds a whole network that is larger than any that a list may name.
bool too_large(const AddressRange& r) {
  const std::size_t most = r.first.is_v4() ? kLeast4 : kLeast6;
  // The number of addresses above 2^(bits - most): the difference of the leading bytes tells.
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    first = first << 8U | r.first.bytes[i];
    last = last << 8U | r.last.bytes[i];
  }
  return last - first >= (1U << (24 - most));
}

// The address after; none after the last.
std::optional<IpAddress> next(IpAddress a) {
  for (std::size_t i = a.size(); i-- > 0;) {
    if (++a.bytes[i] != 0) return a;
  }
  return std::nullopt;
}

}  // namespace

std::vector<AddressRange> parse_blocklist(const core::SourceText& source, Diagnostics& diagnostics) {
  std::vector<AddressRange> out;
  const std::string_view text = source.text();
  constexpr std::size_t kUsualLine = 12;
  out.reserve(std::min(kMostEntries, text.size() / kUsualLine));
  std::uint32_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    ++number;
    line = trimmed(line.substr(0, line.find_first_of("#;")));
    const auto column = line.empty() ? 1U : static_cast<std::uint32_t>(line.data() - text.data() - at + 1);
    at = end + 1;
    if (line.empty()) continue;
    const auto range = entry(line);
    if (!range) {
      diagnostics.error("bad-address", {source.name(), number, column},
                        "`" + std::string(line.substr(0, 80)) + "` is no address, prefix or range");
    } else if (too_large(*range)) {
      diagnostics.error("too-large", {source.name(), number, column},
                        "`" + std::string(line) + "` is more than a list may refuse (/8, or /16 of IPv6)");
    } else if (out.size() == kMostEntries) {
      diagnostics.error("too-many", {source.name(), number, column}, "more than 5,000,000 entries");
      break;
    } else {
      out.push_back(*range);
    }
  }
  return merged(std::move(out));
}

std::vector<AddressRange> merged(std::vector<AddressRange> ranges) {
  const auto comes_before = [](const AddressRange& a, const AddressRange& b) {
    return a.first.version != b.first.version ? a.first.version < b.first.version : a.first < b.first;
  };
  if (!std::is_sorted(ranges.begin(), ranges.end(), comes_before))
    std::sort(ranges.begin(), ranges.end(), comes_before);
  std::size_t count = 0;
  for (const AddressRange& r : ranges) {
    if (count != 0 && ranges[count - 1].first.version == r.first.version) {
      AddressRange& before = ranges[count - 1];
      const auto after = next(before.last);
      if (!after || r.first <= *after) {
        before.last = std::max(before.last, r.last);
        continue;
      }
    }
    ranges[count++] = r;
  }
  ranges.resize(count);
  return ranges;
}

void read_blocklists(Site& site, Diagnostics& diagnostics) {
  std::vector<AddressRange> all;
  for (const Blocklist& list : site.firewall.blocklists) {
    auto text = core::read_file(resolve_path(site, list.path), kMostBytes);
    if (!text) {
      diagnostics.error("no-file", list.where, text.error().text).hint =
          "a path that does not begin with `/` is taken from the site file's directory";
      continue;
    }
    const core::SourceText source(list.path, std::move(*text));
    std::vector<AddressRange> ranges = parse_blocklist(source, diagnostics);
    diagnostics.attach(source);
    if (all.empty()) {
      all = std::move(ranges);
    } else {
      all.insert(all.end(), ranges.begin(), ranges.end());
    }
  }
  site.firewall.blocked = merged(std::move(all));
}

}  // namespace gatehouse::site
