// Transforms with arguments: xor, pcrexform, from_base64, gunzip, zlib_deflate.
#include <zlib.h>

#include <algorithm>

#include "ids/keywords/base64.h"
#include "ids/keywords/regex.h"
#include "ids/keywords/transforms.h"

namespace gatehouse::ids {
namespace {

using Bytes = std::vector<std::uint8_t>;

class XorTransform : public Transform {
 public:
  explicit XorTransform(std::string mask) : mask_(std::move(mask)) {}
  bool apply(ByteView in, Bytes& out) const override {
    out.resize(in.size());
    for (std::size_t i = 0; i < in.size(); ++i) {
      out[i] = static_cast<std::uint8_t>(in[i] ^ static_cast<std::uint8_t>(mask_[i % mask_.size()]));
    }
    return true;
  }
  std::string key() const override { return "xor:" + mask_; }

 private:
  std::string mask_;
};

// The first capture group of a regex; all of the buffer where the regex does not match.
class RegexTransform : public Transform {
 public:
  RegexTransform(std::string pattern, std::shared_ptr<const CompiledRegex> regex)
      : pattern_(std::move(pattern)), regex_(std::move(regex)) {}
  bool apply(ByteView in, Bytes& out) const override {
    std::size_t begin = 0;
    std::size_t end = 0;
    if (!regex_->capture(in, begin, end)) {
      begin = 0;
      end = in.size();
    }
    out.assign(in.begin() + static_cast<std::ptrdiff_t>(begin),
               in.begin() + static_cast<std::ptrdiff_t>(end));
    return true;
  }
  std::string key() const override { return "pcrexform:" + pattern_; }

 private:
  std::string pattern_;
  std::shared_ptr<const CompiledRegex> regex_;
};

void apply_xor(RuleBuilder& builder, const lang::RuleOption& option) {
  BufferMatch* list = transform_target(builder, option);
  if (list == nullptr) return;
  std::string_view text = option.value;
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  std::string mask;
  bool good = text.size() % 2 == 0 && !text.empty() && text.size() <= 512;
  for (std::size_t i = 0; good && i < text.size(); i += 2) {
    const int high = hex_digit(static_cast<std::uint8_t>(text[i]));
    const int low = hex_digit(static_cast<std::uint8_t>(text[i + 1]));
    good = high >= 0 && low >= 0;
    mask += static_cast<char>(high << 4 | low);
  }
  if (!good) {
    builder.error(option, "xor-mask", "the mask must be pairs of hex digits").hint = "xor:\"0d0ac8ff\";";
    return;
  }
  list->transforms.push_back(std::make_shared<XorTransform>(std::move(mask)));
}

void apply_pcrexform(RuleBuilder& builder, const lang::RuleOption& option) {
  BufferMatch* list = transform_target(builder, option);
  Quoted text;
  if (list == nullptr || !parse_quoted(builder, option, false, text)) return;
  RegexError error;
  auto regex = CompiledRegex::compile(text.text, {}, builder.environment.pcre_match_limit,
                                      builder.environment.pcre_recursion_limit, error);
  if (!regex) {
    const std::size_t at = text.text.empty() ? 0 : std::min(error.offset, text.text.size() - 1);
    builder.error_at(option, text.at + at, 1, "pcre-compile", "the regex is wrong here: " + error.message);
    return;
  }
  if (regex->captures() != 1) {
    builder.error(option, "pcrexform-group", "the regex needs exactly one capture group");
    return;
  }
  list->transforms.push_back(std::make_shared<RegexTransform>(std::string(text.text), std::move(regex)));
}

// Where nothing can be decoded the buffer stays as it is.
class Base64Transform : public Transform {
 public:
  std::size_t bytes = 0, offset = 0;  // bytes 0: to the end
  Base64Mode mode = Base64Mode::rfc4648;

