#include "ids/alert/sha1.h"

#include <openssl/evp.h>

#include <memory>

namespace gatehouse::ids::alert {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
};

}  // namespace

std::array<std::uint8_t, 20> sha1(core::ByteView data) {
  // One context a thread: initialised again with the same digest it allocates nothing, which
  // EVP_Digest would do for every event.
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  std::array<std::uint8_t, 20> out{};
  const bool done = context && EVP_DigestInit_ex(context.get(), EVP_sha1(), nullptr) == 1 &&
                    EVP_DigestUpdate(context.get(), data.data(), data.size()) == 1 &&
                    EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1;
  // Only a lack of memory at the thread's first event comes here: no digest rather than a wrong one.
  return done ? out : std::array<std::uint8_t, 20>{};
}

}  // namespace gatehouse::ids::alert
