#include "ids/match/preselection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "ids/match/literal_choice.h"

namespace gatehouse::ids {
namespace {

std::string folded(std::string_view bytes) {
  std::string out(bytes);
  for (char& c : out) c = lower_letter(c);
  return out;
}

std::string members(const ByteClass& bytes) {
  std::string out;
  for (std::size_t byte = 0; byte < bytes.size(); ++byte) {
    if (bytes[byte]) out += static_cast<char>(byte);
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

void Prefilter::add(const ChosenLiteral& literal, Preselected rule) {
  if (literal.reach < Preselected::kAnyReach) rule.reach = static_cast<std::uint16_t>(literal.reach);
  Key key{literal.nocase ? folded(literal.bytes) : std::string(literal.bytes),
          literal.nocase,
          scope_ == Scope::joined ? std::nullopt : literal.place,
          {}};
  for (const ByteClass& bytes : literal.then) key.then.push_back(members(bytes));
  auto& rules = literals_[std::move(key)];
  if (rules.empty() || rules.back().plan != rule.plan || rules.back().role != rule.role)
    rules.push_back(rule);
}

void Prefilter::add_gated(const ChosenLiteral& literal, const ChosenLiteral& gate, Preselected rule) {
  rule.role = Preselected::Role::gated;
  add(literal, rule);
  rule.role = Preselected::Role::gate;
  add(gate, rule);
}

void Prefilter::add_short(const ChosenLiteral& literal, std::size_t most_bytes, Preselected rule) {
  rule.role = Preselected::Role::gated;
  add(literal, rule);
  gated_below_ = std::max(gated_below_, most_bytes);
}

void Prefilter::take(Prefilter& other) {
  for (auto& [key, plans] : std::exchange(other.literals_, {})) {
    auto& rules = literals_[key];
    rules.insert(rules.end(), plans.begin(), plans.end());
  }
}

void Prefilter::add_for_ports(const ChosenLiteral& literal, const PortSet& ports, bool of_source,
                              Preselected rule) {
  rule.role = Preselected::Role::gated;
  add(literal, rule);
  if (gate_ports_ == nullptr) gate_ports_ = std::make_unique<GatePorts>();
  for (const PortSet::Range& range : ports.ranges) {
    for (std::uint32_t port = range.first; port <= range.last; ++port)
      (of_source ? gate_ports_->source : gate_ports_->destination).set(port);
  }
}

bool Prefilter::empty() const {
  return literals_.empty() && anchored_.rules.empty() && near_.rules.empty() && free_.rules.empty() &&
         gated_.rules.empty();
}

std::string_view Prefilter::kind_name(std::size_t kind) {
  static constexpr std::array<std::string_view, kKinds> kNames = {" (one place)", " (beginning)", "",
                                                                  " (fitting beginning or size)"};
  return kNames[kind];
}

void Prefilter::Section::add(std::span<const Preselected> of_literal) {
  if (first.empty()) first.push_back(0);
  rules.insert(rules.end(), of_literal.begin(), of_literal.end());
  first.push_back(static_cast<std::uint32_t>(rules.size()));
}

void Prefilter::FreeSection::add(const Literal& literal, std::span<const Preselected> of_literal) {
  if (of_literal.empty()) return;
  literals.push_back(literal);
  Section::add(of_literal);
  longest = std::max(longest, literal.size());
  for (const Preselected& rule : of_literal)
    reach = std::max(reach, rule.reach == Preselected::kAnyReach ? kNoReach : std::uint32_t{rule.reach});
}

// Each place costs a look of its own, so it pays for the few that many literals count in.
std::set<std::uint32_t> Prefilter::busiest_places() const {
  constexpr std::size_t kMostPlaces = 64;
  std::map<std::uint32_t, std::size_t> counts;
  for (const auto& [key, rules] : literals_) {
    if (key.place) ++counts[*key.place];
  }
  std::vector<std::pair<std::size_t, std::uint32_t>> ranked;
  for (const auto& [place, count] : counts) ranked.emplace_back(count, place);
  std::sort(ranked.rbegin(), ranked.rend());
  ranked.resize(std::min(ranked.size(), kMostPlaces));
  std::set<std::uint32_t> busiest;
  for (const auto& [count, place] : ranked) busiest.insert(place);
  return busiest;
}

void Prefilter::build(EngineSummary& summary) {
  const std::set<std::uint32_t> places = busiest_places();
  std::vector<AnchoredLiteral> anchored;
  for (auto& [key, rules] : literals_) {
    Literal literal{key.bytes, key.nocase};
    for (const std::string& bytes : key.then) {
      ByteClass& members = literal.then.emplace_back();
      for (const char c : bytes) members.set(static_cast<std::uint8_t>(c));
    }
    if (key.place && places.count(*key.place) != 0) {
      anchored.push_back({std::move(literal), *key.place});
      anchored_.add(rules);
      continue;
    }
    const auto far = std::stable_partition(rules.begin(), rules.end(), [&](const Preselected& rule) {
      return scope_ == Scope::big && rule.reach <= kNearReach;
    });
    const auto gated = std::stable_partition(
        far, rules.end(), [](const Preselected& rule) { return rule.role != Preselected::Role::gated; });
    near_.add(literal, {rules.begin(), far});
    free_.add(literal, {far, gated});
    gated_.add(literal, {gated, rules.end()});
  }
  literals_.clear();
  const auto count = [&](const auto& set) {
    ++summary.literal_sets;
    summary.literals += set.size();
    summary.literal_bytes += set.memory_bytes();
  };
  if (!anchored.empty()) {
    anchored_set_ = std::make_unique<const AnchoredSet>(anchored);
    count(*anchored_set_);
  }
  for (FreeSection* section : {&near_, &free_, &gated_}) {
    if (section->literals.empty()) continue;
    section->set = std::make_unique<const LiteralSet>(std::exchange(section->literals, {}));
    count(*section->set);
  }
}

void Prefilter::prepare(ScanScratch& scratch) const {
  for (const FreeSection* section : {&near_, &free_, &gated_}) {
    if (section->set) scratch.literals.reserve(section->set->size());
  }
}

void Prefilter::find_anchored(const ScanView& view, LiteralSink& sink) const {
  const auto old = static_cast<std::int64_t>(view.old);
  if (view.chunk) anchored_set_->find(view.data, old, sink);
  // From the very beginning: once, and again while what is new can complete it.
  if (view.base >= anchored_set_->reach() || (view.chunk && view.base == 0 && view.old == 0)) return;
  const auto before = static_cast<std::int64_t>(view.base);
  if (before + old < static_cast<std::int64_t>(anchored_set_->reach()))
    anchored_set_->find(view.data, -before, sink);
}

ByteView Prefilter::FreeSection::part(const ScanView& view) const {
  if (!is_new(view)) return {};
  // A literal that begins in old data can end in new data.
  const std::size_t begin = view.old - std::min(view.old, longest - 1);
  std::size_t end = view.data.size();
  if (reach != kNoReach && !view.joined)
    end = std::min<std::size_t>(end, reach + (view.chunk ? view.old : 0));
  return begin < end ? view.data.subspan(begin, end - begin) : ByteView{};
}

}  // namespace gatehouse::ids
