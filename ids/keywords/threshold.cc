// threshold and detection_filter: how often a rule may or must match before it alerts.
#include <algorithm>

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
  static const std::pair<std::string_view, Threshold::Kind> kKinds[] = {
      {"limit", Threshold::Kind::limit},
      {"threshold", Threshold::Kind::threshold},
      {"both", Threshold::Kind::both},
      {"backoff", Threshold::Kind::backoff}};
  for (const auto& [name, value] : kKinds) {
    if (part.text != name) continue;
    kind = value;
    return true;
  }
  builder.error_at(option, part.at, part.text.size(), "threshold-type", "unknown threshold type").hint =
      "limit, threshold, both or backoff";
  return false;
}

// Reads the parts of both keywords; `typed`: a `type` is wanted.
class ThresholdReader {
 public:
  ThresholdReader(RuleBuilder& builder, const lang::RuleOption& option, bool typed)
      : builder_(builder), option_(option), typed_(typed) {}

  bool read(Threshold& out) {
    for (const Part& part : split(option_.value, ',')) {
      const auto [key, value] = split_pair(part);
      if (std::find(seen_.begin(), seen_.end(), key.text) != seen_.end()) {
        builder_.error_at(option_, key.at, key.text.size(), "threshold-key",
                          "`" + std::string(key.text) + "` is given twice");
        return false;
      }
      seen_.push_back(key.text);
      if (!read_part(key, value, out)) return false;
    }
    return complete(out);
  }

 private:
  bool read_part(const Part& key, const Part& value, Threshold& out) {
    if (key.text == "type" && typed_) return parse_kind(builder_, option_, value, out.kind);
    if (key.text == "track") return parse_track(builder_, option_, value, out.track);
    if (key.text == "count") return number(value, 1, out.count);
    if (key.text == "seconds") return number(value, 1, out.seconds);
    if (key.text == "multiplier" && typed_) return number(value, 2, out.multiplier);
    builder_
        .error_at(option_, key.at, key.text.size(), "threshold-key", "unknown part of `" + option_.name + "`")
        .hint =
        typed_ ? "type, track, count, seconds and, for backoff, multiplier" : "track, count and seconds";
    return false;
  }

  bool number(const Part& value, std::int64_t smallest, std::uint32_t& out) {
    std::int64_t wide = 0;
    if (!parse_bounded(builder_, option_, value, smallest, 0x7fff'ffff, wide)) return false;
    out = static_cast<std::uint32_t>(wide);
    return true;
  }

  bool has(std::string_view key) const { return std::find(seen_.begin(), seen_.end(), key) != seen_.end(); }

  bool complete(const Threshold& threshold) {
    const bool backoff = threshold.kind == Threshold::Kind::backoff;
    const char* missing = nullptr;
    for (const char* key : {"type", "track", "count", "seconds", "multiplier"}) {
      const std::string_view name = key;
      const bool wanted = name == "type"         ? typed_
                          : name == "seconds"    ? !backoff
                          : name == "multiplier" ? backoff
                                                 : true;
      if (wanted && !has(name) && missing == nullptr) missing = key;
      if (!wanted && has(name)) {
        builder_.error(option_, "threshold-key",
                       "`" + std::string(name) + "` has no meaning for this type of threshold");
        return false;
      }
    }
    if (missing != nullptr) {
      builder_.error(option_, "threshold-incomplete", "`" + option_.name + "` lacks `" + missing + "`");
      return false;
    }
    if (backoff && threshold.track != TrackBy::by_flow) {
      builder_.error(option_, "threshold-track", "a backoff is tracked `by_flow`");
      return false;
    }
    return true;
  }

  RuleBuilder& builder_;
  const lang::RuleOption& option_;
  bool typed_;
  std::vector<std::string_view> seen_;
};

bool parse_threshold(RuleBuilder& builder, const lang::RuleOption& option, bool typed, Threshold& out) {
  return ThresholdReader(builder, option, typed).read(out);
}

void apply_threshold(RuleBuilder& builder, const lang::RuleOption& option) {
  Threshold threshold;
  if (!parse_threshold(builder, option, true, threshold)) return;
  // Rules exist that count with one and limit with another; the same kind twice says nothing more.
  const auto& known = builder.rule.thresholds;
  const bool twice =
      std::any_of(known.begin(), known.end(), [&](const Threshold& t) { return t.kind == threshold.kind; });
  if (twice || builder.rule.detection_filter) {
    builder.error_name(option, "keyword-twice",
                       "a rule has one `threshold` of a kind, and none beside `detection_filter`");
    return;
  }
  builder.rule.thresholds.push_back(threshold);
}

void apply_detection_filter(RuleBuilder& builder, const lang::RuleOption& option) {
  Threshold filter;
  filter.kind = Threshold::Kind::detection_filter;
  if (!parse_threshold(builder, option, false, filter)) return;
  if (!builder.rule.thresholds.empty() || builder.rule.detection_filter) {
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
