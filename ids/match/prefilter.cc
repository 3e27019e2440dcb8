#include "ids/match/prefilter.h"

#include <fmt/format.h>
#include <hs.h>
#include <openssl/evp.h>

#include <limits>

#include "core/os.h"

namespace gatehouse::ids {
namespace {

constexpr std::string_view kMagic = "GHHS1\n";
constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kCacheLimit = 256U << 20U;

std::string sha256(std::string_view text) {
  std::string out(kDigestBytes, '\0');
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(out.data()), &size, EVP_sha256(),
             nullptr);
  return out;
}

// What the compiled form depends on: the library and processor it was made for, and the literals.
std::string cache_key(const std::vector<Literal>& literals) {
  std::string text = hs_version();
  hs_platform_info_t platform{};
  if (hs_populate_platform(&platform) == HS_SUCCESS) {
    text += fmt::format("|{}|{:x}", platform.tune, platform.cpu_features);
  }
  for (const Literal& literal : literals) {
    text += fmt::format("|{}{}:", literal.nocase ? 'i' : 'c', literal.bytes.size());
    text += literal.bytes;
  }
  std::string name;
  for (const char c : sha256(text)) name += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return name;
}

hs_database_t* load(const std::string& path) {
  const auto content = core::read_file(path, kCacheLimit);
  if (!content || content->size() < kMagic.size() + kDigestBytes) return nullptr;
  const std::string_view text = *content;
  if (!text.starts_with(kMagic)) return nullptr;
  const std::string_view digest = text.substr(kMagic.size(), kDigestBytes);
  const std::string_view body = text.substr(kMagic.size() + kDigestBytes);
  // A damaged file must not reach the deserialiser: it trusts its input.
  if (sha256(body) != digest) return nullptr;
  hs_database_t* database = nullptr;
  if (hs_deserialize_database(body.data(), body.size(), &database) != HS_SUCCESS) return nullptr;
  return database;
}

void store(const std::string& directory, const std::string& path, const hs_database_t* database) {
  char* bytes = nullptr;
  std::size_t size = 0;
  if (hs_serialize_database(database, &bytes, &size) != HS_SUCCESS) return;
  std::string content(kMagic);
  content += sha256({bytes, size});
  content.append(bytes, size);
  free(bytes);
  if (core::make_directories(directory, 0700)) (void)core::write_file_atomic(path, content, 0600);
}

core::Result<hs_database_t*> compile(const std::vector<Literal>& literals) {
  std::vector<const char*> expressions;
  std::vector<std::size_t> lengths;
  std::vector<unsigned> flags, ids;
  for (std::size_t i = 0; i < literals.size(); ++i) {
    expressions.push_back(literals[i].bytes.data());
    lengths.push_back(literals[i].bytes.size());
    flags.push_back(HS_FLAG_SINGLEMATCH | (literals[i].nocase ? HS_FLAG_CASELESS : 0U));
    ids.push_back(static_cast<unsigned>(i));
  }
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  const auto result =
      hs_compile_lit_multi(expressions.data(), flags.data(), ids.data(), lengths.data(),
                           static_cast<unsigned>(literals.size()), HS_MODE_BLOCK, nullptr, &database, &error);
  if (result == HS_SUCCESS) return database;
  std::string text = error != nullptr && error->message != nullptr ? error->message : "unknown";
  hs_free_compile_error(error);
  return core::fail(core::Errc::system, "Hyperscan cannot compile the literals: " + text);
}

int on_match(unsigned id, unsigned long long, unsigned long long, unsigned, void* context) {
  static_cast<LiteralSink*>(context)->on_literal(id);
  return 0;
}

}  // namespace

ScanScratch::~ScanScratch() {
  hs_free_scratch(scratch_);
}

LiteralSet::~LiteralSet() {
  hs_free_database(database_);
}

core::Result<std::unique_ptr<const LiteralSet>> LiteralSet::build(const std::vector<Literal>& literals,
                                                                  const std::string& cache_dir) {
  std::string path;
  if (!cache_dir.empty()) {
    path = cache_dir + "/" + cache_key(literals) + ".hsdb";
    if (hs_database_t* cached = load(path)) return std::unique_ptr<const LiteralSet>(new LiteralSet(cached));
  }
  GH_TRY(hs_database_t * database, compile(literals));
  std::unique_ptr<const LiteralSet> set(new LiteralSet(database));
  if (!path.empty()) store(cache_dir, path, database);
  return set;
}

core::Status LiteralSet::prepare(ScanScratch& scratch) const {
  if (hs_alloc_scratch(database_, &scratch.scratch_) == HS_SUCCESS) return {};
  return core::fail(core::Errc::system, "Hyperscan cannot allocate its working memory");
}

void LiteralSet::scan(ByteView data, ScanScratch& scratch, LiteralSink& sink) const {
  if (data.empty() || data.size() > std::numeric_limits<unsigned>::max()) return;
  hs_scan(database_, reinterpret_cast<const char*>(data.data()), static_cast<unsigned>(data.size()), 0,
          scratch.get(), on_match, &sink);
}

std::size_t LiteralSet::bytes() const {
  std::size_t size = 0;
  return hs_database_size(database_, &size) == HS_SUCCESS ? size : 0;
}

}  // namespace gatehouse::ids
