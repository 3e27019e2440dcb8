#include <algorithm>

#include "ids/parsers/http_message.h"
#include "ids/parsers/http_text.h"

namespace gatehouse::ids::http {
namespace {

bool only_cr(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\r'; });
}

std::optional<Line> lf_line(std::string_view data, bool final) {
  const std::size_t lf = data.find('\n');
  if (lf == std::string_view::npos && (!final || data.empty())) return std::nullopt;
  Line line;
  line.total = lf == std::string_view::npos ? data.size() : lf + 1;
  line.content = lf == std::string_view::npos ? data.size() : lf;
  while (line.content > 0 && data[line.content - 1] == '\r') --line.content;
  return line;
}

}  // namespace

std::optional<Line> request_line(std::string_view data, bool final) {
  return lf_line(data, final);
}

std::optional<Line> request_field_line(std::string_view data, bool final) {
  auto line = lf_line(data, final);
  // "\r\r\n" is no empty line: only one CR belongs to the line end.
  if (line && line->content == 0) line->ends_head = line->total <= 2;
  return line;
}

std::optional<Line> status_line(std::string_view data, bool final) {
  const std::size_t end = data.find_first_of("\r\n");
  if (end == std::string_view::npos) {
    if (!final || data.empty()) return std::nullopt;
    return Line{data.size(), data.size(), false, false};
  }
  if (data[end] == '\n') return Line{end, end + 1, false, false};
  const std::size_t next = data.find_first_not_of('\r', end);
  if (next == std::string_view::npos) {
    if (!final) return std::nullopt;
    return Line{end, data.size(), false, false};
  }
  return Line{end, data[next] == '\n' ? next + 1 : next, false, false};
}

std::optional<Line> response_field_line(std::string_view data, bool final, bool after_lf_cr) {
  const auto known = [&](std::size_t at) { return at < data.size() || final; };
  const auto at = [&](std::size_t i) { return i < data.size() ? data[i] : '\0'; };
  for (std::size_t i = data.find_first_of("\r\n"); i != std::string_view::npos;
       i = data.find_first_of("\r\n", i + 1)) {
    Line line{i, i + 1, false, false};
    if (data[i] == '\r') {
      if (!known(i + 1)) return std::nullopt;
      if (at(i + 1) == '\n') {
        line.total = i + 2;
        if (i == 0 && after_lf_cr) {
          // LF CR, CR LF, CR LF: two line ends, not three.
          if (!known(2) || (at(2) == '\r' && !known(3))) return std::nullopt;
          if (at(2) == '\r' && at(3) == '\n') line.total += 2;
        }
      } else if (at(i + 1) == '\r' || only_cr(data.substr(0, i)) || i + 1 >= data.size()) {
        // A lone CR ends a line that has content; it never is the empty line.
        if (i + 1 < data.size() || !final) continue;
      }
    } else if (i > 0) {
      if (!known(i + 1)) return std::nullopt;
      line.lf_cr = at(i + 1) == '\r';
      if (line.lf_cr) ++line.total;
    }
    if (line.content == 0) line.ends_head = true;
    if (line.content == 1 && is_blank(data[0]) && line.total == 2 && data[1] == '\n') {
      // A lone blank is taken for the empty line, unless a real one follows.
      if (!known(2)) return std::nullopt;
      line.ends_head = at(2) != '\n';
    }
    return line;
  }
  if (!final || data.empty()) return std::nullopt;
  return Line{data.size(), data.size(), false, false};
}

RequestLine parse_request_line(std::string_view line, std::vector<AppEvent>& events) {
  RequestLine out;
  std::size_t i = 0;
  while (i < line.size() && is_space(line[i])) ++i;
  if (i > 0) add_event(events, kRequestLineLeadingWhitespace);
  const std::size_t method = i;
  while (i < line.size() && !is_space(line[i])) ++i;
  out.method = std::string(line.substr(method, i - method));
  std::size_t blank = i;
  while (i < line.size() && is_space(line[i])) ++i;
  if (i > blank + 1 || (blank < line.size() && line[blank] != ' '))
    add_event(events, kMethodDelimNonCompliant);
  line = line.substr(i);
  if (line.empty()) return out;
  // The protocol is the last word when it looks like one; then blanks before it belong to the URI.
  std::size_t end = line.size();
  while (end > 0 && is_space(line[end - 1])) --end;
  std::size_t word = end;
  while (word > 0 && !is_space(line[word - 1])) --word;
  const std::string_view last = line.substr(word, end - word);
  std::size_t uri_end = line.find(' ');
  if (uri_end == std::string_view::npos) {
    uri_end = std::min(line.find_first_of("\t\v\f\r"), line.size());
    if (uri_end < line.size()) add_event(events, kUriDelimNonCompliant);
  }
  if (word > 0 && equal_nocase(last.substr(0, 5), "HTTP/")) {
    uri_end = word;
    while (uri_end > 0 && is_space(line[uri_end - 1])) --uri_end;
    if (std::any_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(word - 1), is_space) ||
        line[word - 1] != ' ') {
      add_event(events, kUriDelimNonCompliant);
    }
  }
  out.uri = std::string(line.substr(0, uri_end));
  out.protocol = std::string(trim(line.substr(uri_end)));
  return out;
}

bool looks_like_status_line(std::string_view line) {
  while (!line.empty() && (is_space(line.front()) || line.front() == '\0')) line.remove_prefix(1);
  return line.size() >= 4 && equal_nocase(line.substr(0, 4), "HTTP");
}

StatusLine parse_status_line(std::string_view line) {
  StatusLine out;
  const auto word = [&line] {
    while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
    std::size_t end = 0;
    while (end < line.size() && !is_space(line[end])) ++end;
    const std::string_view text = line.substr(0, end);
    line.remove_prefix(end);
    return std::string(text);
  };
  out.protocol = word();
  out.status = word();
  out.message = std::string(trim(line));
  return out;
}

}  // namespace gatehouse::ids::http
