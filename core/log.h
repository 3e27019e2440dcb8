// The talk on standard error. Results go to standard output, never through here.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace gatehouse::core {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

// Sets the program name shown in front of every line and the lowest level shown.
void log_init(std::string_view program, LogLevel lowest);
void log_text(LogLevel level, std::string_view text);

template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_text(LogLevel::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_text(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_text(LogLevel::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_text(LogLevel::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace gatehouse::core
