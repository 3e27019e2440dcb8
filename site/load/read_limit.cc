// `limit:` mappings: how many connections may be opened, and be open.
#include <charconv>
#include <string_view>

#include "site/load/reader.h"

namespace gatehouse::site {
namespace {

constexpr std::uint32_t kMost = 10'000'000;

// "200/second", "30/minute", "5/hour".
Rate read_rate(const YamlNode& node, Diagnostics& diagnostics) {
  Rate out;
  const std::string_view text = node.text;
  const std::size_t slash = text.find('/');
  const std::string_view unit = slash == std::string_view::npos ? "" : text.substr(slash + 1);
  out.unit_s = unit == "second" ? 1 : unit == "minute" ? 60 : unit == "hour" ? 3600 : 0;
  const char* end = text.data() + (slash == std::string_view::npos ? text.size() : slash);
  const auto [stop, error] = std::from_chars(text.data(), end, out.count);
  if (!node.is_scalar() || out.unit_s == 0 || error != std::errc{} || stop != end || out.count == 0 ||
      out.count > kMost) {
    diagnostics.error("bad-value", node.where, "`" + node.text + "` is not a rate").hint =
        "write a number from 1 to 10000000, `/` and second, minute or hour: 20/second";
    return {};
  }
  return out;
}

// The rate under `key`; its burst is that of `burst_key`, else as many as the rate has in its time.
Rate read_rate(MapReader& map, std::string_view key, std::string_view burst_key) {
  const YamlNode* node = map.optional(key);
  const YamlNode* burst = map.optional(burst_key);
  if (node == nullptr) {
    if (burst != nullptr)
      map.diagnostics()
          .error("bad-value", burst->where,
                 "`" + std::string(burst_key) + "` says nothing without `" + std::string(key) + "`")
          .hint = "add `" + std::string(key) + ": 20/second`, or remove it";
    return {};
  }
  Rate out = read_rate(*node, map.diagnostics());
  out.burst = static_cast<std::uint32_t>(map.uint(burst_key, out.count, 1, kMost));
  return out;
}

}  // namespace

std::optional<ConnectionLimit> read_limit(const YamlNode* node, const std::string& what, bool by_source,
                                          Diagnostics& diagnostics) {
  if (node == nullptr) return std::nullopt;
  MapReader map(*node, what, diagnostics);
  ConnectionLimit out;
  out.where = node->where;
  out.opened = read_rate(map, "new", "burst");
  out.open = static_cast<std::uint32_t>(map.uint("open", 0, 1, kMost));
  if (by_source) {
    out.opened_by_source = read_rate(map, "new-per-source", "burst-per-source");
    out.open_by_source = static_cast<std::uint32_t>(map.uint("open-per-source", 0, 1, kMost));
    const YamlNode* prefixes = map.optional("one-source");
    if (prefixes != nullptr) {
      MapReader lengths(*prefixes, "one-source", diagnostics);
      out.source_v4 = static_cast<std::uint8_t>(lengths.uint("ipv4", out.source_v4, 8, 32));
      out.source_v6 = static_cast<std::uint8_t>(lengths.uint("ipv6", out.source_v6, 16, 128));
      lengths.finish();
      if (!out.by_source())
        diagnostics
            .error("bad-value", prefixes->where, "`one-source` says nothing without a limit for each source")
            .hint = "add `new-per-source` or `open-per-source`, or remove it";
    }
  }
  map.finish();
  if (node->is_map() && out.opened.count == 0 && out.open == 0 && !out.by_source() && node->items.empty()) {
    diagnostics.error("bad-value", node->where, "an empty limit limits nothing").hint = "add `new` or `open`";
  }
  return out;
}

}  // namespace gatehouse::site
