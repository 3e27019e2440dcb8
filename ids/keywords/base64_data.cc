// base64_decode and base64_data: what a part of the buffer decodes to.
#include <algorithm>

#include "ids/keywords/base64.h"
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

class Base64Decoder : public BufferDecoder {
 public:
  std::size_t bytes = 0;  // 0: to the end
  std::size_t offset = 0;
  bool from_cursor = false;

  bool relative() const override { return from_cursor; }
  bool decode(const InspectContext&, ByteView buffer, std::size_t cursor,
              std::vector<std::uint8_t>& out) const override {
    const std::size_t start = (from_cursor ? cursor : 0) + offset;
    if (start >= buffer.size()) return false;
    const std::size_t rest = buffer.size() - start;
    return decode_base64(buffer.subspan(start, bytes == 0 ? rest : std::min(bytes, rest)),
                         Base64Mode::rfc4648, out);
  }
};

bool parse_word(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
                Base64Decoder& decoder) {
  if (part.text == "relative") {
    decoder.from_cursor = true;
    return true;
  }
  std::int64_t number = 0;
  for (const bool bytes : {true, false}) {
    const std::string_view name = bytes ? "bytes" : "offset";
    if (!part.text.starts_with(name)) continue;
    if (!parse_bounded(builder, option, trim({part.text.substr(name.size()), part.at + name.size()}), 0,
                       65535, number)) {
      return false;
    }
    (bytes ? decoder.bytes : decoder.offset) = static_cast<std::size_t>(number);
    return true;
  }
  builder.error_at(option, part.at, part.text.size(), "base64-argument", "unknown argument of base64_decode")
      .hint = "base64_decode:bytes <n>, offset <n>, relative;";
  return false;
}

void apply_decode(RuleBuilder& builder, const lang::RuleOption& option) {
  auto decoder = std::make_shared<Base64Decoder>();
  if (option.has_value && !trim(whole(option)).text.empty()) {
    for (const Part& part : split(option.value, ',')) {
      if (!parse_word(builder, option, part, *decoder)) return;
    }
  }
  if (builder.decode != nullptr) {
    builder.error_name(option, "keyword-twice", "a rule has one `base64_decode`");
    return;
  }
  builder.decode = std::make_shared<NestedOp>();
  BufferOp op;
  const bool relative = decoder->relative();
  builder.decode->decoder = std::move(decoder);
  op.other = std::shared_ptr<const NestedOp>(builder.decode);
  builder.decode_option = &option;
  builder.add_op(std::move(op), relative);
}

void apply_data(RuleBuilder& builder, const lang::RuleOption& option) {
  if (builder.decode == nullptr) {
    builder.error_name(option, "keyword-without-buffer", "`base64_data` needs a `base64_decode` before it");
    return;
  }
  builder.header_like = false;
  const auto known = std::find_if(builder.rule.buffers.begin(), builder.rule.buffers.end(),
                                  [](const BufferMatch& list) { return list.decoded; });
  builder.sticky = static_cast<int>(known - builder.rule.buffers.begin());
  if (known == builder.rule.buffers.end()) {
    builder.rule.buffers.emplace_back();
    builder.rule.buffers.back().decoded = true;
  }
  builder.sticky_option = &option;
  builder.sticky_fresh = true;
  builder.content_list = -1;
  builder.content_op = -1;
}

constexpr KeywordDescriptor kKeywords[] = {
    {"base64_decode", ValueNeed::optional, "decodes Base64 for base64_data", apply_decode},
    {"base64_data", ValueNeed::none, "what base64_decode found", apply_data},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_base64_data() {
  return kKeywords;
}

}  // namespace gatehouse::ids
