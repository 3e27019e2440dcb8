// pcre:"/regex/flags"
#include <algorithm>

#include "ids/keywords/regex.h"
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

// Flags that name a buffer.
struct BufferFlag {
  char flag;
  std::string_view buffer;
};
constexpr BufferFlag kBufferFlags[] = {
    {'U', "http.uri"},        {'I', "http.uri.raw"},    {'P', "http.request_body"}, {'Q', "file.data"},
    {'H', "http.header"},     {'D', "http.header.raw"}, {'M', "http.method"},       {'C', "http.cookie"},
    {'S', "http.stat_code"},  {'Y', "http.stat_msg"},   {'W', "http.host"},         {'Z', "http.host.raw"},
    {'V', "http.user_agent"},
};

struct PcreValue {
  std::string_view pattern;
  std::size_t pattern_at = 0;
  RegexOptions options;
  bool relative = false;
  const BufferFlag* buffer = nullptr;
};

bool parse_flag(RuleBuilder& builder, const lang::RuleOption& option, char flag, std::size_t at,
                PcreValue& out) {
  switch (flag) {
    case 'i':
      out.options.caseless = true;
      return true;
    case 's':
      out.options.dot_all = true;
      return true;
    case 'm':
      out.options.multiline = true;
      return true;
    case 'x':
      out.options.extended = true;
      return true;
    case 'A':
      out.options.anchored = true;
      return true;
    case 'E':
      out.options.dollar_end = true;
      return true;
    case 'G':
      out.options.ungreedy = true;
      return true;
    case 'R':
      out.relative = true;
      return true;
    case 'B':  // the raw payload, as always
    case 'O':  // lifts the peer's match limit: here the configured one stays in force
      return true;
    default:
      break;
  }
  const auto* found = std::find_if(std::begin(kBufferFlags), std::end(kBufferFlags),
                                   [&](const BufferFlag& f) { return f.flag == flag; });
  if (found == std::end(kBufferFlags)) {
    builder.error_at(option, at, 1, "pcre-flag", std::string("unknown regex flag `") + flag + "`");
    return false;
  }
  if (out.buffer != nullptr) {
    builder.error_at(option, at, 1, "pcre-flag", "only one flag can name a buffer");
    return false;
  }
  out.buffer = found;
  return true;
}

bool parse_value(RuleBuilder& builder, const lang::RuleOption& option, const Quoted& text, PcreValue& out) {
  if (!text.text.starts_with('/')) {
    builder.error_at(option, text.at, 1, "pcre-syntax", "a regex is written between slashes").hint =
        "pcre:\"/regex/flags\"";
    return false;
  }
  const std::size_t end = text.text.rfind('/');
  if (end == 0) {
    builder.error_at(option, text.at, text.text.size(), "pcre-syntax",
                     "the closing slash of this regex is missing");
    return false;
  }
  out.pattern = text.text.substr(1, end - 1);
  out.pattern_at = text.at + 1;
  if (out.pattern.empty()) {
    builder.error(option, "pcre-empty", "an empty regex matches everything");
    return false;
  }
  for (std::size_t i = end + 1; i < text.text.size(); ++i) {
    if (!parse_flag(builder, option, text.text[i], text.at + i, out)) return false;
  }
  return true;
}

// Could a match be undone by bytes that come later? Conservative.
bool looks_ahead(std::string_view pattern) {
  return pattern.find('$') != std::string_view::npos || pattern.find("\\z") != std::string_view::npos ||
         pattern.find("\\Z") != std::string_view::npos || pattern.find("(?!") != std::string_view::npos;
}

// Quotes may be left away around /.../.
bool read_text(RuleBuilder& builder, const lang::RuleOption& option, Quoted& text) {
  const std::size_t slash = option.value.find_first_not_of("! \t");
  if (slash == std::string::npos || option.value[slash] != '/')
    return parse_quoted(builder, option, true, text);
  text.negated = option.value[0] == '!';
  text.at = slash;
  text.text = std::string_view(option.value).substr(slash);
  return true;
}

void apply_pcre(RuleBuilder& builder, const lang::RuleOption& option) {
  Quoted text;
  PcreValue value;
  if (!read_text(builder, option, text) || !parse_value(builder, option, text, value)) return;
  RegexError error;
  BufferOp op;
  op.kind = BufferOp::Kind::pcre;
  op.pcre.regex = CompiledRegex::compile(value.pattern, value.options, builder.environment.pcre_match_limit,
                                         builder.environment.pcre_recursion_limit, error);
  if (!op.pcre.regex) {
    const std::size_t at = std::min(error.offset, value.pattern.size() - 1);
    builder.error_at(option, value.pattern_at + at, 1, "pcre-compile",
                     "the regex is wrong here: " + error.message);
    return;
  }
  op.pcre.negated = text.negated;
  op.pcre.relative = value.relative;
  op.pcre.needs_final = text.negated || looks_ahead(value.pattern);
  if (value.buffer == nullptr) {
    builder.add_op(std::move(op), value.relative);
    return;
  }
  const auto buffer = find_buffer(value.buffer->buffer);
  if (builder.sticky >= 0) {
    if (builder.current().buffer == buffer->id) return builder.add_op(std::move(op), value.relative);
    builder
        .error(option, "pcre-flag",
               "another buffer is already chosen by `" + builder.sticky_option->name + "`")
        .hint = "leave the buffer flag away";
    return;
  }
  const BufferDescriptor& descriptor = buffer_table()[buffer->id];
  if (!builder.require_protocols(descriptor.protocols, option)) return;
  if (!builder.require_direction(descriptor.direction, option)) return;
  builder.header_like = false;
  builder.last_list = builder.list_of(buffer->id);
  builder.rule.buffers[static_cast<std::size_t>(builder.last_list)].ops.push_back(std::move(op));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"pcre", ValueNeed::required, "a Perl-compatible regular expression that must (not) match", apply_pcre},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_pcre() {
  return kKeywords;
}

}  // namespace gatehouse::ids
