#include "site/drill/events.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>

#include "core/ip.h"
#include "core/os.h"

namespace gatehouse::drill {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxLineBytes = 1U << 20U;

std::string text_of(const Json& object, const char* key) {
  auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const Json& object_of(const Json& object, const char* key) {
  static const Json empty = Json::object();
  auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : empty;
}

// The first string of an array of strings.
std::string first_text(const Json& object, const char* key) {
  auto found = object.find(key);
  const bool usable =
      found != object.end() && found->is_array() && !found->empty() && found->front().is_string();
  return usable ? found->front().get<std::string>() : std::string();
}

// EVE writes IPv6 addresses with every zero; we compare them in their short form.
std::string canonical(const std::string& text) {
  const auto address = core::IpAddress::parse(text);
  return address ? address->to_string() : text;
}

// Attacks are judged by alerts and anomalies alone. A scan leaves a flow record for each port, which
// would cost more to parse than the attack took.
bool may_be_detection(std::string_view line) {
  return line.find("\"alert\"") != std::string_view::npos ||
         line.find("\"anomaly\"") != std::string_view::npos;
}

// The text before the next tabulator, which goes too; all of it when there is none.
std::string_view take_field(std::string_view& text) {
  const std::size_t tab = text.find('\t');
  const std::string_view field = text.substr(0, tab);
  text.remove_prefix(tab == std::string_view::npos ? text.size() : tab + 1);
  return field;
}

// Reads exactly `digits` decimal digits and the separator after them.
bool take_number(std::string_view& text, std::size_t digits, char separator, int& value) {
  if (text.size() < digits) return false;
  auto [end, error] = std::from_chars(text.data(), text.data() + digits, value);
  if (error != std::errc() || end != text.data() + digits) return false;
  text.remove_prefix(digits);
  if (separator == '\0') return true;
  if (text.empty() || text.front() != separator) return false;
  text.remove_prefix(1);
  return true;
}

// ".123456": any number of digits, microseconds kept.
std::int64_t take_fraction_us(std::string_view& text) {
  if (text.empty() || text.front() != '.') return 0;
  text.remove_prefix(1);
  std::int64_t value = 0;
  std::int64_t weight = 100'000;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    value += (text.front() - '0') * weight;
    weight /= 10;
    text.remove_prefix(1);
  }
  return value;
}

// "Z", "+0000" or "+00:00"; in minutes east.
std::optional<int> take_offset(std::string_view text) {
  if (text == "Z") return 0;
  if (text.size() < 5 || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const int sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  int hours = 0;
  int minutes = 0;
  if (!take_number(text, 2, '\0', hours)) return std::nullopt;
  if (text.front() == ':') text.remove_prefix(1);
  if (!take_number(text, 2, '\0', minutes) || !text.empty()) return std::nullopt;
  return sign * (hours * 60 + minutes);
}

}  // namespace

std::optional<std::int64_t> parse_time_us(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take_number(text, 4, '-', year) || !take_number(text, 2, '-', month) ||
      !take_number(text, 2, 'T', day) || !take_number(text, 2, ':', hour) ||
      !take_number(text, 2, ':', minute) || !take_number(text, 2, '\0', second)) {
    return std::nullopt;
  }
  const std::int64_t fraction_us = take_fraction_us(text);
  const auto offset_minutes = take_offset(text);
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!offset_minutes || !date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t seconds = days * 86'400LL + hour * 3'600LL + (minute - *offset_minutes) * 60LL + second;
  return seconds * 1'000'000 + fraction_us;
}

std::optional<Event> parse_event_line(std::string_view line) {
  Event event;
  if (!line.empty() && line.front() != '{') {
    const auto received_us = parse_time_us(take_field(line));
    event.id = take_field(line);
    take_field(line);  // the syslog message id
    if (!received_us) return std::nullopt;
    event.received_us = *received_us;
  }
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  event.type = text_of(json, "event_type");
  event.event_us = parse_time_us(text_of(json, "timestamp")).value_or(0);
  event.source = canonical(text_of(json, "src_ip"));
  event.target = canonical(text_of(json, "dest_ip"));
  const Json& alert = object_of(json, "alert");
  if (auto sid = alert.find("signature_id"); sid != alert.end() && sid->is_number_unsigned()) {
    event.sid = sid->get<std::uint64_t>();
  }
  event.signature = text_of(alert, "signature");
  event.detector = text_of(object_of(json, "detection"), "class");
  // Where the line must stay valid for closed schemas our own values travel in the rule metadata.
  const Json& metadata = object_of(alert, "metadata");
  if (event.detector.empty()) event.detector = first_text(metadata, "anomaly_class");
  if (event.id.empty()) event.id = first_text(metadata, "gatehouse_event_id");
  if (event.id.empty()) event.id = text_of(json, "gatehouse_event_id");
  if (event.type.empty() || event.event_us == 0) return std::nullopt;
  return event;
}

bool EventMatch::matches(const Event& event) const {
  if (!source.empty() && source != event.source) return false;
  if (!target.empty() && target != event.target) return false;
  for (std::uint64_t sid : sids) {
    if (sid == event.sid) return true;
  }
  for (const auto& prefix : detectors) {
    if (!event.detector.empty() && event.detector.compare(0, prefix.size(), prefix) == 0) return true;
  }
  return false;
}

std::string EventMatch::to_string() const {
  std::string text;
  for (std::uint64_t sid : sids) text += (text.empty() ? "sid " : " or sid ") + std::to_string(sid);
  for (const auto& detector : detectors) text += (text.empty() ? "" : " or ") + detector;
  return text;
}

core::Status EventLog::refresh() {
  core::UniqueFd fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) {
    if (errno == ENOENT) return {};
    return core::fail_errno(errno, "open " + path_);
  }
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t n = pread(fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset_));
    if (n < 0) return core::fail_errno(errno, "read " + path_);
    if (n == 0) return {};
    offset_ += static_cast<std::uint64_t>(n);
    std::string_view piece(buffer.data(), static_cast<std::size_t>(n));
    for (std::size_t end; (end = piece.find('\n')) != std::string_view::npos; piece.remove_prefix(end + 1)) {
      partial_.append(piece.substr(0, end));
      if (!may_be_detection(partial_)) {
        ++other_;
      } else if (auto event = parse_event_line(partial_)) {
        events_.push_back(std::move(*event));
      } else {
        ++unreadable_;
      }
      partial_.clear();
    }
    partial_.append(piece);
    if (partial_.size() > kMaxLineBytes) {
      return core::fail(core::Errc::limit,
                        fmt::format("{}: a line is longer than {} bytes", path_, kMaxLineBytes));
    }
  }
}

const Event* EventLog::first_match(const EventMatch& match, std::int64_t since_us) const {
  for (const Event& event : events_) {
    if (event.event_us >= since_us && match.matches(event)) return &event;
  }
  return nullptr;
}

}  // namespace gatehouse::drill
