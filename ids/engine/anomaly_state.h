// The file in which the detectors keep what they know from one run to the next: `anomaly.state`.
#pragma once

#include <string>

#include "ids/anomaly/monitor.h"
#include "ids/engine/settings.h"

namespace gatehouse::ids::engine {

// The seed of the hashes must be that of the file before anything hashes; a file that cannot be used is left
// for StateKeeper::open to complain of.
void adopt_state_seed(Settings& settings);

class StateKeeper {
 public:
  // `settings` must outlive it.
  explicit StateKeeper(const Settings& settings) : settings_(settings.anomaly) {}

  // A damaged file is told and the detectors learn anew; so they do when there is none.
  void open(anomaly::Monitor& monitor) const;
  // While packets come, whenever the interval has passed; `now`: or at once.
  void keep(anomaly::Monitor& monitor, std::int64_t now_us, bool now = false);
  // With a file attacks under way go on in the next run; without one they end.
  void close(anomaly::Monitor& monitor, std::int64_t now_us) const;

 private:
  bool on() const { return !settings_.state_path.empty(); }
  bool keeps() const { return on() && settings_.state_kept; }
  void write(const std::string& content) const;

  const anomaly::AnomalyConfig& settings_;
  std::int64_t kept_us_ = 0;
};

}  // namespace gatehouse::ids::engine
