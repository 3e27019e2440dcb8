#include "ids/alert/sha1.h"

#include <openssl/evp.h>

#include <memory>

namespace gatehouse::ids::alert {
namespace {

struct FreeDigest {
  void operator()(EVP_MD* p) const { EVP_MD_free(p); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
};

}  // namespace

std::array<std::uint8_t, 20> sha1(core::ByteView data) {
  // Fetched once, where EVP_sha1() is looked up under a lock each time; one context a thread: initialised
  // again with the same digest it allocates nothing, which EVP_Digest would do for every event.
  static const std::unique_ptr<EVP_MD, FreeDigest> digest(EVP_MD_fetch(nullptr, "SHA1", nullptr));
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  std::array<std::uint8_t, 20> out{};
  const bool done = context && digest && EVP_DigestInit_ex(context.get(), digest.get(), nullptr) == 1 &&
                    EVP_DigestUpdate(context.get(), data.data(), data.size()) == 1 &&
                    EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1;
  // Only a lack of memory at the thread's first event comes here: no digest rather than a wrong one.
  return done ? out : std::array<std::uint8_t, 20>{};
}

}  // namespace gatehouse::ids::alert
