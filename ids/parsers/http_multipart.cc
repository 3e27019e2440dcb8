#include "ids/parsers/http_multipart.h"

#include "ids/parsers/http_text.h"

namespace gatehouse::ids::http {
namespace {

// Longest part head that is looked into; a longer one is taken for data.
constexpr std::size_t kPartHeadLimit = 8192;
constexpr std::size_t kBoundaryLimit = 200;  // RFC 2046 5.1.1 allows 70

}  // namespace

MultipartParser::MultipartParser(std::string boundary) {
  if (boundary.empty()) return;
  delimiter_ = "\r\n--" + boundary;
  buffer_ = "\r\n";  // the first boundary may stand at the very start
}

std::string MultipartParser::boundary_of(std::string_view content_type) {
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  if (!equal_nocase(type, "multipart/form-data")) return {};
  const auto boundary = parameter(content_type, "boundary");
  if (!boundary || boundary->size() > kBoundaryLimit) return {};
  return *boundary;
}

void MultipartParser::feed(core::ByteView bytes, MultipartHandler& handler) {
  if (!active() || state_ == State::epilogue) return;
  buffer_.append(core::as_text(bytes));
  while (step(handler)) {
  }
}

void MultipartParser::finish(MultipartHandler& handler) {
  if (!active()) return;
  if (in_file_) {
    handler.file_data(core::as_bytes(buffer_));
    handler.end_file(false);
    in_file_ = false;
  }
  buffer_.clear();
  state_ = State::epilogue;
}

bool MultipartParser::step(MultipartHandler& handler) {
  switch (state_) {
    case State::preamble:
    case State::data:
      return take_until_delimiter(handler);
    case State::boundary_end:
      return take_boundary_end();
    case State::headers:
      return take_headers(handler);
    case State::epilogue:
      break;
  }
  buffer_.clear();
  return false;
}

bool MultipartParser::take_until_delimiter(MultipartHandler& handler) {
  const std::size_t at = buffer_.find(delimiter_);
  const bool found = at != std::string::npos;
  std::size_t count = at;
  if (!found) {
    // Only a tail that could begin the delimiter stays.
    count = buffer_.size() < delimiter_.size() ? 0 : buffer_.size() - delimiter_.size() + 1;
    while (count < buffer_.size() && std::string_view(buffer_).substr(count) !=
                                         std::string_view(delimiter_).substr(0, buffer_.size() - count)) {
      ++count;
    }
  }
  if (in_file_ && count > 0) handler.file_data(core::as_bytes(std::string_view(buffer_).substr(0, count)));
  if (!found) {
    buffer_.erase(0, count);
    return false;
  }
  buffer_.erase(0, at + delimiter_.size());
  if (in_file_) handler.end_file(true);
  in_file_ = false;
  state_ = State::boundary_end;
  return true;
}

bool MultipartParser::take_boundary_end() {
  if (buffer_.starts_with("--")) {
    state_ = State::epilogue;
    buffer_.clear();
    return false;
  }
  const std::size_t lf = buffer_.find('\n');
  if (lf == std::string::npos) return false;
  buffer_.erase(0, lf + 1);
  state_ = State::headers;
  return true;
}

bool MultipartParser::take_headers(MultipartHandler& handler) {
  std::size_t end = 0, line = 0;
  std::string name;
  bool has_name = false, complete = false;
  while ((end = buffer_.find('\n', line)) != std::string::npos) {
    const std::string_view text = trim(std::string_view(buffer_).substr(line, end - line));
    line = end + 1;
    if (text.empty()) {
      complete = true;
      break;
    }
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
      bad_header_ = true;
      continue;
    }
    if (!equal_nocase(trim(text.substr(0, colon)), "content-disposition")) continue;
    if (const auto value = parameter(text.substr(colon + 1), "filename")) {
      has_name = true;
      name = *value;
    }
  }
  if (!complete && buffer_.size() < kPartHeadLimit) return false;
  if (!complete) bad_header_ = true;
  if (complete) buffer_.erase(0, line);
  state_ = State::data;
  in_file_ = has_name && !name.empty();
  if (in_file_) {
    saw_file_ = true;
    handler.begin_file(std::move(name));
  }
  return true;
}

}  // namespace gatehouse::ids::http
