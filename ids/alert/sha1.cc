// Of OpenSSL the interface of before 3.0, which it keeps and calls deprecated: the one that took its place
// spends more on finding itself than on the 40 bytes that an event has.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "ids/alert/sha1.h"

#include <openssl/sha.h>

namespace gatehouse::ids::alert {

std::array<std::uint8_t, 20> sha1(core::ByteView data) {
  std::array<std::uint8_t, SHA_DIGEST_LENGTH> out{};
  SHA_CTX context;
  SHA1_Init(&context);
  SHA1_Update(&context, data.data(), data.size());
  SHA1_Final(out.data(), &context);
  return out;
}

}  // namespace gatehouse::ids::alert
