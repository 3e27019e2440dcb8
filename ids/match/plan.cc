#include "ids/match/plan.h"

#include <algorithm>
#include <set>

namespace gatehouse::ids {
namespace {

// Below this, a literal is so frequent that it would slow down the scan for all others.
constexpr std::size_t kShortLiteral = 4;

std::string folded(std::string_view bytes) {
  std::string out(bytes);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

}  // namespace

PacketKind kind_of(const Packet& packet) {
  if (packet.is_tcp()) return PacketKind::tcp;
  if (packet.is_udp()) return PacketKind::udp;
  if (packet.is_icmp()) return PacketKind::icmp;
  return PacketKind::other;
}

void PortGroups::build() {
  std::set<std::uint32_t> cuts = {0};
  for (const Entry& entry : entries_) {
    if (entry.ports.any) continue;
    for (const PortSet::Range& r : entry.ports.ranges) {
      cuts.insert(r.first);
      cuts.insert(r.last + 1U);
    }
  }
  for (const std::uint32_t cut : cuts) {
    if (cut > 65535) continue;
    const auto port = static_cast<std::uint16_t>(cut);
    std::vector<PlanId> list;
    for (const Entry& entry : entries_) {
      if (entry.ports.contains(port)) list.push_back(entry.plan);
    }
    starts_.push_back(port);
    lists_.push_back(std::move(list));
  }
}

std::span<const PlanId> PortGroups::at(std::uint16_t port) const {
  if (entries_.empty()) return {};
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), port);
  return lists_[static_cast<std::size_t>(next - starts_.begin() - 1)];
}

void Prefilter::add(std::string_view bytes, bool nocase, PlanId plan) {
  Half& half = bytes.size() < kShortLiteral ? short_ : long_;
  auto& rules = half.building[{nocase ? folded(bytes) : std::string(bytes), nocase}];
  if (rules.empty() || rules.back() != plan) rules.push_back(plan);
  longest_ = std::max(longest_, bytes.size());
}

core::Status Prefilter::build_half(Half& half, const std::string& cache_dir, EngineSummary& summary) const {
  if (half.building.empty()) return {};
  std::vector<Literal> literals;
  for (auto& [key, rules] : half.building) {
    literals.push_back({key.first, key.second});
    half.rules.push_back(std::move(rules));
  }
  half.building.clear();
  GH_TRY(half.set, LiteralSet::build(literals, cache_dir));
  ++summary.databases;
  summary.literals += literals.size();
  summary.database_bytes += half.set->bytes();
  return {};
}

core::Status Prefilter::build(const std::string& cache_dir, EngineSummary& summary) {
  GH_CHECK(build_half(long_, cache_dir, summary));
  return build_half(short_, cache_dir, summary);
}

core::Status Prefilter::prepare(ScanScratch& scratch) const {
  for (const Half* half : {&long_, &short_}) {
    if (half->set) GH_CHECK(half->set->prepare(scratch));
  }
  return {};
}

}  // namespace gatehouse::ids
