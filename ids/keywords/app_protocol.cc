// app-layer-protocol: what a flow was found to speak.
#include <algorithm>

#include "ids/keywords/header.h"
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

class AppProtocolIs : public Condition {
 public:
  enum class Side : std::uint8_t { direction, final, original, to_server, to_client, either };
  AppProtocolIs(std::vector<AppProto> protos, Side side, bool negated)
      : protos_(std::move(protos)), side_(side), negated_(negated) {}
  // As long as it is not known, neither the protocol nor its negation holds.
  bool holds(const InspectContext& context) const override {
    const AppFlow* app = context.flow == nullptr ? nullptr : app_flow(*context.flow);
    if (app == nullptr) return false;
    switch (side_) {
      case Side::direction:
        return found(app->detected[index(context.direction)]);
      case Side::final:
        return found(app->proto);
      case Side::original:
        return found(app->original);
      case Side::to_server:
        return found(app->detected[0]);
      case Side::to_client:
        return found(app->detected[1]);
      case Side::either:
        if (app->detected[0] == kAppUnknown && app->detected[1] == kAppUnknown) return false;
        return (is(app->detected[0]) || is(app->detected[1])) != negated_;
    }
    return false;
  }
  bool needs_packet() const override { return false; }

 private:
  bool is(AppProto proto) const { return std::find(protos_.begin(), protos_.end(), proto) != protos_.end(); }
  bool found(AppProto proto) const { return proto != kAppUnknown && is(proto) != negated_; }

  std::vector<AppProto> protos_;
  Side side_;
  bool negated_;
};

bool parse_side(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
                AppProtocolIs::Side& side) {
  using Side = AppProtocolIs::Side;
  static const std::pair<std::string_view, Side> kSides[] = {
      {"direction", Side::direction}, {"final", Side::final},         {"original", Side::original},
      {"to_server", Side::to_server}, {"to_client", Side::to_client}, {"either", Side::either}};
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

// app-layer-protocol:[!]name[,side]
void apply_app_layer_protocol(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  Part name = parts[0];
  const bool negated = name.text.starts_with('!');
  if (negated) name = trim({name.text.substr(1), name.at + 1});
  auto side = AppProtocolIs::Side::direction;
  if (parts.size() > 2) {
    builder.error_at(option, parts[2].at, parts[2].text.size(), "app-layer-protocol-side",
                     "app-layer-protocol has at most two parts");
    return;
  }
  if (parts.size() == 2 && !parse_side(builder, option, parts[1], side)) return;
  std::vector<AppProto> protos = protocols_named(name.text);
  if (name.text == "failed") protos = {kAppFailed};
  if (protos.empty()) {
    std::vector<std::string> names = {"failed"};
    for (const ParserDescriptor* parser : parser_table()) names.emplace_back(parser->name);
    builder
        .error_at(option, name.at, name.text.size(), "protocol-unsupported",
                  "this version does not know the protocol `" + std::string(name.text) + "`")
        .hint = core::did_you_mean(name.text, names);
    return;
  }
  const bool was_header_like = builder.header_like;
  builder.add_condition(std::make_unique<AppProtocolIs>(std::move(protos), side, negated));
  builder.header_like = was_header_like;
  builder.has_app_layer_protocol = true;
}

constexpr KeywordDescriptor kKeywords[] = {
    {"app-layer-protocol", ValueNeed::required, "the protocol the flow was found to speak",
     apply_app_layer_protocol},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_app_protocol() {
  return kKeywords;
}

}  // namespace gatehouse::ids
