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
  Part captures;  // "flow:name, pkt:name"; may be empty
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

// The last slash that only flags follow; names of captures may have slashes in them, too.
std::size_t closing_slash(std::string_view text) {
  std::size_t end = text.rfind('/');
  for (std::size_t at = end; at != std::string_view::npos && at > 0; at = text.rfind('/', at - 1)) {
    const std::string_view rest = text.substr(at + 1);
    const std::size_t flags = std::min(
        rest.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ "), rest.size());
    if (flags == rest.size()) return at;
    const std::string_view names = rest.substr(
        flags + 1,
        rest.find_first_not_of(' ', flags + 1) == std::string_view::npos ? 0 : std::string_view::npos);
    const std::string_view list = trim({names, 0}).text;
    if (rest[flags] == ',' &&
        (list.starts_with("flow:") || list.starts_with("pkt:") || list.starts_with("alert:"))) {
      return at;
    }
  }
  return end;
}

bool parse_value(RuleBuilder& builder, const lang::RuleOption& option, const Quoted& text, PcreValue& out) {
  if (!text.text.starts_with('/')) {
    builder.error_at(option, text.at, 1, "pcre-syntax", "a regex is written between slashes").hint =
        "pcre:\"/regex/flags\"";
    return false;
  }
  const std::size_t end = closing_slash(text.text);
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
  const std::size_t comma = std::min(text.text.find(',', end), text.text.size());
  if (comma < text.text.size()) out.captures = {text.text.substr(comma + 1), text.at + comma + 1};
  for (std::size_t i = end + 1; i < comma; ++i) {
    if (text.text[i] == ' ') continue;
    if (!parse_flag(builder, option, text.text[i], text.at + i, out)) return false;
  }
  return true;
}

// `flow_agent` names a flow capture, `pkt_...` one of the packet, `alert_...` one of the alert.
std::optional<CaptureTarget> target_of_group(const std::string& name, unsigned group) {
  static constexpr std::pair<std::string_view, CaptureScope> kPrefixes[] = {
      {"flow_", CaptureScope::flow}, {"pkt_", CaptureScope::packet}, {"alert_", CaptureScope::alert}};
  for (const auto& [prefix, scope] : kPrefixes) {
    if (name.size() > prefix.size() && name.starts_with(prefix))
      return CaptureTarget{scope, group, 0, name.substr(prefix.size())};
  }
  return std::nullopt;
}

// The `flow:a, pkt:b` behind the flags: one per group, in order. `key` and `value` as a pair take the
// name from the traffic, too.
bool parse_captures(RuleBuilder& builder, const lang::RuleOption& option, const Part& list,
                    const CompiledRegex& regex, std::vector<CaptureTarget>& out) {
  static constexpr std::pair<std::string_view, CaptureScope> kPrefixes[] = {
      {"flow:", CaptureScope::flow}, {"pkt:", CaptureScope::packet}, {"alert:", CaptureScope::alert}};
  for (const Part& part : split(list.text, ',')) {
    const auto* prefix = std::find_if(std::begin(kPrefixes), std::end(kPrefixes),
                                      [&](const auto& p) { return part.text.starts_with(p.first); });
    if (prefix == std::end(kPrefixes) || part.text.size() == prefix->first.size()) {
      builder.error_at(option, list.at + part.at, part.text.size(), "pcre-capture", "this names no capture")
          .hint = "flow:<name>, pkt:<name> or alert:<name>";
      return false;
    }
    const auto group = static_cast<unsigned>(out.size()) + 1;
    if (group > std::min(regex.captures(), CompiledRegex::kMostGroups)) {
      builder.error_at(option, list.at + part.at, part.text.size(), "pcre-capture",
                       "there are more names than capture groups");
      return false;
    }
    out.push_back({prefix->second, group, 0, std::string(part.text.substr(prefix->first.size()))});
  }
  for (std::size_t i = 0; i + 1 < out.size(); ++i) {
    const bool pair = out[i].name == "key" && out[i + 1].name == "value" &&
                      out[i].scope == CaptureScope::packet && out[i + 1].scope == CaptureScope::packet;
    if (!pair) continue;
    out[i + 1].name_group = out[i].group;
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return true;
}

bool find_captures(RuleBuilder& builder, const lang::RuleOption& option, const PcreValue& value, PcreOp& op) {
  if (!value.captures.text.empty() &&
      !parse_captures(builder, option, value.captures, *op.regex, op.captures)) {
    return false;
  }
  for (const auto& [name, group] : op.regex->group_names()) {
    if (group > CompiledRegex::kMostGroups) continue;
    if (auto target = target_of_group(name, group)) op.captures.push_back(std::move(*target));
  }
  if (op.captures.empty() || !op.negated) return true;
  builder.error(option, "pcre-capture", "a negated regex captures nothing");
  return false;
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

// A response body goes by two names; Q says the one, rules with sticky buffers often the other.
bool same_bytes(BufferId chosen, BufferId flagged) {
  const std::string_view name = buffer_table()[chosen].name;
  return chosen == flagged || (name == "http.response_body" && buffer_table()[flagged].name == "file.data");
}

void apply_pcre(RuleBuilder& builder, const lang::RuleOption& option) {
  Quoted text;
  PcreValue value;
  if (!read_text(builder, option, text) || !parse_value(builder, option, text, value)) return;
  RegexError error;
  PcreOp regex;
  regex.regex = CompiledRegex::compile(value.pattern, value.options, builder.environment.pcre_match_limit,
                                       builder.environment.pcre_recursion_limit, error);
  if (!regex.regex) {
    const std::size_t at = std::min(error.offset, value.pattern.size() - 1);
    builder.error_at(option, value.pattern_at + at, 1, "pcre-compile",
                     "the regex is wrong here: " + error.message);
    return;
  }
  regex.negated = text.negated;
  if (!find_captures(builder, option, value, regex)) return;
  regex.relative = value.relative;
  regex.needs_final = text.negated || looks_ahead(value.pattern);
  BufferOp op;
  op.other = std::make_shared<const PcreOp>(std::move(regex));
  if (value.buffer == nullptr) {
    builder.add_op(std::move(op), value.relative);
    return;
  }
  const auto buffer = find_buffer(value.buffer->buffer);
  if (builder.sticky >= 0) {
    if (same_bytes(builder.current().buffer, buffer->id))
      return builder.add_op(std::move(op), value.relative);
    builder
        .error(option, "pcre-flag",
               "another buffer is already chosen by `" + builder.sticky_option->name + "`")
        .hint = "leave the buffer flag away";
    return;
  }
  const BufferDescriptor& descriptor = buffer_table()[buffer->id];
  if (!builder.require_http1(option)) return;
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
