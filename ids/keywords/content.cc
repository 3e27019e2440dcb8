// content and the modifiers that follow it.
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

void push_content(RuleBuilder& builder, BufferOp op) {
  builder.header_like = false;
  builder.sticky_fresh = false;
  const int list = builder.current_index();
  auto& ops = builder.rule.buffers[static_cast<std::size_t>(list)].ops;
  ops.push_back(std::move(op));
  builder.content_list = list;
  builder.last_list = list;
  builder.content_op = static_cast<int>(ops.size()) - 1;
}

void apply_content(RuleBuilder& builder, const lang::RuleOption& option) {
  BufferOp op;
  Quoted text;
  // A refused content still takes its place, so that its modifiers bring no further errors.
  if (parse_quoted(builder, option, true, text))
    decode_bytes(builder, option, {text.text, text.at}, op.content.pattern);
  op.content.negated = text.negated;
  op.content.where = option.value_at;
  push_content(builder, std::move(op));
}

void apply_uricontent(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto uri = find_buffer("http.uri");
  const BufferDescriptor& descriptor = buffer_table()[uri->id];
  if (!builder.require_http1(option)) return;
  builder.require_direction(descriptor.direction, option);
  const int sticky = builder.sticky;
  builder.sticky = builder.list_of(uri->id);
  apply_content(builder, option);
  builder.sticky = sticky;
}

ContentOp* modified(RuleBuilder& builder, const lang::RuleOption& option) {
  ContentOp* content = builder.last_content();
  if (content == nullptr) {
    builder.error_name(option, "modifier-without-content",
                       "`" + option.name + "` modifies a content, and none stands before it");
  }
  return content;
}

bool twice(RuleBuilder& builder, const lang::RuleOption& option, bool before) {
  if (before)
    builder.error_name(option, "modifier-twice", "`" + option.name + "` was already given for this content");
  return before;
}

bool conflict(RuleBuilder& builder, const lang::RuleOption& option, bool present, const char* other) {
  if (present) {
    builder.error_name(option, "modifier-conflict",
                       "`" + option.name + "` cannot be combined with `" + std::string(other) + "`");
  }
  return present;
}

// A literal within bounds or the name of a byte_extract variable.
bool parse_argument(RuleBuilder& builder, const lang::RuleOption& option, std::int64_t smallest,
                    std::int64_t largest, PlaceNumber& out) {
  NumberArg number;
  if (is_variable_name(option.value)) {
    if (!parse_variable(builder, option, whole(option), number)) return false;
  } else if (!parse_bounded(builder, option, whole(option), smallest, largest, number.literal)) {
    return false;
  }
  out.literal = static_cast<std::int32_t>(number.literal);
  out.slot = number.slot;
  return true;
}

void apply_nocase(RuleBuilder& builder, const lang::RuleOption& option) {
  ContentOp* content = modified(builder, option);
  if (content == nullptr || twice(builder, option, content->nocase)) return;
  content->nocase = true;
}

void apply_offset(RuleBuilder& builder, const lang::RuleOption& option) {
  ContentOp* content = modified(builder, option);
  if (content == nullptr || twice(builder, option, content->has_offset)) return;
  if (conflict(builder, option, content->startswith, "startswith")) return;
  if (conflict(builder, option, content->has_distance, "distance") ||
      conflict(builder, option, content->has_within, "within")) {
    return;
  }
  content->has_offset = parse_argument(builder, option, 0, 65535, content->offset);
}

void apply_depth(RuleBuilder& builder, const lang::RuleOption& option) {
  ContentOp* content = modified(builder, option);
  if (content == nullptr || twice(builder, option, content->has_depth)) return;
  if (conflict(builder, option, content->startswith, "startswith")) return;
  if (conflict(builder, option, content->has_distance, "distance") ||
      conflict(builder, option, content->has_within, "within")) {
    return;
  }
  if (!parse_argument(builder, option, 1, 65535, content->depth)) return;
  content->has_depth = true;
  if (content->depth.slot < 0 &&
      content->depth.literal < static_cast<std::int64_t>(content->pattern.size())) {
    builder.error(option, "depth-too-small", "the content is longer than the depth it is searched in").hint =
        "at least " + std::to_string(content->pattern.size());
  }
}

void apply_distance(RuleBuilder& builder, const lang::RuleOption& option) {
  ContentOp* content = modified(builder, option);
  if (content == nullptr || twice(builder, option, content->has_distance)) return;
  if (conflict(builder, option, content->startswith, "startswith")) return;
  if (conflict(builder, option, content->has_offset, "offset") ||
      conflict(builder, option, content->has_depth, "depth")) {
    return;
  }
  content->has_distance = parse_argument(builder, option, -kMostPlace, kMostPlace, content->distance);
}

