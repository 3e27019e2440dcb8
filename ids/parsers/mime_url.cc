#include "ids/parsers/mime_url.h"

#include <algorithm>

#include "ids/parsers/mime_text.h"

namespace gatehouse::ids::mime {
namespace {

constexpr std::size_t kMaxLine = 8192;  // a longer one is searched in pieces
constexpr std::size_t kMaxUrls = 1024;
constexpr std::size_t kMaxUrlBytes = 2048;

// What ends an address in text and in markup.
constexpr bool ends_url(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= ' ' || byte == 0x7f || c == '"' || c == '<' || c == '>';
}

}  // namespace

void UrlFinder::feed(core::ByteView text) {
  for (std::string_view rest = core::as_text(text); !rest.empty();) {
    const std::size_t room = kMaxLine - line_.size();
    const std::size_t end = rest.substr(0, room).find('\n');
    const bool whole = end != std::string_view::npos;
    const std::size_t take = whole ? end + 1 : std::min(room, rest.size());
    if (whole && line_.empty()) {
      search(rest.substr(0, take));
    } else {
      line_ += rest.substr(0, take);
      if (whole || line_.size() >= kMaxLine) finish();
    }
    rest.remove_prefix(take);
  }
}

void UrlFinder::finish() {
  search(line_);
  line_.clear();
}

void UrlFinder::search(std::string_view line) {
  const std::size_t first = line.find("://");
  if (first == std::string_view::npos) return;
  for (const std::string& scheme : config_.url_schemes) {
    for (std::size_t at = first; at != std::string_view::npos; at = line.find("://", at + 3)) {
      if (at < scheme.size() || !equals_nocase(line.substr(at - scheme.size(), scheme.size()), scheme))
        continue;
      std::size_t end = at + 3;
      while (end < line.size() && !ends_url(line[end]) && end - at < kMaxUrlBytes) ++end;
      if (end == at + 3 || out_.size() >= kMaxUrls) continue;
      const std::size_t begin = config_.log_url_scheme ? at - scheme.size() : at + 3;
      out_.emplace_back(line.substr(begin, end - begin));
    }
  }
}

}  // namespace gatehouse::ids::mime
