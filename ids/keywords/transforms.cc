// Transforms without arguments: change a sticky buffer's bytes before its contents are looked for.
#include <openssl/evp.h>

#include <algorithm>

#include "ids/keywords/transforms.h"

namespace gatehouse::ids {
namespace {

using Bytes = std::vector<std::uint8_t>;

bool is_space(std::uint8_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
std::uint8_t lower(std::uint8_t c) {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + 32) : c;
}
std::uint8_t upper(std::uint8_t c) {
  return c >= 'a' && c <= 'z' ? static_cast<std::uint8_t>(c - 32) : c;
}

bool to_lowercase(ByteView in, Bytes& out) {
  out.resize(in.size());
  std::transform(in.begin(), in.end(), out.begin(), lower);
  return true;
}
bool to_uppercase(ByteView in, Bytes& out) {
  out.resize(in.size());
  std::transform(in.begin(), in.end(), out.begin(), upper);
  return true;
}
bool strip_whitespace(ByteView in, Bytes& out) {
  out.clear();
  std::copy_if(in.begin(), in.end(), std::back_inserter(out), [](std::uint8_t c) { return !is_space(c); });
  return true;
}
bool compress_whitespace(ByteView in, Bytes& out) {
  out.clear();
  bool before = false;
  for (const std::uint8_t c : in) {
    if (!is_space(c)) {
      out.push_back(c);
    } else if (!before) {
      out.push_back(c);
    }
    before = is_space(c);
  }
  return true;
}
bool url_decode(ByteView in, Bytes& out) {
  out.clear();
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] == '+') {
      out.push_back(' ');
    } else if (in[i] == '%' && i + 2 < in.size() && hex_digit(in[i + 1]) >= 0 && hex_digit(in[i + 2]) >= 0) {
      out.push_back(static_cast<std::uint8_t>(hex_digit(in[i + 1]) << 4 | hex_digit(in[i + 2])));
      i += 2;
    } else {
      out.push_back(in[i]);
    }
  }
  return true;
}
bool dotprefix(ByteView in, Bytes& out) {
  out.clear();
  out.push_back('.');
  out.insert(out.end(), in.begin(), in.end());
  return true;
}
// Lower-cases the names of "Name: value" lines.
bool header_lowercase(ByteView in, Bytes& out) {
  out.resize(in.size());
  bool in_value = false;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] == ':') in_value = true;
    if (in[i] == '\n') in_value = false;
    out[i] = in_value ? in[i] : lower(in[i]);
  }
  return true;
}
// Drops the lines that begin with ':' (HTTP/2 pseudo-headers).
bool strip_pseudo_headers(ByteView in, Bytes& out) {
  out.clear();
  for (std::size_t start = 0; start < in.size();) {
    const auto end = std::find(in.begin() + static_cast<std::ptrdiff_t>(start), in.end(), '\n');
    std::size_t stop = static_cast<std::size_t>(end - in.begin());
    if (stop < in.size()) ++stop;
    if (in[start] != ':')
      out.insert(out.end(), in.begin() + static_cast<std::ptrdiff_t>(start),
                 in.begin() + static_cast<std::ptrdiff_t>(stop));
    start = stop;
  }
  return true;
}

bool digest(const EVP_MD* kind, ByteView in, Bytes& out) {
  unsigned size = 0;
  out.resize(EVP_MAX_MD_SIZE);
  if (EVP_Digest(in.data(), in.size(), out.data(), &size, kind, nullptr) != 1) return false;
  out.resize(size);
  return true;
}
bool to_md5(ByteView in, Bytes& out) {
  return digest(EVP_md5(), in, out);
}
bool to_sha1(ByteView in, Bytes& out) {
  return digest(EVP_sha1(), in, out);
}
bool to_sha256(ByteView in, Bytes& out) {
  return digest(EVP_sha256(), in, out);
}

using PlainFunction = bool (*)(ByteView, Bytes&);
struct PlainRow {
  std::string_view name;
  PlainFunction function;
};
constexpr PlainRow kPlain[] = {
    {"to_lowercase", to_lowercase},
    {"to_uppercase", to_uppercase},
    {"strip_whitespace", strip_whitespace},
    {"compress_whitespace", compress_whitespace},
    {"url_decode", url_decode},
    {"dotprefix", dotprefix},
    {"header_lowercase", header_lowercase},
    {"strip_pseudo_headers", strip_pseudo_headers},
    {"to_md5", to_md5},
    {"to_sha1", to_sha1},
    {"to_sha256", to_sha256},
};

class PlainTransform : public Transform {
 public:
  explicit PlainTransform(const PlainRow& row) : row_(row) {}
  bool apply(ByteView in, Bytes& out) const override { return row_.function(in, out); }
  std::string key() const override { return std::string(row_.name); }

 private:
  const PlainRow& row_;
};

void apply_plain(RuleBuilder& builder, const lang::RuleOption& option) {
  BufferMatch* list = transform_target(builder, option);
  if (list == nullptr) return;
  const auto* row = std::find_if(std::begin(kPlain), std::end(kPlain),
                                 [&](const PlainRow& r) { return r.name == option.name; });
  list->transforms.push_back(std::make_shared<PlainTransform>(*row));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"to_lowercase", ValueNeed::none, "transform: ASCII lower case", apply_plain},
    {"to_uppercase", ValueNeed::none, "transform: ASCII upper case", apply_plain},
    {"strip_whitespace", ValueNeed::none, "transform: white space removed", apply_plain},
    {"compress_whitespace", ValueNeed::none, "transform: runs of white space become one", apply_plain},
    {"url_decode", ValueNeed::none, "transform: %41 and + decoded", apply_plain},
    {"dotprefix", ValueNeed::none, "transform: a dot put in front", apply_plain},
    {"header_lowercase", ValueNeed::none, "transform: header names in lower case", apply_plain},
    {"strip_pseudo_headers", ValueNeed::none, "transform: lines that begin with `:` removed", apply_plain},
    {"to_md5", ValueNeed::none, "transform: MD5 digest", apply_plain},
    {"to_sha1", ValueNeed::none, "transform: SHA-1 digest", apply_plain},
    {"to_sha256", ValueNeed::none, "transform: SHA-256 digest", apply_plain},
};

}  // namespace

BufferMatch* transform_target(RuleBuilder& builder, const lang::RuleOption& option) {
  if (builder.sticky < 0) {
    builder.error_name(option, "keyword-without-buffer",
                       "`" + option.name + "` transforms a buffer, and none is chosen before it");
    return nullptr;
  }
  auto* list = &builder.rule.buffers[static_cast<std::size_t>(builder.sticky)];
  if (list->decoded) {
    builder.error_name(option, "transform-unsupported", "what base64_data holds cannot be transformed");
    return nullptr;
  }
  if (list->ops.empty()) return list;
  if (!builder.sticky_fresh && !list->transforms.empty()) {
    builder
        .error_name(option, "transform-after-content",
                    "`" + option.name + "` must stand between the buffer and its first content")
        .hint = "name the buffer again before it";
    return nullptr;
  }
  BufferMatch fresh;
  fresh.buffer = list->buffer;
  fresh.direction = list->direction;
  builder.rule.buffers.push_back(std::move(fresh));
  builder.sticky = static_cast<int>(builder.rule.buffers.size()) - 1;
  builder.content_list = -1;
  return &builder.rule.buffers.back();
}

int hex_digit(std::uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::span<const KeywordDescriptor> keyword_family_transforms() {
  return kKeywords;
}

}  // namespace gatehouse::ids
