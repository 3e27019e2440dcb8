// multipart/form-data request bodies (RFC 7578): finds the uploaded files in a stream of bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/bytes.h"

namespace gatehouse::ids::http {

class MultipartHandler {
 public:
  virtual ~MultipartHandler() = default;
  virtual void begin_file(std::string name) = 0;
  virtual void file_data(core::ByteView bytes) = 0;
  // `complete`: its closing boundary was seen.
  virtual void end_file(bool complete) = 0;
};

// Holds back at most one boundary's length, so file data flows as it comes.
class MultipartParser {
 public:
  // Empty boundary: not multipart, feed() does nothing.
  explicit MultipartParser(std::string boundary = {});
  // The boundary of a Content-Type value; empty when it is not multipart/form-data.
  static std::string boundary_of(std::string_view content_type);

  bool active() const { return !delimiter_.empty(); }
  void feed(core::ByteView bytes, MultipartHandler& handler);
  void finish(MultipartHandler& handler);

  bool bad_header() const { return bad_header_; }
  bool saw_file() const { return saw_file_; }

 private:
  enum class State : std::uint8_t { preamble, boundary_end, headers, data, epilogue };

  // Each consumes from `buffer_` and says whether it got anywhere.
  bool step(MultipartHandler& handler);
  bool take_until_delimiter(MultipartHandler& handler);
  bool take_boundary_end();
  bool take_headers(MultipartHandler& handler);

  State state_ = State::preamble;
  std::string delimiter_;  // CR LF "--" boundary
  std::string buffer_;
  bool in_file_ = false, bad_header_ = false, saw_file_ = false;
};

}  // namespace gatehouse::ids::http
