#include "ids/engine/anomaly_state.h"

#include <unistd.h>

#include "core/log.h"
#include "core/os.h"

namespace gatehouse::ids::engine {
namespace {

// The seed lets people aim at one bucket: the file is for nobody else.
constexpr mode_t kMode = 0600;

// More than all tables: each block of them and its number.
std::size_t size_limit(const anomaly::AnomalyConfig& settings) {
  return settings.memory_bytes + settings.memory_bytes / 8 + (1U << 20U);
}

}  // namespace

void adopt_state_seed(Settings& settings) {
  const std::string& path = settings.anomaly.state_path;
  if (path.empty() || settings.anomaly.hash_seed != 0 || ::access(path.c_str(), F_OK) != 0) return;
  const auto content = core::read_file(path, size_limit(settings.anomaly));
  if (!content) return;
  std::string_view body;
  if (const auto head = anomaly::read_state_head(*content, body)) settings.anomaly.hash_seed = head->seed;
}

void StateKeeper::open(anomaly::Monitor& monitor) const {
  if (!on() || ::access(settings_.state_path.c_str(), F_OK) != 0) return;
  auto content = core::read_file(settings_.state_path, size_limit(settings_));
  const core::Status status =
      content ? monitor.restore(std::move(*content)) : tl::make_unexpected(content.error());
  if (!status)
    core::log_error("anomaly.state: {} is not used, the detectors learn anew: {}", settings_.state_path,
                    status.error().to_string());
}

void StateKeeper::keep(anomaly::Monitor& monitor, std::int64_t now_us, bool now) {
  if (!keeps()) return;
  if (kept_us_ == 0) kept_us_ = now_us;
  if (!now && now_us - kept_us_ < settings_.state_interval_us) return;
  kept_us_ = now_us;
  write(monitor.save());
}

void StateKeeper::close(anomaly::Monitor& monitor, std::int64_t now_us) const {
  if (keeps()) return write(monitor.suspend(now_us));
  monitor.finish(now_us);
}

void StateKeeper::write(const std::string& content) const {
  if (content.empty()) return;
  if (const core::Status status = core::write_file_atomic(settings_.state_path, content, kMode); !status)
    core::log_error("anomaly.state: {}", status.error().to_string());
}

}  // namespace gatehouse::ids::engine