void apply_within(RuleBuilder& builder, const lang::RuleOption& option) {
  ContentOp* content = modified(builder, option);
  if (content == nullptr || twice(builder, option, content->has_within)) return;
  if (conflict(builder, option, content->startswith, "startswith")) return;
  if (conflict(builder, option, content->has_offset, "offset") ||
      conflict(builder, option, content->has_depth, "depth")) {
    return;
  }
  if (!parse_argument(builder, option, 1, kMostPlace, content->within)) return;
  content->has_within = true;
  if (content->within.slot < 0 &&
      content->within.literal < static_cast<std::int64_t>(content->pattern.size())) {
    builder.error(option, "within-too-small", "the content is longer than the space it must lie within")
        .hint = "at least " + std::to_string(content->pattern.size());
  }
}

void apply_startswith(RuleBuilder& builder, const lang::RuleOption& option) {
  ContentOp* content = modified(builder, option);
  if (content == nullptr || twice(builder, option, content->startswith)) return;
  if (conflict(builder, option, content->has_offset, "offset") ||
      conflict(builder, option, content->has_depth, "depth") ||
      conflict(builder, option, content->has_distance, "distance") ||
      conflict(builder, option, content->has_within, "within")) {
    return;
  }
  content->startswith = true;
}

void apply_endswith(RuleBuilder& builder, const lang::RuleOption& option) {
  ContentOp* content = modified(builder, option);
  if (content == nullptr || twice(builder, option, content->endswith)) return;
  content->endswith = true;
}

bool parse_chop(RuleBuilder& builder, const lang::RuleOption& option, ContentOp& content) {
  const auto parts = split(option.value, ',');
  if (parts.size() != 2) {
    builder.error(option, "fast-pattern-syntax", "this is no fast_pattern argument").hint =
        "fast_pattern; or fast_pattern:only; or fast_pattern:<offset>,<length>;";
    return false;
  }
  std::int64_t offset = 0;
  std::int64_t length = 0;
  const auto size = static_cast<std::int64_t>(content.pattern.size());
  if (!parse_bounded(builder, option, parts[0], 0, 65535, offset)) return false;
  if (!parse_bounded(builder, option, parts[1], 1, 65535, length)) return false;
  if (offset + length > size) {
    builder.error(option, "fast-pattern-range", "this part lies outside of the content").hint =
        "the content has " + std::to_string(size) + " bytes";
    return false;
  }
  content.chop_offset = static_cast<std::uint16_t>(offset);
  content.chop_length = static_cast<std::uint16_t>(length);
  return true;
}

void apply_fast_pattern(RuleBuilder& builder, const lang::RuleOption& option) {
  ContentOp* content = modified(builder, option);
  if (content == nullptr) return;
  if (builder.fast_pattern_option != nullptr) {
    builder.error_name(option, "fast-pattern-twice", "a rule has one fast pattern, and this is the second");
    return;
  }
  if (builder.rule.buffers[static_cast<std::size_t>(builder.content_list)].decoded) {
    builder.error_name(option, "fast-pattern-decoded", "what base64_data holds cannot preselect a rule");
    return;
  }
  builder.fast_pattern_option = &option;
  content->fast_pattern = true;
  if (!option.has_value) return;
  if (option.value != "only") {
    parse_chop(builder, option, *content);
    return;
  }
  if (content->negated || content->has_offset || content->has_depth || content->has_distance ||
      content->has_within) {
    builder.error(option, "modifier-conflict",
                  "fast_pattern:only leaves no place to check negation or position");
    return;
  }
  content->fast_pattern_only = true;
}

// The payload is always raw here: the keyword is accepted where it says nothing else.
void apply_rawbytes(RuleBuilder& builder, const lang::RuleOption& option) {
  ContentOp* content = modified(builder, option);
  if (content == nullptr) return;
  if (builder.rule.buffers[static_cast<std::size_t>(builder.content_list)].buffer != kPayloadBuffer) {
    builder.error_name(option, "modifier-conflict", "`rawbytes` speaks of the payload, not of a buffer");
  }
}

// Asks for preselection by a packet property. Such rules are grouped by port and direction anyway.
void apply_prefilter(RuleBuilder&, const lang::RuleOption&) {}

constexpr KeywordDescriptor kKeywords[] = {
    {"content", ValueNeed::required, "bytes that must (or, with !, must not) occur", apply_content},
    {"uricontent", ValueNeed::required, "old form of http.uri; content", apply_uricontent},
    {"nocase", ValueNeed::none, "ASCII case is ignored", apply_nocase},
    {"offset", ValueNeed::required, "the search starts here, from the start of the buffer", apply_offset},
    {"depth", ValueNeed::required, "the match ends within so many bytes from the offset", apply_depth},
    {"distance", ValueNeed::required, "the search starts here, from the previous match", apply_distance},
    {"within", ValueNeed::required, "the match ends within so many bytes from there", apply_within},
    {"startswith", ValueNeed::none, "the match is at the start of the buffer", apply_startswith},
    {"endswith", ValueNeed::none, "the match is at the end of the buffer", apply_endswith},
    {"fast_pattern", ValueNeed::optional, "this content preselects the rule", apply_fast_pattern},
    {"prefilter", ValueNeed::none, "the option before it preselects the rule (always so here)",
     apply_prefilter},
    {"rawbytes", ValueNeed::none, "the payload as sent (always so)", apply_rawbytes},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_content() {
  return kKeywords;
}

}  // namespace gatehouse::ids
