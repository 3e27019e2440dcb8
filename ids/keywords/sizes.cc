// Lengths: of the payload (dsize), of a buffer (bsize, urilen), and whether data is there at all.
#include <algorithm>

#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

class BufferSize : public BufferTest {
 public:
  explicit BufferSize(const NumberTest& test) : test_(test) {}
  bool holds(InspectContext&, ByteView buffer, std::size_t&) const override {
    return test_.holds(buffer.size());
  }
  bool needs_final() const override { return true; }

 private:
  NumberTest test_;
};

// A byte at `count` (counted from 0), or `count` bytes after the previous match.
class DataAt : public BufferTest {
 public:
  DataAt(const NumberArg& count, bool relative, bool negated)
      : count_(count), relative_(relative), negated_(negated) {}
  bool holds(InspectContext& context, ByteView buffer, std::size_t& cursor) const override {
    const std::uint64_t count = count_.slot >= 0 ? context.variables[static_cast<std::size_t>(count_.slot)]
                                                 : static_cast<std::uint64_t>(count_.literal);
    const bool there =
        relative_ ? cursor + count <= buffer.size() && count <= buffer.size() : count < buffer.size();
    return there != negated_;
  }
  bool relative() const override { return relative_; }
  bool needs_final() const override { return negated_; }

 private:
  NumberArg count_;
  bool relative_, negated_;
};

std::optional<std::uint64_t> payload_size(const Packet& packet) {
  return packet.payload.size();
}

void apply_dsize(RuleBuilder& builder, const lang::RuleOption& option) {
  NumberTest test;
  if (!parse_number_test(builder, option, whole(option), 65535, test)) return;
  builder.rule.most_payload =
      static_cast<std::uint16_t>(std::min<std::uint64_t>(builder.rule.most_payload, test.largest()));
  add_packet_number_test(builder, test, payload_size);
}

void apply_bsize(RuleBuilder& builder, const lang::RuleOption& option) {
  if (builder.sticky < 0) {
    builder
        .error_name(option, "keyword-without-buffer",
                    "`bsize` measures a buffer, and none is chosen before it")
        .hint = "use dsize for the payload";
    return;
  }
  NumberTest test;
  if (!parse_number_test(builder, option, whole(option), 0xffff'ffff, test)) return;
  builder.add_test(std::make_shared<BufferSize>(test));
}

void apply_urilen(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  std::string_view name = "http.uri.raw";
  if (parts.size() > 2 || (parts.size() == 2 && parts[1].text != "norm" && parts[1].text != "raw")) {
    builder.error_at(option, parts[1].at, parts[1].text.size(), "urilen-form", "the form is `norm` or `raw`");
    return;
  }
  if (parts.size() == 2 && parts[1].text == "norm") name = "http.uri";
  NumberTest test;
  if (!parse_number_test(builder, option, parts[0], 65535, test)) return;
  const auto buffer = find_buffer(name);
  const BufferDescriptor& descriptor = buffer_table()[buffer->id];
  if (!builder.require_protocols(descriptor.protocols, option)) return;
  if (!builder.require_direction(descriptor.direction, option)) return;
  builder.header_like = false;
  BufferOp op;
  op.other = std::shared_ptr<const BufferTest>(std::make_shared<BufferSize>(test));
  builder.rule.buffers[static_cast<std::size_t>(builder.list_of(buffer->id))].ops.push_back(std::move(op));
}

// The content that stands last where the next relative test goes; null when something else stands there.
ContentOp* content_before(RuleBuilder& builder) {
  const int list = builder.sticky < 0 && builder.last_list >= 0 ? builder.last_list : builder.sticky;
  if (list < 0) return nullptr;
  auto& ops = builder.rule.buffers[static_cast<std::size_t>(list)].ops;
  return ops.empty() || ops.back().kind() != BufferOp::Kind::content ? nullptr : &ops.back().content;
}

void apply_isdataat(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  bool relative = false;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].text == "relative") {
      relative = true;
    } else if (parts[i].text != "rawbytes") {
      builder
          .error_at(option, parts[i].at, parts[i].text.size(), "isdataat-argument",
                    "unknown argument of isdataat")
          .hint = "isdataat:[!]<count>[,relative]";
      return;
    }
  }
  Part count = parts[0];
  const bool negated = count.text.starts_with('!');
  if (negated) count = trim({count.text.substr(1), count.at + 1});
  NumberArg arg;
  if (is_variable_name(count.text)) {
    if (!parse_variable(builder, option, count, arg)) return;
  } else if (!parse_bounded(builder, option, count, 0, 65535, arg.literal)) {
    return;
  }
  // "Nothing behind it" is an old way to say `endswith`, which finds the place without trying all others.
  ContentOp* const before =
      relative && negated && arg.slot < 0 && arg.literal == 1 ? content_before(builder) : nullptr;
  if (before != nullptr && !before->negated) before->endswith = true;
  builder.add_test(std::make_shared<DataAt>(arg, relative, negated));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"dsize", ValueNeed::required, "size of the packet's payload", apply_dsize},
    {"bsize", ValueNeed::required, "size of the chosen buffer", apply_bsize},
    {"urilen", ValueNeed::required, "length of the URI, raw unless `,norm`", apply_urilen},
    {"isdataat", ValueNeed::required, "there is (not) data at this place", apply_isdataat},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_sizes() {
  return kKeywords;
}

}  // namespace gatehouse::ids
