// threshold and detection_filter: how often a rule may or must match before it alerts.
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

struct Pair {
  Part key, value;
};

Pair split_pair(const Part& part) {
  const std::size_t blank = part.text.find_first_of(" \t");
  if (blank == std::string_view::npos) return {part, {{}, part.at + part.text.size()}};
  return {{part.text.substr(0, blank), part.at}, trim({part.text.substr(blank), part.at + blank})};
}

bool parse_track(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, TrackBy& track) {
  static const std::pair<std::string_view, TrackBy> kTracks[] = {{"by_src", TrackBy::by_src},
                                                                 {"by_dst", TrackBy::by_dst},
                                                                 {"by_both", TrackBy::by_both},
                                                                 {"by_rule", TrackBy::by_rule},
                                                                 {"by_flow", TrackBy::by_flow}};
  std::vector<std::string> names;
  for (const auto& [name, value] : kTracks) {
    if (part.text == name) {
      track = value;
      return true;
    }
    names.emplace_back(name);
  }
  builder.error_at(option, part.at, part.text.size(), "threshold-track", "unknown way to track").hint =
      core::did_you_mean(part.text, names);
  return false;
}

bool parse_kind(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
                Threshold::Kind& kind) {
  if (part.text == "limit") {
    kind = Threshold::Kind::limit;
  } else if (part.text == "threshold") {
    kind = Threshold::Kind::threshold;
  } else if (part.text == "both") {
    kind = Threshold::Kind::both;
  } else {
    builder.error_at(option, part.at, part.text.size(), "threshold-type", "unknown threshold type").hint =
        "limit, threshold or both";
    return false;
  }
  return true;
}

// Shared by both keywords; `typed`: a `type` is wanted.
bool parse_threshold(RuleBuilder& builder, const lang::RuleOption& option, bool typed, Threshold& out) {
  bool has_type = !typed;
  bool has_track = false;
  bool has_count = false;
  bool has_seconds = false;
  for (const Part& part : split(option.value, ',')) {
    const auto [key, value] = split_pair(part);
    std::int64_t number = 0;
    bool* seen = nullptr;
    bool good = true;
    if (key.text == "type" && typed) {
      seen = &has_type;
      good = parse_kind(builder, option, value, out.kind);
    } else if (key.text == "track") {
      seen = &has_track;
      good = parse_track(builder, option, value, out.track);
    } else if (key.text == "count") {
      seen = &has_count;
      good = parse_bounded(builder, option, value, 1, 0x7fff'ffff, number);
      out.count = static_cast<std::uint32_t>(number);
    } else if (key.text == "seconds") {
      seen = &has_seconds;
      good = parse_bounded(builder, option, value, 1, 0x7fff'ffff, number);
      out.seconds = static_cast<std::uint32_t>(number);
    } else {
      builder
          .error_at(option, key.at, key.text.size(), "threshold-key", "unknown part of `" + option.name + "`")
          .hint = typed ? "type, track, count and seconds" : "track, count and seconds";
      return false;
    }
    if (!good) return false;
    if (*seen) {
      builder.error_at(option, key.at, key.text.size(), "threshold-key",
                       "`" + std::string(key.text) + "` is given twice");
      return false;
    }
    *seen = true;
  }
  const char* missing = !has_type      ? "type"
                        : !has_track   ? "track"
                        : !has_count   ? "count"
                        : !has_seconds ? "seconds"
                                       : nullptr;
  if (missing != nullptr) {
    builder.error(option, "threshold-incomplete", "`" + option.name + "` lacks `" + missing + "`");
    return false;
  }
  return true;
}

void apply_threshold(RuleBuilder& builder, const lang::RuleOption& option) {
  Threshold threshold;
  if (!parse_threshold(builder, option, true, threshold)) return;
  if (builder.rule.threshold || builder.rule.detection_filter) {
    builder.error_name(option, "keyword-twice", "a rule has one `threshold` or `detection_filter`");
    return;
  }
  builder.rule.threshold = threshold;
}

void apply_detection_filter(RuleBuilder& builder, const lang::RuleOption& option) {
  Threshold filter;
  filter.kind = Threshold::Kind::detection_filter;
  if (!parse_threshold(builder, option, false, filter)) return;
  if (builder.rule.threshold || builder.rule.detection_filter) {
    builder.error_name(option, "keyword-twice", "a rule has one `threshold` or `detection_filter`");
    return;
  }
  builder.rule.detection_filter = filter;
}

constexpr KeywordDescriptor kKeywords[] = {
    {"threshold", ValueNeed::required, "limits how often the rule alerts", apply_threshold},
    {"detection_filter", ValueNeed::required, "matches to be seen before the rule alerts",
     apply_detection_filter},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_threshold() {
  return kKeywords;
}

}  // namespace gatehouse::ids
