#include "ids/state/dataset_store.h"

#include <filesystem>

#include "core/os.h"

namespace gatehouse::ids {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestFile = 1U << 30U;

tl::unexpected<core::Error> refuse(std::string text) {
  return core::fail(core::Errc::invalid_input, std::move(text));
}

bool climbs(const fs::path& path) {
  for (const fs::path& part : path) {
    if (part == "..") return true;
  }
  return false;
}

}  // namespace

void DatasetStore::begin_load() {
  const std::lock_guard lock(mutex_);
  std::erase_if(sets_, [](const auto& entry) {
    const Kept& kept = entry.second;
    return kept.broken || (!kept.spec.configured && !kept.spec.load.empty() && kept.save_path.empty());
  });
}

core::Status DatasetStore::check(const DatasetSpec& spec) const {
  if (!limits_.enabled) return refuse("`datasets.enabled` is off");
  if (!spec.state.empty() && (!spec.load.empty() || !spec.save.empty()))
    return refuse("`state` is both `load` and `save`: it excludes them");
  if (spec.json && (!spec.state.empty() || !spec.save.empty()))
    return refuse("a set in JSON is only loaded: it takes neither `state` nor `save`");
  if (spec.json && spec.load.empty()) return refuse("a set in JSON needs the file to `load`");
  if (spec.json && spec.form.value_key.empty())
    return refuse("a set in JSON needs the `value_key` of its values");
  if (!spec.configured && !limits_.rules_may_write && (!spec.state.empty() || !spec.save.empty()))
    return refuse("rules may not write files: `datasets.rules.allow-write` is off");
  if (spec.memcap_bytes == 0U) return refuse("a memcap of 0 has no room for anything");
  if (spec.expected.value_or(0) > limits_.single_expected)
    return refuse("the hashsize exceeds `datasets.limits.single-hashsize`");
  return {};
}

core::Result<std::string> DatasetStore::save_path(const DatasetSpec& spec, const std::string& file) const {
  const fs::path path(file);
  if (!spec.configured) {
    if (path.is_absolute() && !limits_.rules_may_use_absolute_paths) {
      return refuse("an absolute path to write to: `datasets.rules.allow-absolute-filenames` is off");
    }
    if (climbs(path)) return refuse("a path to write to that climbs out of its directory");
  }
  if (path.is_absolute()) return file;
  fs::path base(base_directory_);
  if (!limits_.save_directory.empty()) base /= limits_.save_directory;  // an absolute one replaces it
  return (base / path).lexically_normal().string();
}

core::Status DatasetStore::fill(Kept& kept, const std::string& path, bool must_exist,
                                core::Diagnostics& diagnostics) const {
  std::error_code error;
  if (!must_exist && !fs::exists(path, error)) return {};
  GH_TRY(std::string text, core::read_file(path, kLargestFile));
  const core::SourceText source(path, std::move(text));
  const bool good = kept.spec.json ? read_json_dataset(source, kept.spec.form, *kept.set, diagnostics)
                                   : read_dataset(source, kept.spec.needs_reputation, *kept.set, diagnostics);
  if (!good) return refuse(path + " is no file of the dataset `" + kept.spec.name + "`");
  return {};
}

core::Result<std::shared_ptr<Dataset>> DatasetStore::known(Kept& kept, const DatasetSpec& spec) const {
  if (kept.broken) return refuse("the dataset `" + spec.name + "` could not be loaded");
  if (spec.type && *spec.type != kept.set->type()) {
    return refuse("the dataset `" + spec.name + "` is of type " + std::string(to_string(kept.set->type())) +
                  " elsewhere");
  }
  const auto other = [](const std::string& here, const std::string& there) {
    return !here.empty() && here != there;
  };
  if (other(spec.load, kept.spec.load) || other(spec.state, kept.spec.state) ||
      other(spec.save, kept.spec.save)) {
    return refuse("the dataset `" + spec.name + "` has another file elsewhere");
  }
  return kept.set;
}

core::Result<std::shared_ptr<Dataset>> DatasetStore::open(const DatasetSpec& spec,
                                                          core::Diagnostics& diagnostics) {
  GH_CHECK(check(spec));
  const std::lock_guard lock(mutex_);
  if (const auto found = sets_.find(spec.name); found != sets_.end()) return known(found->second, spec);
  if (!spec.type) {
    return refuse("the dataset `" + spec.name + "` is not defined: its first use must give a `type`");
  }
  Kept kept;
  kept.spec = spec;
  const std::uint32_t expected = spec.expected.value_or(limits_.expected);
  std::uint64_t total = expected;
  for (const auto& [name, other] : sets_) total += other.spec.expected.value_or(limits_.expected);
  if (total > limits_.total_expected)
    return refuse("the hash sizes of all datasets exceed `datasets.limits.total-hashsizes`");
  kept.set = std::make_shared<Dataset>(spec.name, *spec.type,
                                       spec.memcap_bytes.value_or(limits_.memcap_bytes), expected);
  core::Status filled;
  if (!spec.state.empty() || !spec.save.empty()) {
    GH_TRY(kept.save_path, save_path(spec, spec.state.empty() ? spec.save : spec.state));
  }
  if (!spec.state.empty()) filled = fill(kept, kept.save_path, false, diagnostics);
  if (!spec.load.empty()) {
    std::error_code error;
    const fs::path beside = fs::path(spec.directory) / spec.load;
    filled = fill(kept, fs::exists(beside, error) ? beside.string() : spec.load, true, diagnostics);
  }
  kept.broken = !filled;
  auto set = kept.set;
  sets_.emplace(spec.name, std::move(kept));
  if (!filled) return tl::make_unexpected(filled.error());
  return set;
}

core::Status DatasetStore::save() const {
  const std::lock_guard lock(mutex_);
  core::Status status;
  for (const auto& [name, kept] : sets_) {
    if (kept.save_path.empty() || kept.broken) continue;
    const core::Status written = core::write_file_atomic(kept.save_path, kept.set->text());
    if (!written && status) status = written;
  }
  return status;
}

std::vector<std::string> DatasetStore::save_directories() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [name, kept] : sets_) {
    if (!kept.save_path.empty()) out.push_back(fs::path(kept.save_path).parent_path().string());
  }
  return out;
}

}  // namespace gatehouse::ids
