#include "fwctl/prove/ranges.h"

#include <fmt/format.h>

#include <array>
#include <functional>

#include "core/ip.h"

namespace gatehouse::fwctl::prove {

void Ranges::remove(Wide value) {
  std::vector<std::pair<Wide, Wide>> out;
  for (const auto& [first, last] : all) {
    if (value < first || value > last) {
      out.emplace_back(first, last);
      continue;
    }
    if (first < value) out.emplace_back(first, value - 1);
    if (value < last) out.emplace_back(value + 1, last);
  }
  all = std::move(out);
}

std::vector<std::string> Ranges::texts() const {
  std::vector<std::string> out;
  for (const auto& [first, last] : all) {
    std::string text = std::to_string(static_cast<std::uint64_t>(first));
    if (last != first) text += "-" + std::to_string(static_cast<std::uint64_t>(last));
    out.push_back(std::move(text));
  }
  if (more) out.emplace_back("and more");
  return out;
}

Ranges ranges_of(Diagrams& d, Node f, const Word& word) {
  Ranges out;
  const std::function<void(Node, std::size_t, Wide)> walk = [&](Node n, std::size_t bit, Wide value) {
    if (n == d.no() || out.more) return;
    const std::size_t left = word.size() - bit;
    if (n == d.yes() || left == 0) {
      const Wide span = left == 128 ? ~Wide{0} : (Wide{1} << left) - 1;
      const Wide first = left == 128 ? 0 : value << left;
      if (!out.all.empty() && out.all.back().second + 1 == first) {
        out.all.back().second = first + span;
      } else if (out.all.size() == kMostRanges) {
        out.more = true;
      } else {
        out.all.emplace_back(first, first + span);
      }
      return;
    }
    const bool asked = d.variable(n) == word[bit].variable();
    walk(asked ? d.low(n) : n, bit + 1, value << 1U);
    walk(asked ? d.high(n) : n, bit + 1, value << 1U | 1U);
  };
  walk(f, 0, 0);
  return out;
}

std::string address_text(Wide first, Wide last, std::uint8_t family) {
  const std::size_t size = family == 4 ? 4 : 16;
  const auto address = [&](Wide value) {
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t i = size; i-- > 0; value >>= 8U) bytes[i] = static_cast<std::uint8_t>(value & 0xffU);
    return core::IpAddress::from_bytes(core::ByteView(bytes).first(size));
  };
  if (first == last) return address(first).to_string();
  const Wide span = first ^ last;
  const bool aligned = (span & (span + 1)) == 0 && (first & span) == 0;
  if (!aligned) return address(first).to_string() + "-" + address(last).to_string();
  std::size_t length = size * 8;
  for (Wide rest = span; rest != 0; rest >>= 1U) --length;
  return fmt::format("{}/{}", address(first).to_string(), length);
}

}  // namespace gatehouse::fwctl::prove
