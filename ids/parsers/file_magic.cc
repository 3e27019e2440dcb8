// The one includer of libmagic.
#include <magic.h>

#include <memory>

#include "core/log.h"
#include "ids/parsers/file.h"

namespace gatehouse::ids {
namespace {

struct CloseMagic {
  void operator()(magic_set* p) const { magic_close(p); }
};
using Magic = std::unique_ptr<magic_set, CloseMagic>;

// A cookie may be used by one thread at a time. Loading costs milliseconds, so it waits until a
// file's type is asked for.
Magic load() {
  Magic magic(magic_open(MAGIC_NONE));
  if (!magic || magic_load(magic.get(), nullptr) != 0) {
    core::log_error("file types are not told: {}", magic ? magic_error(magic.get()) : "no memory");
    magic.reset();
  }
  return magic;
}

}  // namespace

std::string file_magic(ByteView first_bytes) {
  thread_local const Magic magic = load();
  if (!magic) return {};
  const char* text = magic_buffer(magic.get(), first_bytes.data(), first_bytes.size());
  return text == nullptr ? std::string{} : std::string(text);
}

}  // namespace gatehouse::ids
