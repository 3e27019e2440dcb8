// Attacks under way in the state file.
#include <algorithm>
#include <mutex>
#include <set>

#include "ids/anomaly/attack_log.h"

namespace gatehouse::ids::anomaly {
namespace {

// Names of figures live forever; those of a file are few and short.
std::string_view lasting_name(const std::string& name) {
  constexpr std::size_t kMostNames = 256;
  static std::mutex mutex;
  static std::set<std::string, std::less<>> names;
  const std::lock_guard lock(mutex);
  if (names.size() >= kMostNames && !names.contains(name)) return "evidence";
  return *names.insert(name).first;
}

bool is_name(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

template <class T>
auto at_most(T limit) {
  return [limit](const T& value) { return value <= limit; };
}

}  // namespace

void AttackLog::archive(StateArchive& a, Attack& attack) const {
  constexpr std::size_t kLongestName = 40;
  Finding& f = attack.finding;
  a.value(f.verdict, [](Verdict v) { return v < Verdict::count_; });
  for (std::int64_t* time :
       {&f.time_us, &f.first_us, &f.window_us, &attack.reported_us, &attack.last_us, &attack.took_us})
    a.value(*time, sound_time);
  a.value(f.source);
  a.value(f.target);
  a.value(f.target_port);
  a.value(f.protocol);
  a.value(f.source_bits, at_most<std::uint8_t>(128));
  a.value(f.target_bits, at_most<std::uint8_t>(128));
  a.value(f.sources);
  a.value(f.targets);
  a.value(f.source_count, at_most(f.sources.size()));
  a.value(f.target_count, at_most(f.targets.size()));
  a.value(f.sources_total);
  a.value(f.targets_total);
  const std::size_t figures = a.value(f.figure_count, at_most(f.figures.size()));
  for (std::size_t i = 0; i < figures && !a.failed(); ++i) {
    std::string name(f.figures[i].first);
    a.text(name, kLongestName);
    if (!is_name(name)) return a.refuse("a figure has no name");
    if (a.restoring()) f.figures[i].first = lasting_name(name);
    a.value(f.figures[i].second);
  }
  const std::size_t limits = a.value(f.limit_count, at_most(f.limits.size()));
  for (std::size_t i = 0; i < limits && !a.failed(); ++i) {
    std::string name(f.limits[i].first);
    a.text(name, kLongestName);
    if (!is_name(name)) return a.refuse("a limit has no name");
    if (a.restoring()) f.limits[i].first = lasting_name(name);
    a.value(f.limits[i].second);
  }
  a.value(f.confidence, [](double c) { return c >= 0 && c <= 1; });
  for (std::uint64_t* n : {&attack.id, &attack.reported_amount, &attack.known_amount, &attack.amount})
    a.value(*n);
  a.value(attack.updates);
}

void AttackLog::archive(StateArchive& a) {
  std::uint64_t count = attacks_.size();
  count = a.value(count, at_most<std::uint64_t>(kMost));
  if (a.saving()) {
    for (auto& [subject, attack] : attacks_) {
      std::uint64_t key = subject;
      a.value(key);
      archive(a, *attack);
      std::uint8_t told = sink_.told(attack->id) ? 1 : 0;
      a.value(told);
    }
  } else {
    for (std::uint64_t i = 0; i < count && !a.failed(); ++i) {
      // Filled in either mode; kept only when the file is restored.
      std::uint64_t subject = 0;
      auto attack = std::make_unique<Attack>();
      subject = a.value(subject);
      archive(a, *attack);
      std::uint8_t told = 0;
      told = a.value(told);
      if (!a.restoring() || a.failed()) continue;
      if (told != 0) sink_.was_told(attack->id);
      const bool flood = is_flood(attack->finding.verdict);
      ends_us_ = 0;  // looked at with the next tick
      if (attacks_.emplace(subject, std::move(attack)).second && flood) ++floods_;
    }
  }
  a.value(next_id_);
  a.value(reported_);
}

}  // namespace gatehouse::ids::anomaly
