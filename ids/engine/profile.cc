#include "ids/engine/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "core/json.h"

namespace gatehouse::ids::engine {
namespace {

ProfileRow row_of(const CostSamples& samples) {
  ProfileRow row;
  row.count = samples.count * CostSampler::kEvery;
  row.hits = samples.hits * CostSampler::kEvery;
  row.bytes = samples.bytes * CostSampler::kEvery;
  row.nanoseconds = samples.nanoseconds * CostSampler::kEvery;
  return row;
}

auto key_of(const ProfileRow& row) {
  return std::tie(row.gid, row.sid, row.name);
}

// Rows of the same rule or set, from different workers, become one.
void merge(std::vector<ProfileRow>& rows) {
  std::sort(rows.begin(), rows.end(),
            [](const ProfileRow& a, const ProfileRow& b) { return key_of(a) < key_of(b); });
  std::vector<ProfileRow> merged;
  for (ProfileRow& row : rows) {
    if (merged.empty() || key_of(merged.back()) != key_of(row)) {
      merged.push_back(std::move(row));
      continue;
    }
    ProfileRow& same = merged.back();
    same.count += row.count;
    same.hits += row.hits;
    same.bytes += row.bytes;
    same.nanoseconds += row.nanoseconds;
  }
  rows = std::move(merged);
}

std::uint64_t total(const std::vector<ProfileRow>& rows) {
  std::uint64_t sum = 0;
  for (const ProfileRow& row : rows) sum += row.nanoseconds;
  return sum;
}

double share(const ProfileRow& row, std::uint64_t of) {
  return of == 0 ? 0 : 100.0 * static_cast<double>(row.nanoseconds) / static_cast<double>(of);
}

std::uint64_t each(const ProfileRow& row) {
  return row.count == 0 ? 0 : row.nanoseconds / row.count;
}

void write_rows(core::JsonWriter& json, std::string_view name, const std::vector<ProfileRow>& rows,
                bool of_rules) {
  json.key(name).begin_array();
  for (const ProfileRow& row : rows) {
    json.begin_object();
    if (of_rules) json.field("gid", row.gid).field("signature_id", row.sid);
    json.field(of_rules ? "signature" : "name", row.name);
    json.field(of_rules ? "checks" : "scans", row.count);
    json.field(of_rules ? "matches" : "candidates", row.hits);
    if (!of_rules) json.field("bytes", row.bytes);
    json.field("nanoseconds", row.nanoseconds).end_object();
  }
  json.end_array();
}

}  // namespace

void Profile::add(const DetectorCosts& costs) {
  for (const DetectorCosts::OfRule& one : costs.rules) {
    ProfileRow row = row_of(one.samples);
    row.gid = one.rule->meta.gid;
    row.sid = one.rule->meta.sid;
    row.name = one.rule->meta.message;
    rules.push_back(std::move(row));
  }
  for (const DetectorCosts::OfSet& one : costs.sets) {
    ProfileRow row = row_of(one.samples);
    row.name = one.name;
    sets.push_back(std::move(row));
  }
}

void Profile::rank() {
  for (std::vector<ProfileRow>* rows : {&rules, &sets}) {
    merge(*rows);
    std::stable_sort(rows->begin(), rows->end(),
                     [](const ProfileRow& a, const ProfileRow& b) { return a.nanoseconds > b.nanoseconds; });
  }
}

std::string profile_text(const Profile& profile, std::size_t most) {
  const std::uint64_t all = total(profile.rules) + total(profile.sets);
  std::string out = fmt::format("cost of rules, one evaluation in {} timed\n", CostSampler::kEvery);
  out += fmt::format("{:>7}  {:>10}  {:>10}  {:>8}  {:>10}  {}\n", "share", "checks", "matches", "ns each", "sid",
                     "message");
  for (std::size_t i = 0; i < std::min(most, profile.rules.size()); ++i) {
    const ProfileRow& row = profile.rules[i];
    out += fmt::format("{:>6.2f}%  {:>10}  {:>10}  {:>8}  {:>10}  {}\n", share(row, all), row.count, row.hits,
                       each(row), row.sid, row.name);
  }
  out += fmt::format("\ncost of literal sets, one scan in {} timed\n", CostSampler::kEvery);
  out += fmt::format("{:>7}  {:>10}  {:>10}  {:>8}  {:>12}  {}\n", "share", "scans", "candidates", "ns each",
                     "bytes", "set");
  for (std::size_t i = 0; i < std::min(most, profile.sets.size()); ++i) {
    const ProfileRow& row = profile.sets[i];
    out += fmt::format("{:>6.2f}%  {:>10}  {:>10}  {:>8}  {:>12}  {}\n", share(row, all), row.count, row.hits,
                       each(row), row.bytes, row.name);
  }
  return out;
}

std::string profile_json(const Profile& profile) {
  std::string out;
  core::JsonWriter json(out);
  json.begin_object().field("sample_every", CostSampler::kEvery);
  write_rows(json, "rules", profile.rules, true);
  write_rows(json, "literal_sets", profile.sets, false);
  json.end_object();
  return out;
}

}  // namespace gatehouse::ids::engine
