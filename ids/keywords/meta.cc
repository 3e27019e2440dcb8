// What a rule says about itself: identity, class, references, and whether it alerts.
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

// Removes the escapes of \; \" \\ \: from a message.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 1 < text.size() &&
                        std::string_view("\\\";:").find(text[i + 1]) != std::string_view::npos;
    if (escape) ++i;
    out += text[i];
  }
  return out;
}

void apply_msg(RuleBuilder& builder, const lang::RuleOption& option) {
  Quoted text;
  if (!parse_quoted(builder, option, false, text)) return;
  if (!builder.rule.meta.message.empty()) {
    builder.error_name(option, "keyword-twice", "a rule has one `msg`");
    return;
  }
  builder.rule.meta.message = unescape(text.text);
}

bool parse_identity(RuleBuilder& builder, const lang::RuleOption& option, std::int64_t smallest,
                    std::uint32_t& out) {
  std::int64_t number = 0;
  if (!parse_bounded(builder, option, whole(option), smallest, 0xffff'ffff, number)) return false;
  out = static_cast<std::uint32_t>(number);
  return true;
}

void apply_sid(RuleBuilder& builder, const lang::RuleOption& option) {
  if (builder.has_sid) {
    builder.error_name(option, "keyword-twice", "a rule has one `sid`");
    return;
  }
  builder.has_sid = true;
  parse_identity(builder, option, 1, builder.rule.meta.sid);
}

void apply_gid(RuleBuilder& builder, const lang::RuleOption& option) {
  parse_identity(builder, option, 0, builder.rule.meta.gid);
}

void apply_rev(RuleBuilder& builder, const lang::RuleOption& option) {
  parse_identity(builder, option, 0, builder.rule.meta.rev);
}

void apply_priority(RuleBuilder& builder, const lang::RuleOption& option) {
  std::int64_t number = 0;
  if (!parse_bounded(builder, option, whole(option), 1, 255, number)) return;
  builder.rule.meta.priority = static_cast<std::uint8_t>(number);
  builder.has_priority = true;
}

void apply_classtype(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto found = builder.environment.classifications.find(option.value);
  if (found == builder.environment.classifications.end()) {
    std::vector<std::string> names;
    for (const auto& [name, value] : builder.environment.classifications) names.push_back(name);
    builder.error(option, "unknown-classtype", "the classtype `" + option.value + "` is not defined").hint =
        core::did_you_mean(option.value, names);
    return;
  }
  RuleMeta& meta = builder.rule.meta;
  if (meta.classtype != nullptr) {
    builder.error_name(option, "keyword-twice", "a rule has one `classtype`");
    return;
  }
  meta.classtype = builder.resources.metadata.add(found->first, found->second.description);
  if (!builder.has_priority) meta.priority = found->second.priority;
}

void apply_reference(RuleBuilder& builder, const lang::RuleOption& option) {
  const std::size_t comma = option.value.find(',');
  const Part scheme = trim({std::string_view(option.value).substr(0, comma), 0});
  const Part text = comma == std::string::npos
                        ? Part{}
                        : trim({std::string_view(option.value).substr(comma + 1), comma + 1});
  if (scheme.text.empty() || text.text.empty()) {
    builder.error(option, "reference-syntax", "a reference is a scheme and a value").hint =
        "reference:url,example.org/x;";
  }
}

void apply_metadata(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto add = [&](std::string_view name, std::string_view value) {
    builder.rule.meta.metadata.push_back(builder.resources.metadata.add(name, value));
  };
  for (const Part& part : split(option.value, ',')) {
    const std::size_t blank = part.text.find_first_of(" \t");
    if (part.text.empty()) continue;
    if (blank == std::string_view::npos) {
      add(part.text, {});
      continue;
    }
    add(part.text.substr(0, blank), trim({part.text.substr(blank), 0}).text);
  }
}

void apply_noalert(RuleBuilder& builder, const lang::RuleOption&) {
  builder.rule.noalert = true;
}

void apply_alert(RuleBuilder& builder, const lang::RuleOption& option) {
  if (builder.rule.noalert) builder.error_name(option, "modifier-conflict", "`alert` contradicts `noalert`");
  builder.rule.always_alert = true;
}

void apply_target(RuleBuilder& builder, const lang::RuleOption& option) {
  if (option.value == "src_ip") {
    builder.rule.target_is_source = true;
  } else if (option.value == "dest_ip") {
    builder.rule.target_is_source = false;
  } else {
    builder.error(option, "target-value", "the target is src_ip or dest_ip");
  }
}

constexpr KeywordDescriptor kKeywords[] = {
    {"msg", ValueNeed::required, "the text of the alert", apply_msg},
    {"sid", ValueNeed::required, "number of the rule", apply_sid},
    {"gid", ValueNeed::required, "group the sid belongs to", apply_gid},
    {"rev", ValueNeed::required, "revision of the rule", apply_rev},
    {"priority", ValueNeed::required, "1 is worst; overrides the classtype's", apply_priority},
    {"classtype", ValueNeed::required, "class of the alert, from classification.config", apply_classtype},
    {"reference", ValueNeed::required, "where to read more: scheme,value", apply_reference},
    {"metadata", ValueNeed::required, "key value pairs, copied into the alert", apply_metadata},
    {"noalert", ValueNeed::none, "the rule acts (flowbits) but does not alert", apply_noalert},
    {"alert", ValueNeed::none, "the rule alerts even when its action is pass", apply_alert},
    {"target", ValueNeed::required, "which end is attacked: src_ip or dest_ip", apply_target},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_meta() {
  return kKeywords;
}

}  // namespace gatehouse::ids
