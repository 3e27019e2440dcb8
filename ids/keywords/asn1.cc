// asn1: BER elements (X.690) that decoders have tripped over.
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

constexpr unsigned kMostElements = 256, kDeepest = 32;

struct Element {
  unsigned tag = 0;
  bool universal = false, constructed = false;
  std::uint64_t length = 0;  // as written; may exceed the content
  ByteView content;
};

// Reads the element at the front of `data` and moves on behind its header and content.
bool read_element(ByteView& data, Element& out) {
  std::size_t at = 0;
  const auto more = [&] { return at < data.size(); };
  if (!more()) return false;
  const std::uint8_t first = data[at++];
  out.universal = (first & 0xc0U) == 0;
  out.constructed = (first & 0x20U) != 0;
  out.tag = first & 0x1fU;
  if (out.tag == 0x1f) {
    out.tag = 0;
    std::uint8_t next = 0x80;
    for (unsigned i = 0; (next & 0x80U) != 0; ++i) {
      if (!more() || i == 4) return false;
      next = data[at++];
      out.tag = out.tag << 7U | (next & 0x7fU);
    }
  }
  if (!more()) return false;
  const std::uint8_t length = data[at++];
  out.length = length;
  if (length > 0x80) {
    out.length = 0;
    if (length - 0x80U > 8) return false;
    for (unsigned i = length - 0x80U; i > 0; --i) {
      if (!more()) return false;
      out.length = out.length << 8U | data[at++];
    }
  } else if (length == 0x80) {  // indefinite: the rest, and what is in it
    out.length = data.size() - at;
  }
  const std::size_t there = static_cast<std::size_t>(std::min<std::uint64_t>(out.length, data.size() - at));
  out.content = data.subspan(at, there);
  data = data.subspan(at + there);
  return true;
}

class Asn1Checks : public BufferTest {
 public:
  std::optional<std::uint64_t> oversize;
  bool bitstring_overflow = false, double_overflow = false;
  std::int64_t offset = 0;
  bool from_cursor = false;

  bool relative() const override { return from_cursor; }
  bool holds(InspectContext&, ByteView buffer, std::size_t& cursor) const override {
    const std::int64_t start = offset + (from_cursor ? static_cast<std::int64_t>(cursor) : 0);
    if (start < 0 || start >= static_cast<std::int64_t>(buffer.size())) return false;
    unsigned elements = 0;
    return any(buffer.subspan(static_cast<std::size_t>(start)), 0, elements);
  }

 private:
  bool any(ByteView data, unsigned depth, unsigned& elements) const {
    Element element;
    while (++elements <= kMostElements && read_element(data, element)) {
      if (odd(element)) return true;
      if (element.constructed && depth < kDeepest && any(element.content, depth + 1, elements)) return true;
    }
    return false;
  }

  bool odd(const Element& e) const {
    constexpr unsigned kBitString = 3, kReal = 9;
    constexpr std::uint64_t kLongReal = 256;
    if (oversize && e.length > *oversize) return true;
    if (!e.universal || e.constructed || e.content.empty()) return false;
    // More unused bits than there are bits.
    if (bitstring_overflow && e.tag == kBitString && e.content[0] > (e.length << 3U)) return true;
    // A decimal real is copied into a buffer of fixed size.
    return double_overflow && e.tag == kReal && (e.content[0] & 0xc0U) == 0 && e.length > kLongReal;
  }
};

bool parse_word(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, Asn1Checks& checks) {
  const std::size_t blank = std::min(part.text.find(' '), part.text.size());
  const std::string_view name = part.text.substr(0, blank);
  const Part value = trim({part.text.substr(blank), part.at + blank});
  std::int64_t number = 0;
  if (part.text == "bitstring_overflow") {
    checks.bitstring_overflow = true;
    return true;
  }
  if (part.text == "double_overflow") {
    checks.double_overflow = true;
    return true;
  }
  if (name == "oversize_length") {
    if (!parse_bounded(builder, option, value, 0, 0xffff'ffff, number)) return false;
    checks.oversize = static_cast<std::uint64_t>(number);
    return true;
  }
  if (name == "absolute_offset" || name == "relative_offset") {
    checks.from_cursor = name == "relative_offset";
    return parse_bounded(builder, option, value, checks.from_cursor ? -65535 : 0, 65535, checks.offset);
  }
  builder.error_at(option, part.at, part.text.size(), "asn1-argument", "unknown argument of asn1").hint =
      "oversize_length <n>, bitstring_overflow, double_overflow, absolute_offset <n> or relative_offset <n>";
  return false;
}

void apply(RuleBuilder& builder, const lang::RuleOption& option) {
  auto checks = std::make_shared<Asn1Checks>();
  for (const Part& part : split(option.value, ',')) {
    if (!parse_word(builder, option, part, *checks)) return;
  }
  if (!checks->oversize && !checks->bitstring_overflow && !checks->double_overflow) {
    builder.error(option, "asn1-argument", "asn1 checks nothing here");
    return;
  }
  builder.add_test(std::move(checks));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"asn1", ValueNeed::required, "odd BER elements in the data", apply},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_asn1() {
  return kKeywords;
}

}  // namespace gatehouse::ids
