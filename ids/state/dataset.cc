#include "ids/state/dataset.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "core/ip.h"
#include "ids/flow/hash.h"

namespace gatehouse::ids {
namespace {

constexpr std::pair<std::string_view, DatasetType> kTypes[] = {{"string", DatasetType::string},
                                                               {"md5", DatasetType::md5},
                                                               {"sha256", DatasetType::sha256},
                                                               {"ipv4", DatasetType::ipv4},
                                                               {"ip", DatasetType::ip}};
constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);  // RFC 4291, 2.5.5.2

// A map node with its string and hash, its share of the table, and malloc's own words.
std::uint64_t cost_of(std::string_view key, const DatasetItem& item) {
  std::uint64_t cost = 96 + (key.size() > 15 ? key.size() + 24 : 0);
  if (!item.json.empty() || item.reputation)
    cost += sizeof(std::pair<std::optional<std::uint16_t>, std::string>);
  if (item.json.size() > 15) cost += item.json.size() + 24;
  return cost;
}

std::optional<std::string> from_hex(std::string_view text, std::size_t bytes) {
  if (text.size() != 2 * bytes) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned value = 0;
    for (const char c : text.substr(i, 2)) {
      const unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                             : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10)
                             : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A' + 10)
                                                    : 16U;
      if (digit == 16U) return std::nullopt;
      value = value << 4U | digit;
    }
    out += static_cast<char>(value);
  }
  return out;
}

// RFC 4648, strict: padded, no blanks.
std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > (1U << 20U)) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const auto body = text.substr(0, text.size() - padding);
  const bool good = std::all_of(body.begin(), body.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  });
  if (!good) return std::nullopt;
  std::string out(text.size() / 4 * 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

std::optional<std::string> from_address(std::string_view text, bool v4_only) {
  const auto address = core::IpAddress::parse(text);
  if (!address || (v4_only && !address->is_v4())) return std::nullopt;
  const std::string_view bytes = core::as_text(address->view());
  return std::string(bytes.starts_with(kMapped) && bytes.size() == 16 ? bytes.substr(12) : bytes);
}

}  // namespace

std::string_view to_string(DatasetType type) {
  return kTypes[static_cast<std::size_t>(type)].first;
}

std::optional<DatasetType> parse_dataset_type(std::string_view text) {
  for (const auto& [name, type] : kTypes) {
    if (name == text) return type;
  }
  return std::nullopt;
}

std::optional<std::string> parse_dataset_value(DatasetType type, std::string_view text) {
  return type == DatasetType::string ? from_base64(text) : parse_plain_value(type, text);
}

std::optional<std::string> parse_plain_value(DatasetType type, std::string_view text) {
  switch (type) {
    case DatasetType::string:
      if (text.empty()) return std::nullopt;
      return std::string(text);
    case DatasetType::md5:
      return from_hex(text, 16);
    case DatasetType::sha256:
      return from_hex(text, 32);
    case DatasetType::ipv4:
      return from_address(text, true);
    case DatasetType::ip:
      return from_address(text, false);
  }
  return std::nullopt;
}

std::size_t Dataset::Hash::operator()(std::string_view key) const {
  std::uint64_t hash = mix64(seed ^ key.size());
  for (; key.size() >= 8; key.remove_prefix(8)) {
    std::uint64_t word = 0;
    std::memcpy(&word, key.data(), 8);
    hash = mix64(hash ^ word);
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, key.data(), key.size());
  return mix64(hash ^ rest ^ seed);
}

Dataset::Dataset(std::string name, DatasetType type, std::uint64_t memcap_bytes, std::uint32_t expected)
    : name_(std::move(name)), type_(type), memcap_bytes_(memcap_bytes), hash_{seed_or_random(0)} {
  // The table is small beside the members; what is expected beyond this comes as it comes.
  const std::size_t each = std::min<std::size_t>(expected, 1U << 20U) / kShards;
  for (Shard& shard : shards_) shard.members = decltype(shard.members)(each, Hash{seed_or_random(0)});
}

