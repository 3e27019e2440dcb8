// Settings of lists and tables that rules look into.
#include "ids/engine/setting_keys.h"

namespace gatehouse::ids::engine {
namespace {

template <std::uint64_t ResourceLimits::*kMember>
void table_memcap(const SettingValue& v) {
  const auto bytes = v.size();
  if (!bytes) return;
  if (*bytes < (64U << 10U)) return v.wrong("at least 64 KiB");
  v.settings.lists.limits.*kMember = *bytes;
}

void any_number(const SettingValue& v) {
  (void)v.uint(0, UINT32_MAX);
}

DatasetLimits& limits(const SettingValue& v) {
  return v.settings.lists.limits.datasets;
}
void datasets_on(const SettingValue& v) {
  if (const auto on = v.flag()) limits(v).enabled = *on;
}
void save_directory(const SettingValue& v) {
  if (auto text = v.text()) limits(v).save_directory = std::move(*text);
}
void default_memcap(const SettingValue& v) {
  if (const auto bytes = v.size()) limits(v).memcap_bytes = *bytes;
}
void default_hashsize(const SettingValue& v) {
  if (const auto n = v.uint(1, 16'777'216)) limits(v).expected = static_cast<std::uint32_t>(*n);
}
void total_hashsizes(const SettingValue& v) {
  if (const auto n = v.uint(1, UINT32_MAX)) limits(v).total_expected = *n;
}
void single_hashsize(const SettingValue& v) {
  if (const auto n = v.uint(1, 16'777'216)) limits(v).single_expected = static_cast<std::uint32_t>(*n);
}
void allow_write(const SettingValue& v) {
  if (const auto on = v.flag()) limits(v).rules_may_write = *on;
}
void allow_absolute(const SettingValue& v) {
  if (const auto on = v.flag()) limits(v).rules_may_use_absolute_paths = *on;
}

// datasets.NAME.KEY
void dataset(const SettingValue& v) {
  auto& all = v.settings.lists.datasets;
  auto spec =
      std::find_if(all.begin(), all.end(), [&](const DatasetSpec& s) { return s.name == v.stars[0]; });
  if (spec == all.end()) {
    spec = all.emplace(all.end());
    spec->name = v.stars[0];
    spec->configured = true;
  }
  const std::string_view key = v.stars[1];
  if (key == "memcap") {
    spec->memcap_bytes = v.size();
  } else if (key == "hashsize") {
    if (const auto n = v.uint(1, 16'777'216)) spec->expected = static_cast<std::uint32_t>(*n);
  } else if (const auto text = v.text(); !text) {
    return;
  } else if (key == "type") {
    spec->type = parse_dataset_type(*text);
    if (!spec->type) v.wrong("string, md5, sha256, ipv4 or ip");
  } else if (key == "load") {
    spec->load = *text;
  } else if (key == "state") {
    spec->state = *text;
  } else if (key == "save") {
    spec->save = *text;
  } else {
    v.wrong("below one of: type, load, state, save, memcap, hashsize");
  }
}

void categories(const SettingValue& v) {
  if (v.node.is_null()) return;
  if (auto text = v.text()) v.settings.lists.reputation_categories = std::move(*text);
}
void reputation_files(const SettingValue& v) {
  v.settings.lists.reputation_files = v.words();
}
void reputation_directory(const SettingValue& v) {
  if (auto text = v.text()) v.settings.lists.reputation_directory = std::move(*text);
}
void geoip(const SettingValue& v) {
  if (v.node.is_null()) return;
  if (auto text = v.text()) v.settings.lists.geoip_database = std::move(*text);
}

constexpr std::string_view kByMemcap = "the table is as large as its memcap, and made when first needed";

// Rows without a star stand first: the first row that fits is taken.
constexpr KeyRow kRows[] = {
    {"host.memcap", table_memcap<&ResourceLimits::host_memcap_bytes>},
    {"host.hash-size", any_number, kByMemcap},
    {"host.prealloc", any_number, kByMemcap},
    {"ippair.memcap", table_memcap<&ResourceLimits::pair_memcap_bytes>},
    {"ippair.hash-size", any_number, kByMemcap},
    {"ippair.prealloc", any_number, kByMemcap},
    {"datasets.enabled", datasets_on},
    {"datasets.save-directory", save_directory},
    {"datasets.defaults.memcap", default_memcap},
    {"datasets.defaults.hashsize", default_hashsize},
    {"datasets.limits.total-hashsizes", total_hashsizes},
    {"datasets.limits.single-hashsize", single_hashsize},
    {"datasets.rules.allow-write", allow_write},
    {"datasets.rules.allow-absolute-filenames", allow_absolute},
    {"datasets.*.*", dataset},
    {"reputation-categories-file", categories},
    {"reputation-files", reputation_files},
    {"default-reputation-path", reputation_directory},
    {"geoip-database", geoip},
};

}  // namespace

std::span<const KeyRow> list_keys() {
  return kRows;
}

}  // namespace gatehouse::ids::engine
