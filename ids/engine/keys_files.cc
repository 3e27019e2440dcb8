// Settings of files in transit: what is learnt of them, and which are kept.
#include "ids/engine/setting_keys.h"

namespace gatehouse::ids::engine {
namespace {

void force_hash(const SettingValue& v) {
  for (const std::string& word : v.words()) {
    constexpr std::string_view kNames[] = {"md5", "sha1", "sha256"};
    bool known = false;
    for (std::size_t i = 0; i < std::size(kNames); ++i) {
      if (word != kNames[i]) continue;
      v.settings.files.needs.hashes[i] = known = true;
    }
    if (!known) return v.wrong("a list of md5, sha1 and sha256");
  }
}
void force_magic(const SettingValue& v) {
  if (v.flag().value_or(false)) v.settings.files.needs.magic = true;
}

template <bool FileStoreSettings::*member>
void store_flag(const SettingValue& v) {
  if (auto on = v.flag()) v.settings.files.store.*member = *on;
}
void enabled(const SettingValue& v) {
  const auto on = v.flag();
  if (!on) return;
  v.settings.files.store.enabled = *on;
  // The digest names the stored file.
  if (*on) v.settings.files.needs.hashes[static_cast<std::size_t>(FileHash::sha256)] = true;
}
void version(const SettingValue& v) {
  if (auto n = v.uint(1, 2); n && *n != 2) v.unsupported("version 1 of the file store");
}
void directory(const SettingValue& v) {
  auto text = v.text();
  if (!text) return;
  if (text->empty()) return v.wrong("a directory");
  v.settings.files.store.directory = std::move(*text);
}
void stream_depth(const SettingValue& v) {
  if (auto n = v.size()) v.settings.files.store.limit = *n;
}
void most_open(const SettingValue& v) {
  if (auto n = v.uint(0, 1'000'000); n && *n != 0)
    v.settings.files.store.most_open = static_cast<unsigned>(*n);
}
void any_flag(const SettingValue& v) {
  (void)v.flag();
}
void any_text(const SettingValue& v) {
  (void)v.text();
}

#define S "file-store."
constexpr std::string_view kNoForwarded = "forwarded-for addresses are not written";
constexpr KeyRow kRows[] = {
    {"eve.types.files.force-hash", force_hash},
    {"eve.types.files.force-magic", force_magic},
    {S "version", version},
    {S "enabled", enabled},
    {S "dir", directory},
    {S "write-fileinfo", store_flag<&FileStoreSettings::write_info>},
    {S "force-filestore", store_flag<&FileStoreSettings::force>},
    {S "stream-depth", stream_depth},
    {S "max-open-files", most_open},
    {S "force-hash", force_hash},
    {S "force-magic", force_magic},
    {S "xff.enabled", any_flag, kNoForwarded},
    {S "xff.mode", any_text, kNoForwarded},
    {S "xff.deployment", any_text, kNoForwarded},
    {S "xff.header", any_text, kNoForwarded},
};
#undef S

}  // namespace

std::span<const KeyRow> file_keys() {
  return kRows;
}

}  // namespace gatehouse::ids::engine
