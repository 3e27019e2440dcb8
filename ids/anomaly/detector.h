// The contract of a scan or flood detector: one .cc file exports one AnomalyDescriptor, registered by
// gatehouse_add_detector(NAME): row NAME means `extern const AnomalyDescriptor detector_NAME`.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "ids/anomaly/attack_log.h"
#include "ids/anomaly/config.h"
#include "ids/anomaly/contact_tracker.h"
#include "ids/anomaly/roles.h"
#include "ids/anomaly/successes.h"
#include "ids/anomaly/victims.h"
#include "ids/anomaly/view.h"

namespace gatehouse::ids::anomaly {

// What all detectors share.
struct Context {
  const AnomalyConfig& config;
  const TableSizes& sizes;
  const KeyedHash& hash;
  AttackLog& log;
  Successes& successes;
  Roles& roles;
  const Symmetry& symmetry;
  VictimTable& victims;
  VictimTable& prefixes;
  const std::int64_t& flows_since_us;  // connections that began before are not known
};

inline constexpr std::int64_t kNoticeUs = 400'000;

// A detector overrides what its descriptor subscribes to.
class AnomalyDetector {
 public:
  virtual ~AnomalyDetector() = default;
  virtual void on_contact(const Sighting&) {}
  // An on_contact() with it comes soon; of those that looks_ahead_of() names.
  virtual void foresee(const Sighting&) const {}
  virtual std::uint64_t looks_ahead_of() const { return 0; }
  // Does it override expect()?
  virtual bool looks_ahead() const { return false; }
  virtual void on_outcome(const Outcome&) {}
  // An outcome of these may come soon (hashes of the addresses).
  virtual void expect(std::uint64_t /*client_key*/, std::uint64_t /*server_key*/) const {}
  // A tally of `victim` grew to something worth a look; at most once in 10 ms.
  virtual void on_victim(Victim&, std::int64_t /*now_us*/) {}
  virtual void on_prefix(Victim&, std::int64_t /*now_us*/) {}
  // What it keeps of its own.
  virtual void archive(StateArchive&) {}
  // Time has come to `now_us`; every 50 ms of packet time.
  virtual void on_tick(std::int64_t /*now_us*/) {}
  // A tick before this would do nothing, and may be left out. What is told later must not be due within
  // kNoticeUs of it.
  virtual std::int64_t due_us() { return 0; }
  // Whom it suspects, for people who look.
  virtual void describe(MonitorView&) const {}
};

constexpr std::uint32_t result_bit(Result result) {
  return std::uint32_t{1} << static_cast<unsigned>(result);
}

constexpr std::uint64_t contact_bit(Contact contact) {
  return std::uint64_t{1} << static_cast<unsigned>(contact);
}

struct AnomalyDescriptor {
  std::string_view name;
  std::string_view summary;
  std::uint64_t contacts = 0;  // contact_bit of each that on_contact wants
  std::uint32_t outcomes = 0;  // result_bit of each that on_outcome wants
  bool victims = false, prefixes = false, ticks = false;
  // Null when the configuration switches it off.
  std::unique_ptr<AnomalyDetector> (*make)(const Context& context) = nullptr;
};

std::span<const AnomalyDescriptor* const> detector_table();

}  // namespace gatehouse::ids::anomaly
