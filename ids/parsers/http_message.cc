#include "ids/parsers/http_message.h"

#include <algorithm>

#include "ids/parsers/http_text.h"

namespace gatehouse::ids {
namespace {

// Names are compared as receivers do: case and NUL bytes do not count.
bool same_name(std::string_view name, std::string_view wanted) {
  std::size_t i = 0;
  for (const char c : name) {
    if (c == '\0') continue;
    if (i == wanted.size() || http::to_lower(c) != http::to_lower(wanted[i])) return false;
    ++i;
  }
  return i == wanted.size();
}

}  // namespace

const HttpField* find_http_field(const std::vector<HttpField>& fields, std::string_view name) {
  const auto at =
      std::find_if(fields.begin(), fields.end(), [&](const HttpField& f) { return same_name(f.name, name); });
  return at == fields.end() ? nullptr : &*at;
}

std::string_view HttpTransaction::cookie(Direction direction) const {
  const bool request_side = direction == Direction::to_server;
  const HttpField* field = message[index(direction)].field(request_side ? "cookie" : "set-cookie");
  return field == nullptr ? std::string_view{} : field->value;
}

namespace http {
namespace {

constexpr std::size_t kMaxFields = 1024;
constexpr std::size_t kMaxBlockBytes = 256 * 1024;
// A field repeated more often than this is cut: the merged value would grow without bound.
constexpr std::size_t kMaxRepetitions = 64;

bool is_folding(char c) {
  return is_blank(c) || c == '\0';
}

// What differs between the two directions.
struct Names {
  AppEvent missing_colon, invalid, blank_after_name, repetition, folding, too_many, duplicate_length;
};
constexpr Names kRequestNames{kRequestFieldMissingColon,
                              kRequestHeaderInvalid,
                              kRequestInvalidLwsAfterName,
                              kRequestHeaderRepetition,
                              kInvalidRequestFieldFolding,
                              kRequestTooManyHeaders,
                              kDuplicateContentLengthFieldInRequest};
constexpr Names kResponseNames{kResponseFieldMissingColon,
                               kResponseHeaderInvalid,
                               kResponseInvalidLwsAfterName,
                               kResponseHeaderRepetition,
                               kInvalidResponseFieldFolding,
                               kResponseTooManyHeaders,
                               kDuplicateContentLengthFieldInResponse};
const Names& names_of(Direction d) {
  return d == Direction::to_server ? kRequestNames : kResponseNames;
}

HttpField parse_field(std::string_view line, const Names& names, std::vector<AppEvent>& events) {
  HttpField field;
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    add_event(events, names.missing_colon);
    field.value = std::string(trim(line));
    return field;
  }
  std::string_view name = line.substr(0, colon);
  // Blanks before the colon: invalid, yet receivers accept the field.
  while (!name.empty() && is_space(name.back())) name.remove_suffix(1);
  if (name.size() != colon) add_event(events, names.blank_after_name);
  while (!name.empty() && name.front() == '\r') name.remove_prefix(1);
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_token_char)) {
    add_event(events, names.invalid);
  }
  field.name = std::string(name);
  field.value = std::string(trim(line.substr(colon + 1)));
  return field;
}

}  // namespace

void add_event(std::vector<AppEvent>& events, AppEvent event) {
  if (std::find(events.begin(), events.end(), event) == events.end()) events.push_back(event);
}

void FieldBlock::add_line(std::string_view content) {
  if (ends_.size() >= kMaxFields || text_.size() + content.size() > kMaxBlockBytes) {
    overflow_ = true;
    return;
  }
  if (ends_.empty()) {  // most heads are no longer
    text_.reserve(1000);
    ends_.reserve(30);
  }
  text_.append(content);
  ends_.push_back(static_cast<std::uint32_t>(text_.size()));
}

namespace {

bool is_continuation(std::string_view line) {
  return !line.empty() && is_folding(line.front());
}

}  // namespace

bool FieldBlock::is_folded() const {
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    if (is_continuation(line(i))) return true;
  }
  return false;
}

std::vector<std::string> FieldBlock::unfold(Direction direction, bool http11,
                                            std::vector<AppEvent>& events) const {
  const Names& names = names_of(direction);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    std::string_view rest = line(i);
    if (!is_continuation(rest)) {
      out.emplace_back(rest);
      continue;
    }
    while (!rest.empty() && is_folding(rest.front())) rest.remove_prefix(1);
    // HTTP/1.1 deprecates folding; clients take a continuation that looks like a field for one.
    const bool field_of_its_own = direction == Direction::to_client && http11 &&
                                  rest.find(':') != std::string_view::npos && !out.empty() &&
                                  out.back().find(':') != std::string::npos;
    if (out.empty() || field_of_its_own) {
      add_event(events, names.folding);
      out.emplace_back(rest);
    } else {
      // With its blanks: that is how the joined value reads.
      out.back().append(line(i));
    }
  }
  return out;
}

void FieldBlock::parse(Direction direction, bool http11, std::vector<HttpField>& fields,
                       std::vector<AppEvent>& events) {
  const Names& names = names_of(direction);
  if (overflow_) add_event(events, names.too_many);
  std::size_t repetitions = 0;
  const auto take = [&](std::string_view content) {
    HttpField field = parse_field(content, names, events);
    const auto same = std::find_if(fields.begin(), fields.end(), [&](const HttpField& f) {
      return !f.name.empty() && equal_nocase(f.name, field.name);
    });
    if (same == fields.end()) {
      fields.push_back(std::move(field));
      return;
    }
    if (equal_nocase(field.name, "content-length")) {
      // The first one counts; merging would make it no number.
      bool clean = true;
      if (parse_length(same->value, clean) != parse_length(field.value, clean))
        add_event(events, names.duplicate_length);
      same->repeated = true;
      return;
    }
    add_event(events, names.repetition);
    same->repeated = true;
    if (++repetitions <= kMaxRepetitions) same->value.append(", ").append(field.value);
  };
  fields.reserve(fields.size() + ends_.size());
  if (is_folded()) {
    for (const std::string& content : unfold(direction, http11, events)) take(content);
  } else {
    for (std::size_t i = 0; i < ends_.size(); ++i) take(line(i));
  }
  clear();
}

void build_buffers(HttpMessage& message, Direction direction) {
  const std::string_view cookie = direction == Direction::to_server ? "cookie" : "set-cookie";
  message.normal_headers.clear();
  message.all_headers.clear();
  message.header_names = "\r\n";
  constexpr std::size_t kAround = 4;  // ": " and the line end
  std::size_t bytes = 0, of_names = 4;
  for (const HttpField& field : message.fields) {
    bytes += field.name.size() + field.value.size() + kAround;
    of_names += field.name.size() + 2;
  }
  message.all_headers.reserve(bytes + 2);
  message.normal_headers.reserve(bytes);
  message.header_names.reserve(of_names);
  for (const HttpField& field : message.fields) {
    const std::size_t begin = message.all_headers.size();
    message.all_headers.append(field.name).append(": ").append(field.value).append("\r\n");
    if (!same_name(field.name, cookie))
      message.normal_headers.append(message.all_headers, begin, std::string::npos);
    message.header_names.append(field.name).append("\r\n");
  }
  message.all_headers += "\r\n";
  message.header_names += "\r\n";
  message.start.clear();
  message.start.reserve(message.line.size() + 2 + message.all_headers.size());
  message.start.append(message.line).append("\r\n").append(message.all_headers);
}

}  // namespace http
}  // namespace gatehouse::ids
