#include "ids/match/preselection.h"

#include <algorithm>

namespace gatehouse::ids {
namespace {

// Below this, a literal is so frequent that it would slow down the scan for all
// others.
constexpr std::size_t kShortLiteral = 4;
// What ends here is "near the beginning": a few cache lines.
constexpr std::uint32_t kNearReach = 256;

std::string folded(std::string_view bytes) {
  std::string out(bytes);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

}  // namespace

void Prefilter::add(std::string_view bytes, bool nocase, std::uint32_t reach, PlanId plan) {
  Kind kind = bytes.size() < kShortLiteral ? kShort : kLong;
  if (big_ && reach <= kNearReach) kind = kBegin;
  Section& section = sections_[kind];
  auto& rules = section.building[{nocase ? folded(bytes) : std::string(bytes), nocase}];
  if (rules.empty() || rules.back() != plan) rules.push_back(plan);
  section.longest = std::max(section.longest, bytes.size());
  section.reach = std::max(section.reach, reach);
}

void Prefilter::take(Prefilter& other) {
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    Section& to = sections_[kind];
    Section& from = other.sections_[kind];
    for (auto& [key, plans] : from.building) {
      auto& rules = to.building[key];
      rules.insert(rules.end(), plans.begin(), plans.end());
    }
    to.longest = std::max(to.longest, from.longest);
    to.reach = std::max(to.reach, from.reach);
    from = {};
  }
}

bool Prefilter::empty() const {
  return std::none_of(sections_.begin(), sections_.end(),
                      [](const Section& s) { return s.set || !s.building.empty(); });
}

core::Status Prefilter::build_section(Section& section, const std::string& cache_dir,
                                      EngineSummary& summary) {
  if (section.building.empty()) return {};
  std::vector<Literal> literals;
  for (auto& [key, rules] : section.building) {
    literals.push_back({key.first, key.second});
    section.rules.push_back(std::move(rules));
  }
  section.building.clear();
  GH_TRY(section.set, LiteralSet::build(literals, cache_dir));
  ++summary.databases;
  summary.literals += literals.size();
  summary.database_bytes += section.set->bytes();
  return {};
}

core::Status Prefilter::build(const std::string& cache_dir, const std::string& name, EngineSummary& summary,
                              std::vector<std::string>& set_names) {
  static constexpr std::array<std::string_view, kKinds> kKindNames = {" (beginning)", "", " (short)"};
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    Section& section = sections_[kind];
    if (section.building.empty()) continue;
    section.number = set_names.size();
    set_names.push_back(name + std::string(kKindNames[kind]));
    GH_CHECK(build_section(section, cache_dir, summary));
  }
  return {};
}

core::Status Prefilter::prepare(ScanScratch& scratch) const {
  for (const Section& section : sections_) {
    if (section.set) GH_CHECK(section.set->prepare(scratch));
  }
  return {};
}

ByteView Prefilter::Section::part(const ScanView& view) const {
  if (view.old >= view.data.size()) return {};
  // A literal that begins in old data can end in new data.
  const std::size_t first = view.old - std::min(view.old, longest - 1);
  std::size_t last = view.data.size();
  if (reach != kNoReach) last = std::min<std::size_t>(last, reach + (view.chunk ? view.old : 0));
  return first < last ? view.data.subspan(first, last - first) : ByteView{};
}

}  // namespace gatehouse::ids
