// Rules about what the layers below found odd.
#include <algorithm>

#include "ids/decode/events.h"
#include "ids/flow/stream_events.h"
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

void apply_decode_event(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto event = find_decode_event(option.value);
  if (!event) {
    std::vector<std::string> names;
    for (DecodeEvent i = 0; i < decode_event::kCount; ++i) names.emplace_back(decode_event_name(i));
    builder.error(option, "unknown-event", "there is no decode event `" + option.value + "`").hint =
        core::did_you_mean(option.value, names);
    return;
  }
  builder.header_like = false;
  builder.rule.decode_events.push_back(*event);
}

void apply_stream_event(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto event = find_stream_event(option.value);
  if (!event) {
    std::vector<std::string> names;
    for (std::uint16_t i = 0; i < stream_event::kCount; ++i) names.emplace_back(stream_event_name(i));
    builder.error(option, "unknown-event", "there is no stream event `" + option.value + "`").hint =
        core::did_you_mean(option.value, names);
    return;
  }
  builder.header_like = false;
  builder.rule.stream_events.push_back(*event);
}

// app-layer-event:http.some_name, or the name of a protocol detection event.
void apply_app_layer_event(RuleBuilder& builder, const lang::RuleOption& option) {
  const std::string wanted = lower(option.value);
  builder.header_like = false;
  const std::size_t dot = wanted.find('.');
  if (dot == std::string::npos) {
    std::vector<std::string> names;
    const auto table = detection_event_names();
    for (std::size_t i = 0; i < table.size(); ++i) {
      names.push_back(lower(table[i]));
      if (names.back() != wanted) continue;
      builder.rule.app_events.emplace_back(kAppUnknown, static_cast<AppEvent>(i));
      return;
    }
    builder.error(option, "unknown-event", "there is no protocol detection event `" + option.value + "`")
        .hint = core::did_you_mean(wanted, names);
    return;
  }
  const std::string_view name = std::string_view(option.value).substr(0, dot);
  const AppProto proto = find_parser(name);
  if (proto == kAppUnknown || parser_of(proto).make_session == nullptr) {
    builder.error_at(option, 0, dot, "protocol-unsupported",
                     "this version has no parser for `" + std::string(name) + "`");
    return;
  }
  const auto table = parser_of(proto).event_names;
  // Parsers that share the vocabulary: a flow of the one can become one of the other.
  std::vector<std::string_view> sharing = {name};
  for (const ParserDescriptor* parser : parser_table()) {
    if (parser->event_names.data() == table.data() && parser->name != name) sharing.push_back(parser->name);
  }
  if (!builder.require_protocols(sharing, option)) return;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::string full = lower(table[i]);
    if (full.find('.') == std::string::npos) full = std::string(name) + '.' + full;
    if (full == wanted) {
      for (const std::string_view each : sharing)
        builder.rule.app_events.emplace_back(find_parser(each), static_cast<AppEvent>(i));
      return;
    }
    names.push_back(std::move(full));
  }
  builder.error(option, "unknown-event", "there is no application event `" + option.value + "`").hint =
      core::did_you_mean(wanted, names);
}

constexpr KeywordDescriptor kKeywords[] = {
    {"decode-event", ValueNeed::required, "the decoder found something odd", apply_decode_event},
    {"engine-event", ValueNeed::required, "older name of decode-event", apply_decode_event},
    {"stream-event", ValueNeed::required, "the TCP session did something odd", apply_stream_event},
    {"app-layer-event", ValueNeed::required, "a protocol parser found something odd", apply_app_layer_event},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_events() {
  return kKeywords;
}

}  // namespace gatehouse::ids
