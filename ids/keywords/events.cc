// Rules about what the layers below found odd, and about the detected protocol.
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
  if (proto == kAppUnknown) {
    builder.error_at(option, 0, dot, "protocol-unsupported",
                     "this version has no parser for `" + std::string(name) + "`");
    return;
  }
  if (!builder.require_protocols(std::span(&name, 1), option)) return;
  std::vector<std::string> names;
  const auto table = parser_of(proto).event_names;
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::string full = lower(table[i]);
    if (full.find('.') == std::string::npos) full = std::string(name) + '.' + full;
    if (full == wanted) {
      builder.rule.app_events.emplace_back(proto, static_cast<AppEvent>(i));
      return;
    }
    names.push_back(std::move(full));
  }
  builder.error(option, "unknown-event", "there is no application event `" + option.value + "`").hint =
      core::did_you_mean(wanted, names);
}

// What the flow's protocol was found to be; as long as it is not known, nothing holds.
class AppProtocolIs : public Condition {
 public:
  enum class Side : std::uint8_t { final, to_server, to_client, either };
  AppProtocolIs(AppProto proto, Side side, bool negated) : proto_(proto), side_(side), negated_(negated) {}
  bool holds(const InspectContext& context) const override {
    const AppFlow* app = context.flow == nullptr ? nullptr : app_flow(*context.flow);
    if (app == nullptr || app->proto == kAppUnknown) return false;
    return is(*app) != negated_;
  }
  bool needs_packet() const override { return false; }

 private:
  bool is(const AppFlow& app) const {
    switch (side_) {
      case Side::final:
        return app.proto == proto_;
      case Side::to_server:
        return app.detected[0] == proto_;
      case Side::to_client:
        return app.detected[1] == proto_;
      case Side::either:
        return app.detected[0] == proto_ || app.detected[1] == proto_;
    }
    return false;
  }

  AppProto proto_;
  Side side_;
  bool negated_;
};

bool parse_side(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
                AppProtocolIs::Side& side) {
  using Side = AppProtocolIs::Side;
  static const std::pair<std::string_view, Side> kSides[] = {{"final", Side::final},
                                                             {"to_server", Side::to_server},
                                                             {"to_client", Side::to_client},
                                                             {"either", Side::either}};
  std::vector<std::string> names;
  for (const auto& [name, value] : kSides) {
    if (part.text == name) {
      side = value;
      return true;
    }
    names.emplace_back(name);
  }
  builder
      .error_at(option, part.at, part.text.size(), "app-layer-protocol-side",
                "unknown side of app-layer-protocol")
      .hint = core::did_you_mean(part.text, names);
  return false;
}

bool find_protocol(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, AppProto& proto) {
  if (part.text == "failed") {
    proto = kAppFailed;
    return true;
  }
  proto = find_parser(part.text == "http1" ? "http" : part.text);
  if (proto != kAppUnknown) return true;
  std::vector<std::string> names = {"failed"};
  for (const ParserDescriptor* parser : parser_table()) names.emplace_back(parser->name);
  builder
      .error_at(option, part.at, part.text.size(), "protocol-unsupported",
                "this version has no parser for `" + std::string(part.text) + "`")
      .hint = core::did_you_mean(part.text, names);
  return false;
}

void apply_app_layer_protocol(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  Part name = parts[0];
  const bool negated = name.text.starts_with('!');
  if (negated) name = trim({name.text.substr(1), name.at + 1});
  auto side = AppProtocolIs::Side::final;
  if (parts.size() > 2) {
    builder.error_at(option, parts[2].at, parts[2].text.size(), "app-layer-protocol-side",
                     "app-layer-protocol has at most two parts");
    return;
  }
  if (parts.size() == 2 && !parse_side(builder, option, parts[1], side)) return;
  AppProto proto = kAppUnknown;
  if (!find_protocol(builder, option, name, proto)) return;
  const bool was_header_like = builder.header_like;
  builder.add_condition(std::make_unique<AppProtocolIs>(proto, side, negated));
  builder.header_like = was_header_like;
  builder.has_app_layer_protocol = true;
}

constexpr KeywordDescriptor kKeywords[] = {
    {"decode-event", ValueNeed::required, "the decoder found something odd", apply_decode_event},
    {"stream-event", ValueNeed::required, "the TCP session did something odd", apply_stream_event},
    {"app-layer-event", ValueNeed::required, "a protocol parser found something odd", apply_app_layer_event},
    {"app-layer-protocol", ValueNeed::required, "the protocol the flow was found to speak",
     apply_app_layer_protocol},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_events() {
  return kKeywords;
}

}  // namespace gatehouse::ids
