#include "soc/spool/cursor.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/bytes.h"
#include "core/log.h"
#include "core/os.h"

namespace gatehouse::soc {

namespace {

constexpr std::string_view kHeading = "gatehouse-cursor 1";
constexpr std::size_t kMostCursorBytes = 4096;

std::uint32_t checksum(std::string_view text) {
  return static_cast<std::uint32_t>(::crc32_z(0, core::as_bytes(text).data(), text.size()));
}

// In the order of the file.
std::array<std::uint64_t*, 8> fields(Position& p) {
  return {&p.segment, &p.offset, &p.last.instance, &p.last.sequence,
          &p.events,  &p.lost,   &p.dropped,       &p.damages};
}

}  // namespace

std::string cursor_text(const Position& position) {
  Position copy = position;
  std::string out(kHeading);
  for (const std::uint64_t* field : fields(copy)) out += fmt::format(" {:x}", *field);
  out += fmt::format(" {:08x}\n", checksum(out));
  return out;
}

std::optional<Position> parse_cursor(std::string_view text) {
  if (text.substr(0, kHeading.size()) != kHeading || text.empty() || text.back() != '\n') return std::nullopt;
  text.remove_suffix(1);
  const std::size_t last_space = text.rfind(' ');
  const auto number = [](std::string_view word, std::uint64_t& value) {
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, 16);
    return error == std::errc{} && end == word.data() + word.size();
  };
  std::uint64_t sum = 0;
  if (!number(text.substr(last_space + 1), sum) || sum != checksum(text.substr(0, last_space)))
    return std::nullopt;
  std::string_view rest = text.substr(kHeading.size(), last_space - kHeading.size());
  Position position;
  for (std::uint64_t* field : fields(position)) {
    if (rest.empty() || rest.front() != ' ') return std::nullopt;
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (!number(rest.substr(0, end), *field)) return std::nullopt;
    rest.remove_prefix(end);
  }
  return rest.empty() ? std::optional(position) : std::nullopt;
}

core::Status save_cursor(const std::string& path, const Position& position) {
  return core::write_file_atomic(path, cursor_text(position), 0640);
}

Position load_cursor(const std::string& path) {
  const auto text = core::read_file(path, kMostCursorBytes);
  if (!text) {
    if (text.error().code != core::Errc::not_found) core::log_warning("{}", text.error().to_string());
    return {};
  }
  const auto position = parse_cursor(*text);
  if (!position) core::log_warning("{} is damaged: delivering from the start of the stream again", path);
  return position.value_or(Position{});
}

std::string cursor_path(const std::string& state, std::string_view sink, std::string_view stream) {
  return fmt::format("{}/{}/{}.cursor", state, sink, stream);
}

}  // namespace gatehouse::soc
