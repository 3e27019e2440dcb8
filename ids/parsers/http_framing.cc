#include <algorithm>

#include "ids/parsers/http_coding.h"
#include "ids/parsers/http_text.h"

namespace gatehouse::ids::http {
namespace {

// A chunk-size line longer than this is no chunk-size line.
constexpr std::size_t kSizeLineLimit = 4096;
constexpr std::uint64_t kChunkLimit = INT32_MAX;

bool is_chunk_blank(char c) {
  return is_blank(c) || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

// True while `line` may still become a chunk-size line: blanks, then a hexadecimal digit.
bool may_be_size_line(std::string_view line) {
  const auto first = std::find_if_not(line.begin(), line.end(), is_chunk_blank);
  return first == line.end() || hex_digit(*first) >= 0;
}

}  // namespace

void BodyFramer::start(Mode mode, std::uint64_t length) {
  *this = BodyFramer();
  mode_ = mode;
  left_ = length;
  done_ = mode == Mode::none || (mode == Mode::length && length == 0);
}

std::size_t BodyFramer::feed(ByteView in, ByteSink& sink) {
  std::size_t used = 0;
  while (used < in.size() && !done_) {
    const ByteView rest = in.subspan(used);
    if (mode_ == Mode::until_close) {
      sink.take(rest);
      used += rest.size();
    } else if (mode_ == Mode::chunked && chunk_ == Chunk::size) {
      used += feed_size_line(rest, sink);
    } else if (mode_ == Mode::chunked && chunk_ == Chunk::data_end) {
      // Whatever stands between the data and the line end belongs to neither.
      const auto lf = std::find(rest.begin(), rest.end(), std::uint8_t{'\n'});
      used += static_cast<std::size_t>(lf - rest.begin());
      if (lf != rest.end()) {
        ++used;
        chunk_ = Chunk::size;
      }
    } else {
      const std::size_t count = std::min<std::uint64_t>(left_, rest.size());
      sink.take(rest.first(count));
      used += count;
      left_ -= count;
      if (left_ == 0 && mode_ == Mode::length) done_ = true;
      if (left_ == 0 && mode_ == Mode::chunked) chunk_ = Chunk::data_end;
    }
  }
  return used;
}

std::size_t BodyFramer::feed_size_line(ByteView in, ByteSink& sink) {
  std::size_t used = 0;
  while (used < in.size()) {
    const char c = static_cast<char>(in[used++]);
    line_.push_back(c);
    if (c == '\n') {
      take_size_line(sink);
      return used;
    }
    if ((!is_chunk_blank(c) && !may_be_size_line(line_)) || line_.size() > kSizeLineLimit) {
      give_up(sink);
      return used;
    }
  }
  return used;
}

void BodyFramer::take_size_line(ByteSink& sink) {
  std::string_view line = line_;
  while (!line.empty() && is_chunk_blank(line.front())) line.remove_prefix(1);
  if (line.empty()) {  // an empty line before the size: receivers skip it
    line_.clear();
    return;
  }
  std::uint64_t size = 0;
  std::size_t digits = 0;
  while (digits < line.size() && hex_digit(line[digits]) >= 0 && size <= kChunkLimit) {
    size = size * 16 + static_cast<std::uint64_t>(hex_digit(line[digits++]));
  }
  if (digits == 0 || size > kChunkLimit) {
    give_up(sink);
    return;
  }
  if (line.find(';', digits) != std::string_view::npos) extension_ = true;
  line_.clear();
  left_ = size;
  chunk_ = Chunk::data;
  if (size == 0) done_ = trailers_ = true;
}

void BodyFramer::give_up(ByteSink& sink) {
  bad_chunk_ = true;
  mode_ = Mode::until_close;
  sink.take(core::as_bytes(line_));
  line_.clear();
}

void BodyFramer::finish(ByteSink& sink) {
  if (mode_ == Mode::chunked && chunk_ == Chunk::size && !done_ && !line_.empty()) {
    line_.push_back('\n');
    take_size_line(sink);
  }
  done_ = true;
}

bool BodyFramer::skip(std::uint64_t bytes) {
  if (done_) return false;
  if (mode_ == Mode::until_close) return true;
  if (mode_ == Mode::chunked && chunk_ != Chunk::data) return false;
  if (bytes > left_) return false;
  left_ -= bytes;
  if (left_ == 0 && mode_ == Mode::length) done_ = true;
  if (left_ == 0 && mode_ == Mode::chunked) chunk_ = Chunk::data_end;
  return true;
}

}  // namespace gatehouse::ids::http
