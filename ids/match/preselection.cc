#include "ids/match/preselection.h"

#include <algorithm>
#include <utility>

namespace gatehouse::ids {
namespace {

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

PortBox::PortBox(const Rule& rule) {
  // Such rules look at packets of the other direction, too.
  if (rule.bidirectional || rule.transactional || rule.any_packet) return;
  const auto bound = [](const PortSet& set, std::uint16_t& first, std::uint16_t& last) {
    if (set.any || set.ranges.empty()) return;
    first = set.ranges.front().first;
    last = set.ranges.front().last;
    for (const PortSet::Range& range : set.ranges) {
      first = std::min(first, range.first);
      last = std::max(last, range.last);
    }
  };
  bound(rule.source_port, source_first, source_last);
  bound(rule.destination_port, destination_first, destination_last);
}

void Prefilter::add(std::string_view bytes, bool nocase, std::uint32_t reach, Preselected rule) {
  if (reach < Preselected::kAnyReach) rule.reach = static_cast<std::uint16_t>(reach);
  const Kind kind = big_ && reach <= kNearReach ? kBegin : kAll;
  Section& section = sections_[kind];
  auto& rules = section.building[{nocase ? folded(bytes) : std::string(bytes), nocase}];
  if (rules.empty() || rules.back().plan != rule.plan) rules.push_back(rule);
  section.longest = std::max(section.longest, bytes.size());
  section.reach = std::max(section.reach, reach);
}

void Prefilter::take(Prefilter& other) {
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    Section& to = sections_[kind];
    Section from = std::exchange(other.sections_[kind], {});
    for (auto& [key, plans] : from.building) {
      auto& rules = to.building[key];
      rules.insert(rules.end(), plans.begin(), plans.end());
    }
    to.longest = std::max(to.longest, from.longest);
    to.reach = std::max(to.reach, from.reach);
  }
}

bool Prefilter::empty() const {
  return std::none_of(sections_.begin(), sections_.end(),
                      [](const Section& s) { return s.set || !s.building.empty(); });
}

std::string_view Prefilter::kind_name(std::size_t kind) {
  static constexpr std::array<std::string_view, kKinds> kNames = {" (beginning)", ""};
  return kNames[kind];
}

void Prefilter::build_section(Section& section, EngineSummary& summary) {
  if (section.building.empty()) return;
  std::vector<Literal> literals;
  for (auto& [key, rules] : section.building) {
    literals.push_back({key.first, key.second});
    section.first.push_back(static_cast<std::uint32_t>(section.rules.size()));
    section.rules.insert(section.rules.end(), rules.begin(), rules.end());
  }
  section.first.push_back(static_cast<std::uint32_t>(section.rules.size()));
  section.building.clear();
  section.set = std::make_unique<const LiteralSet>(literals);
  ++summary.literal_sets;
  summary.literals += literals.size();
  summary.literal_bytes += section.set->memory_bytes();
}

void Prefilter::build(EngineSummary& summary) {
  for (Section& section : sections_) build_section(section, summary);
}

void Prefilter::prepare(ScanScratch& scratch) const {
  for (const Section& section : sections_) {
    if (section.set) scratch.literals.reserve(section.set->size());
  }
}

ByteView Prefilter::Section::part(const ScanView& view) const {
  if (view.old >= view.data.size()) return {};
  // A literal that begins in old data can end in new data.
  const std::size_t begin = view.old - std::min(view.old, longest - 1);
  std::size_t end = view.data.size();
  if (reach != kNoReach && !view.joined)
    end = std::min<std::size_t>(end, reach + (view.chunk ? view.old : 0));
  return begin < end ? view.data.subspan(begin, end - begin) : ByteView{};
}

}  // namespace gatehouse::ids
