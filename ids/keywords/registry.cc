#include <algorithm>
#include <unordered_map>

#include "ids/keywords/buffers.h"
#include "ids/keywords/keyword.h"

namespace gatehouse::ids {

#define ROW(name) std::span<const KeywordDescriptor> keyword_family_##name();
#include "ids/keywords/keyword_table.inc"
#undef ROW
#define ROW(name) std::span<const BufferDescriptor> buffer_family_##name();
#include "ids/keywords/buffer_table.inc"
#undef ROW

namespace {

template <class T>
void append(std::vector<T>& out, std::span<const T> rows) {
  out.insert(out.end(), rows.begin(), rows.end());
}

std::vector<KeywordDescriptor> collect_keywords() {
  std::vector<KeywordDescriptor> all;
#define ROW(name) append(all, keyword_family_##name());
#include "ids/keywords/keyword_table.inc"
#undef ROW
  return all;
}

std::vector<BufferDescriptor> collect_buffers() {
  std::vector<BufferDescriptor> all;
#define ROW(name) append(all, buffer_family_##name());
#include "ids/keywords/buffer_table.inc"
#undef ROW
  // kPayloadBuffer is a constant other layers rely on.
  const auto payload =
      std::find_if(all.begin(), all.end(), [](const auto& b) { return b.name == "pkt_data"; });
  std::iter_swap(all.begin() + kPayloadBuffer, payload);
  return all;
}

using KeywordIndex = std::unordered_map<std::string_view, const KeywordDescriptor*>;
using BufferIndex = std::unordered_map<std::string_view, FoundBuffer>;

}  // namespace

std::span<const KeywordDescriptor> keyword_table() {
  static const std::vector<KeywordDescriptor> all = collect_keywords();
  return all;
}

std::span<const BufferDescriptor> buffer_table() {
  static const std::vector<BufferDescriptor> all = collect_buffers();
  return all;
}

const KeywordDescriptor* find_keyword(std::string_view name) {
  static const KeywordIndex index = [] {
    KeywordIndex out;
    for (const KeywordDescriptor& k : keyword_table()) out.emplace(k.name, &k);
    return out;
  }();
  const auto found = index.find(name);
  return found == index.end() ? nullptr : found->second;
}

std::optional<FoundBuffer> find_buffer(std::string_view name) {
  static const BufferIndex index = [] {
    BufferIndex out;
    const auto table = buffer_table();
    for (std::size_t i = 0; i < table.size(); ++i) {
      const auto id = static_cast<BufferId>(i);
      out.emplace(table[i].name, FoundBuffer{id, false});
      if (!table[i].alias.empty()) out.emplace(table[i].alias, FoundBuffer{id, false});
      if (!table[i].modifier.empty()) out.emplace(table[i].modifier, FoundBuffer{id, true});
    }
    return out;
  }();
  const auto found = index.find(name);
  if (found == index.end()) return std::nullopt;
  return found->second;
}

std::span<const std::string> keyword_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const KeywordDescriptor& k : keyword_table()) out.emplace_back(k.name);
    for (const BufferDescriptor& b : buffer_table()) {
      out.emplace_back(b.name);
      if (!b.alias.empty()) out.emplace_back(b.alias);
      if (!b.modifier.empty()) out.emplace_back(b.modifier);
    }
    std::sort(out.begin(), out.end());
    return out;
  }();
  return names;
}

}  // namespace gatehouse::ids
