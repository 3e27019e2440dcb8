// What a match changes in the engine itself (bypass, config), and what this engine refuses to do.
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

class Bypass : public MatchAction {
 public:
  void apply(ActionContext& context) const override {
    if (context.flow != nullptr) context.flow->bypassed = true;
  }
};

void apply_bypass(RuleBuilder& builder, const lang::RuleOption&) {
  builder.header_like = false;
  builder.rule.match_actions.push_back(std::make_unique<Bypass>());
}

// A transaction that counts as logged is not logged any more.
class MuteTransaction : public MatchAction {
 public:
  void apply(ActionContext& context) const override {
    if (context.tx != nullptr) context.tx->logged = true;
  }
};

// config:logging disable, type tx, scope tx;
void apply_config(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  const char* usage = "config:logging disable, type tx, scope tx;";
  if (parts.size() != 3) {
    builder.error(option, "config-syntax", "config has three parts").hint = usage;
    return;
  }
  if (parts[0].text == "tracking disable" && parts[1].text == "type flow" &&
      parts[2].text == "scope packet") {
    builder.error(option, "config-unsupported", "this engine tracks every packet's flow").hint = usage;
    return;
  }
  static constexpr std::string_view kWanted[] = {"logging disable", "type tx", "scope tx"};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].text == kWanted[i]) continue;
    builder.error_at(option, parts[i].at, parts[i].text.size(), "config-syntax", "unknown part of config")
        .hint = usage;
    return;
  }
  builder.header_like = false;
  builder.rule.match_actions.push_back(std::make_unique<MuteTransaction>());
}

struct Refused {
  std::string_view name, reason;
};
constexpr Refused kRefused[] = {
    {"lua", "rules cannot run scripts here: write the test with contents, regexes and byte tests"},
    {"luaxform", "rules cannot run scripts here: see `ids keywords` for the transforms there are"},
    {"replace", "packets are never rewritten here: a rule can drop or reject them"},
    {"nfq_set_mark", "packets are not marked here: a rule can drop or reject them"},
    {"frame", "frames are no buffers of their own here: use the buffers of the protocol, or its stream"},
    {"flow.elephant", "rates of flows are not tracked here: flow.bytes and flow.age tell of big ones"},
    {"app-layer-state", "rules are not decided by parser state here: see app-layer-event"},
    {"tcp.session", "phases of sessions are told by the flow keyword here"},
};

void refuse(RuleBuilder& builder, const lang::RuleOption& option) {
  for (const Refused& row : kRefused) {
    if (row.name == option.name)
      builder.error_name(option, "keyword-unsupported", "`" + option.name + "`: " + std::string(row.reason));
  }
}

constexpr KeywordDescriptor kKeywords[] = {
    {"bypass", ValueNeed::none, "a match ends the inspection of the flow", apply_bypass},
    {"config", ValueNeed::required, "a match keeps the transaction out of the log", apply_config},
    {"lua", ValueNeed::optional, "refused: no scripts in rules", refuse},
    {"luaxform", ValueNeed::optional, "refused: no scripts in rules", refuse},
    {"replace", ValueNeed::optional, "refused: packets are never rewritten", refuse},
    {"nfq_set_mark", ValueNeed::optional, "refused: packets are not marked", refuse},
    {"frame", ValueNeed::optional, "refused: frames are no buffers of their own", refuse},
    {"flow.elephant", ValueNeed::optional, "refused: rates of flows are not tracked", refuse},
    {"app-layer-state", ValueNeed::optional, "refused: see app-layer-event", refuse},
    {"tcp.session", ValueNeed::optional, "refused: see flow", refuse},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_engine_actions() {
  return kKeywords;
}

}  // namespace gatehouse::ids
