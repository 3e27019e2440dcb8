// The same message in one piece and in pieces that the input chooses has to give the same files.
#include <cstdlib>

#include "ids/parsers/mime.h"

namespace gatehouse::ids {
namespace {

class Collector : public MimeHandler {
 public:
  bool begin_file(std::string name) override {
    text += "[" + name + "]";
    return ++files < 64;
  }
  void file_data(core::ByteView bytes) override { text += core::as_text(bytes); }
  void end_file(bool complete) override { text += complete ? "." : "!"; }
  void mime_event(MimeEvent event) override { text += std::to_string(static_cast<int>(event)); }
  std::string text;
  int files = 0;
};

std::string read(core::ByteView bytes, std::size_t piece) {
  MimeConfig config;
  config.body_md5 = true;
  config.url_schemes = {"http", "https"};
  Collector collector;
  Email email;
  MimeParser parser(config, collector, email);
  while (!bytes.empty()) {
    const std::size_t count = std::min(piece, bytes.size());
    parser.feed(bytes.first(count));
    bytes = bytes.subspan(count);
  }
  parser.finish(true);
  std::string out = collector.text + email.body_md5;
  for (const auto& field : email.fields) out += field.name + "=" + field.value;
  for (const auto& url : email.urls) out += url;
  for (const auto& name : email.attachments) out += name;
  return out;
}

}  // namespace
}  // namespace gatehouse::ids

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gatehouse::ids::read;
  if (size < 1) return 0;
  const gatehouse::core::ByteView message(data + 1, size - 1);
  if (read(message, 1 + data[0]) != read(message, message.size())) std::abort();
  return 0;
}
