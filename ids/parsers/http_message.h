// The head of an HTTP message: finding its lines, unfolding and parsing its fields.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ids/parsers/http_events.h"
#include "ids/parsers/http_transaction.h"

namespace gatehouse::ids::http {

// A line of the head at the start of a buffer.
struct Line {
  std::size_t content = 0;  // bytes before the line end
  std::size_t total = 0;    // with the line end
  bool ends_head = false;   // the empty line, or what receivers take for it
  bool lf_cr = false;       // ended by LF CR
};

// Each needs `final` (no more bytes will come) to decide what otherwise depends on the next byte;
// empty optional: more bytes are needed. Servers end a line at LF only; clients also at a lone CR
// or LF CR, so responses are cut there too.
std::optional<Line> request_line(std::string_view data, bool final);
std::optional<Line> status_line(std::string_view data, bool final);
std::optional<Line> request_field_line(std::string_view data, bool final);
// `after_lf_cr`: the line before ended by LF CR.
std::optional<Line> response_field_line(std::string_view data, bool final, bool after_lf_cr);

// Collects the field lines of one head (or trailer) and turns them into fields.
class FieldBlock {
 public:
  void add_line(std::string_view content);
  void clear() { *this = FieldBlock(); }
  bool empty() const { return ends_.empty(); }
  // Appends to `fields`; findings go to `events`. Empties the block.
  void parse(Direction direction, bool http11, std::vector<HttpField>& fields, std::vector<AppEvent>& events);

 private:
  std::string_view line(std::size_t at) const {
    const std::size_t begin = at == 0 ? 0 : ends_[at - 1];
    return std::string_view(text_).substr(begin, ends_[at] - begin);
  }
  bool is_folded() const;
  std::vector<std::string> unfold(Direction direction, bool http11, std::vector<AppEvent>& events) const;

  std::string text_;  // the lines, one behind the other
  std::vector<std::uint32_t> ends_;
  bool overflow_ = false;
};

// Fills the buffers that are built from the fields: normal_headers, all_headers, header_names, start.
void build_buffers(HttpMessage& message, Direction direction);

struct RequestLine {
  std::string method, uri, protocol;
};
// `events` gets what is odd about it.
RequestLine parse_request_line(std::string_view line, std::vector<AppEvent>& events);

struct StatusLine {
  std::string protocol, status, message;
};
StatusLine parse_status_line(std::string_view line);
// Does a first line of a response look like one? If not, clients show it as content.
bool looks_like_status_line(std::string_view line);

// Adds `event` once.
void add_event(std::vector<AppEvent>& events, AppEvent event);

}  // namespace gatehouse::ids::http
