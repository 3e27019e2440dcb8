// absent: the buffer does not exist.
#include "ids/keywords/keyword.h"

namespace gatehouse::ids {
namespace {

void apply_absent(RuleBuilder& builder, const lang::RuleOption& option) {
  if (builder.sticky < 0) {
    builder.error_name(option, "keyword-without-buffer",
                       "`absent` speaks of a buffer, and none is chosen before it");
    return;
  }
  if (option.has_value && option.value != "or_else") {
    builder.error(option, "absent-value", "absent takes nothing or `or_else`");
    return;
  }
  BufferMatch& list = builder.rule.buffers[static_cast<std::size_t>(builder.sticky)];
  if (!list.ops.empty()) {
    builder.error_name(option, "absent-after-content",
                       "`absent` must stand before the contents of its buffer");
    return;
  }
  list.absent = true;
  list.absent_or_else = option.has_value;
}

constexpr KeywordDescriptor kKeywords[] = {
    {"absent", ValueNeed::optional, "the buffer does not exist", apply_absent},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_absent() {
  return kKeywords;
}

}  // namespace gatehouse::ids
