#include "core/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace gatehouse::core {

namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = spdlog::stderr_color_mt("gatehouse");
    made->set_pattern("gatehouse: %^%l%$: %v");
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *instance;
}

}  // namespace

void log_init(std::string_view program, LogLevel lowest) {
  // A person at a terminal knows the time; a log file does not.
  const std::string time = isatty(STDERR_FILENO) != 0 ? "" : "%Y-%m-%dT%H:%M:%S.%e ";
  logger().set_pattern(time + std::string(program) + ": %^%l%$: %v");
  logger().set_level(to_spdlog(lowest));
}

void log_text(LogLevel level, std::string_view text) {
  logger().log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace gatehouse::core