  bool apply(ByteView in, Bytes& out) const override {
    const ByteView rest = in.subspan(std::min(offset, in.size()));
    if (!decode_base64(bytes == 0 ? rest : rest.first(std::min(bytes, rest.size())), mode, out))
      out.assign(in.begin(), in.end());
    return true;
  }
  std::string key() const override {
    return "from_base64:" + std::to_string(bytes) + ',' + std::to_string(offset) + ',' +
           std::to_string(static_cast<int>(mode));
  }
};

// The rest of `part` behind `name`, when it begins with it and a blank.
std::optional<Part> argument_of(const Part& part, std::string_view name) {
  if (!part.text.starts_with(name) || part.text.size() == name.size()) return std::nullopt;
  if (part.text[name.size()] != ' ') return std::nullopt;
  return trim({part.text.substr(name.size()), part.at + name.size()});
}

bool parse_base64_mode(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
                       Base64Mode& mode) {
  static constexpr std::pair<std::string_view, Base64Mode> kModes[] = {
      {"rfc4648", Base64Mode::rfc4648}, {"rfc2045", Base64Mode::rfc2045}, {"strict", Base64Mode::strict}};
  for (const auto& [name, value] : kModes) {
    const bool same = std::equal(name.begin(), name.end(), part.text.begin(), part.text.end(),
                                 [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
    if (!same) continue;
    mode = value;
    return true;
  }
  builder.error_at(option, part.at, part.text.size(), "base64-argument", "unknown mode of Base64").hint =
      "rfc4648, rfc2045 or strict";
  return false;
}

bool parse_base64_word(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
                       Base64Transform& transform) {
  std::int64_t number = 0;
  if (const auto mode = argument_of(part, "mode"))
    return parse_base64_mode(builder, option, *mode, transform.mode);
  for (const bool bytes : {true, false}) {
    const auto value = argument_of(part, bytes ? "bytes" : "offset");
    if (!value) continue;
    if (!parse_bounded(builder, option, *value, 0, 65535, number)) return false;
    (bytes ? transform.bytes : transform.offset) = static_cast<std::size_t>(number);
    return true;
  }
  builder.error_at(option, part.at, part.text.size(), "base64-argument", "unknown argument of from_base64")
      .hint = "from_base64:bytes <n>, offset <n>, mode <rfc4648|rfc2045|strict>;";
  return false;
}

void apply_from_base64(RuleBuilder& builder, const lang::RuleOption& option) {
  auto transform = std::make_shared<Base64Transform>();
  if (!trim(whole(option)).text.empty()) {
    for (const Part& part : split(option.value, ',')) {
      if (!parse_base64_word(builder, option, part, *transform)) return;
    }
  }
  BufferMatch* list = transform_target(builder, option);
  if (list != nullptr) list->transforms.push_back(std::move(transform));
}

// Output stops at the rule's limit; what cannot be inflated at all is empty.
class InflateTransform : public Transform {
 public:
  InflateTransform(bool gzip, std::uint32_t limit) : gzip_(gzip), limit_(limit) {}
  bool apply(ByteView in, Bytes& out) const override {
    out.clear();
    z_stream stream{};
    if (inflateInit2(&stream, gzip_ ? 16 + MAX_WBITS : MAX_WBITS) != Z_OK) return true;
    out.resize(limit_);
    stream.next_in = const_cast<Bytef*>(in.data());  // zlib reads only
    stream.avail_in = static_cast<uInt>(std::min<std::size_t>(in.size(), 1U << 30U));
    stream.next_out = out.data();
    stream.avail_out = limit_;
    const int result = inflate(&stream, Z_SYNC_FLUSH);
    const bool good = result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
    out.resize(good ? stream.total_out : 0);
    inflateEnd(&stream);
    return true;
  }
  std::string key() const override { return (gzip_ ? "gunzip:" : "zlib_deflate:") + std::to_string(limit_); }

 private:
  bool gzip_;
  std::uint32_t limit_;
};

void apply_inflate(RuleBuilder& builder, const lang::RuleOption& option) {
  constexpr std::uint64_t kMostInflated = 16U << 20U;
  NumberTest size;
  size.first = 1024;
  const Part part = trim(whole(option));
  if (!part.text.empty()) {
    const auto value = argument_of(part, "max-size");
    if (!value) {
      builder.error_at(option, part.at, part.text.size(), "inflate-argument", "unknown argument").hint =
          option.name + ": max-size <bytes>;";
      return;
    }
    if (!parse_number_test(builder, option, *value, kMostInflated, size)) return;
    if (size.op != NumberTest::Op::equal || size.first == 0) {
      builder.error_at(option, value->at, value->text.size(), "number-syntax", "a size is a positive number");
      return;
    }
  }
  BufferMatch* list = transform_target(builder, option);
  if (list == nullptr) return;
  list->transforms.push_back(
      std::make_shared<InflateTransform>(option.name == "gunzip", static_cast<std::uint32_t>(size.first)));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"xor", ValueNeed::required, "transform: bytes xored with a repeated mask", apply_xor},
    {"pcrexform", ValueNeed::required, "transform: what the regex captures", apply_pcrexform},
    {"from_base64", ValueNeed::optional, "transform: Base64 decoded", apply_from_base64},
    {"gunzip", ValueNeed::optional, "transform: gzip data inflated", apply_inflate},
    {"zlib_deflate", ValueNeed::optional, "transform: zlib data inflated", apply_inflate},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_transforms_values() {
  return kKeywords;
}

}  // namespace gatehouse::ids
