#include "ids/engine/lists.h"

#include <filesystem>

#include "core/os.h"

namespace gatehouse::ids::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestList = 512U << 20U;

core::Result<core::SourceText> read(const std::string& path) {
  GH_TRY(std::string text, core::read_file(path, kLargestList));
  return core::SourceText(path, std::move(text));
}

std::string reputation_path(const ListSettings& lists, const std::string& file) {
  return (fs::path(lists.reputation_directory) / file).string();
}

core::Status load_reputation(const ListSettings& lists, RuleResources& resources,
                             core::Diagnostics& diagnostics) {
  if (lists.reputation_categories.empty()) {
    if (lists.reputation_files.empty()) return {};
    return core::fail(core::Errc::invalid_input, "reputation-files need a reputation-categories-file");
  }
  auto reputation = std::make_shared<Reputation>();
  GH_TRY(const core::SourceText categories, read(lists.reputation_categories));
  if (!reputation->read_categories(categories, diagnostics))
    return core::fail(core::Errc::invalid_input, categories.name() + " is no file of reputation categories");
  for (const std::string& file : lists.reputation_files) {
    GH_TRY(const core::SourceText scores, read(reputation_path(lists, file)));
    if (!reputation->read_scores(scores, diagnostics))
      return core::fail(core::Errc::invalid_input, scores.name() + " is no reputation file");
  }
  reputation->build();
  resources.reputation = std::move(reputation);
  return {};
}

}  // namespace

core::Status load_lists(const Settings& settings, core::Diagnostics& diagnostics) {
  if (settings.environment.resources == nullptr) return {};
  RuleResources& resources = *settings.environment.resources;
  const ListSettings& lists = settings.lists;
  GH_CHECK(load_reputation(lists, resources, diagnostics));
  if (!lists.geoip_database.empty()) {
    GH_TRY(resources.geo, GeoDatabase::open(lists.geoip_database));
  }
  resources.datasets.begin_load();
  for (const DatasetSpec& spec : lists.datasets) {
    const auto set = resources.datasets.open(spec, diagnostics);
    if (!set) return core::fail(core::Errc::invalid_input, "datasets." + spec.name + ": " + set.error().text);
  }
  return {};
}

std::vector<std::string> list_directories(const Settings& settings) {
  const ListSettings& lists = settings.lists;
  std::vector<std::string> files = {lists.reputation_categories, lists.geoip_database};
  for (const std::string& file : lists.reputation_files) files.push_back(reputation_path(lists, file));
  for (const DatasetSpec& spec : lists.datasets) files.push_back(spec.load);
  std::vector<std::string> out;
  for (const std::string& file : files) {
    if (!file.empty()) out.push_back(fs::absolute(file).parent_path().string());
  }
  return out;
}

}  // namespace gatehouse::ids::engine