std::optional<std::string_view> Dataset::key_of(ByteView value) const {
  const std::string_view text = core::as_text(value);
  switch (type_) {
    case DatasetType::string:
      if (text.empty() || text.size() > (1U << 20U)) return std::nullopt;
      return text;
    case DatasetType::md5:
      if (text.size() != 16) return std::nullopt;
      return text;
    case DatasetType::sha256:
      if (text.size() != 32) return std::nullopt;
      return text;
    case DatasetType::ipv4:
      if (text.size() != 4) return std::nullopt;
      return text;
    case DatasetType::ip:
      if (text.size() == 16 && text.starts_with(kMapped)) return text.substr(12);
      if (text.size() != 4 && text.size() != 16) return std::nullopt;
      return text;
  }
  return std::nullopt;
}

const Dataset::Shard& Dataset::shard_of(std::string_view key) const {
  return shards_[hash_(key) % kShards];
}

std::optional<DatasetItem> Dataset::find(ByteView value) const {
  const auto key = key_of(value);
  if (!key) return std::nullopt;
  const Shard& shard = shard_of(*key);
  const std::shared_lock lock(shard.mutex);
  const auto found = shard.members.find(*key);
  if (found == shard.members.end()) return std::nullopt;
  DatasetItem item;
  if (found->second != 0) {
    const auto& [reputation, json] = shard.items[found->second - 1];
    item.reputation = reputation;
    item.json = json;
  }
  return item;
}

bool Dataset::contains(ByteView value) const {
  return find(value).has_value();
}

std::optional<DatasetItem> Dataset::find_subdomain(ByteView value) const {
  if (auto whole = find(value)) return whole;
  // Names have at most 127 labels; more dots than that are no name.
  unsigned dots = 0;
  for (std::size_t i = 1; i < value.size() && dots < 128; ++i) {
    if (value[i] != '.') continue;
    ++dots;
    if (auto item = find(value.subspan(i))) return item;
  }
  return std::nullopt;
}

Dataset::Added Dataset::add(ByteView value, const DatasetItem& item) {
  const auto key = key_of(value);
  if (!key) return Added::wrong;
  auto& shard = const_cast<Shard&>(shard_of(*key));
  const std::unique_lock lock(shard.mutex);
  if (shard.members.find(*key) != shard.members.end()) return Added::present;
  const std::uint64_t cost = cost_of(*key, item);
  if (memory_.fetch_add(cost, std::memory_order_relaxed) + cost > memcap_bytes_) {
    memory_.fetch_sub(cost, std::memory_order_relaxed);
    refused_.fetch_add(1, std::memory_order_relaxed);
    return Added::full;
  }
  std::uint32_t place = 0;
  if (item.reputation || !item.json.empty()) {
    shard.items.emplace_back(item.reputation, std::string(item.json));
    place = static_cast<std::uint32_t>(shard.items.size());
  }
  shard.members.emplace(std::string(*key), place);
  size_.fetch_add(1, std::memory_order_relaxed);
  return Added::added;
}

bool Dataset::remove(ByteView value) {
  const auto key = key_of(value);
  if (!key) return false;
  auto& shard = const_cast<Shard&>(shard_of(*key));
  const std::unique_lock lock(shard.mutex);
  const auto found = shard.members.find(*key);
  if (found == shard.members.end()) return false;
  // What was known about it stays in its place: a reader may look at it right now.
  memory_.fetch_sub(cost_of(*key, {}), std::memory_order_relaxed);
  shard.members.erase(found);
  size_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

namespace {

std::string file_form(DatasetType type, const std::string& key) {
  if (type == DatasetType::string) {
    std::string out((key.size() + 2) / 3 * 4 + 1, '\0');
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(key.data()), static_cast<int>(key.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
  }
  if (type == DatasetType::ipv4 || type == DatasetType::ip)
    return core::IpAddress::from_bytes(core::as_bytes(key)).to_string();
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : key) {
    out += kDigits[static_cast<std::uint8_t>(c) >> 4U];
    out += kDigits[static_cast<std::uint8_t>(c) & 15U];
  }
  return out;
}

}  // namespace

std::string Dataset::text() const {
  std::vector<std::string> lines;
  for (const Shard& shard : shards_) {
    const std::shared_lock lock(shard.mutex);
    for (const auto& [key, place] : shard.members) {
      std::string line = file_form(type_, key);
      if (place != 0 && shard.items[place - 1].first)
        line += "," + std::to_string(*shard.items[place - 1].first);
      lines.push_back(std::move(line));
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string out;
  for (const std::string& line : lines) out += line + '\n';
  return out;
}

}  // namespace gatehouse::ids
