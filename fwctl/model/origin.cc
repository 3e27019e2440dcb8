#include "fwctl/model/origin.h"

namespace gatehouse::fwctl {

Origin make_origin(const core::SourcePos& where, std::string_view what) {
  std::string text;
  if (where.line != 0) {
    const std::size_t slash = where.file.rfind('/');
    text = slash == std::string::npos ? where.file : where.file.substr(slash + 1);
    if (text.size() > 40) text.resize(40);
    text += ':' + std::to_string(where.line) + ' ';
  }
  text += what;
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') c = '_';
  }
  if (text.size() > kMaxCommentBytes) text.resize(kMaxCommentBytes);
  return {where, std::move(text)};
}

Origin built_in(std::string_view what) {
  return make_origin({}, "built-in: " + std::string(what));
}

}  // namespace gatehouse::fwctl
