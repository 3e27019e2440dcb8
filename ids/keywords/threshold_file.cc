// Threshold files: alerts limited or silenced without changing the rules.
//   suppress gen_id 1, sig_id 2019236[, track by_src|by_dst|by_either, ip <addresses>]
//   threshold gen_id 1, sig_id 2019236, type limit, track by_src, count 1, seconds 60
//   rate_filter gen_id 1, sig_id 2019236, track by_src, count 5, seconds 60, new_action drop, timeout 300
#include <algorithm>

#include "ids/keywords/groups.h"
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

struct Field {
  std::string_view key;
  Part value;
};

class ThresholdFile {
 public:
  ThresholdFile(const core::SourceText& source, const RuleEnvironment& environment,
                core::Diagnostics& diagnostics)
      : source_(source), environment_(environment), diagnostics_(diagnostics), groups_(environment) {}

  bool parse(std::vector<RuleEnvironment::Tuning>& out) {
    const std::string_view text = source_.text();
    for (std::size_t start = 0; start < text.size();) {
      const std::size_t end = std::min(text.find('\n', start), text.size());
      std::string_view line = text.substr(start, end - start);
      if (line.ends_with('\r')) line.remove_suffix(1);
      const Part part = trim({line, start});
      start = end + 1;
      if (!part.text.empty() && !part.text.starts_with('#')) parse_line(part, out);
    }
    diagnostics_.attach(source_);
    return good_;
  }

 private:
  void fail(const Part& part, std::string code, std::string message, std::string hint = {}) {
    good_ = false;
    core::Diagnostic& d = diagnostics_.error(std::move(code), source_.position(part.at), std::move(message));
    d.length = static_cast<std::uint32_t>(std::max<std::size_t>(part.text.size(), 1));
    d.hint = std::move(hint);
  }

  static Part after(const Part& part, std::size_t count) {
    count = std::min(count, part.text.size());
    return trim({part.text.substr(count), part.at + count});
  }

  void parse_line(const Part& line, std::vector<RuleEnvironment::Tuning>& out) {
    const std::size_t blank = std::min(line.text.find_first_of(" \t"), line.text.size());
    const Part command{line.text.substr(0, blank), line.at};
    std::vector<Field> fields;
    split_fields(after(line, blank), fields);
    RuleEnvironment::Tuning tuning;
    if (command.text == "suppress") {
      if (parse_suppress(command, fields, tuning)) out.push_back(std::move(tuning));
    } else if (command.text == "threshold" || command.text == "event_filter") {
      if (parse_threshold(command, fields, tuning)) out.push_back(std::move(tuning));
    } else if (command.text == "rate_filter") {
      if (parse_rate_filter(command, fields, tuning)) out.push_back(std::move(tuning));
    } else {
      static const std::vector<std::string> kCommands = {"suppress", "threshold", "event_filter",
                                                         "rate_filter"};
      fail(command, "threshold-command", "unknown command `" + std::string(command.text) + "`",
           core::did_you_mean(command.text, kCommands));
    }
  }

  // `key value` separated by commas; the value of `ip` is all that follows: lists hold commas.
  static void split_fields(Part rest, std::vector<Field>& fields) {
    while (!rest.text.empty()) {
      const std::size_t blank = std::min(rest.text.find_first_of(" \t"), rest.text.size());
      const std::string_view key = rest.text.substr(0, blank);
      const Part value = after(rest, blank);
      const std::size_t end =
          key == "ip" ? value.text.size() : std::min(value.text.find(','), value.text.size());
      fields.push_back({key, trim({value.text.substr(0, end), value.at})});
      rest = after(value, end + 1);
    }
  }

  bool number(const Field& field, std::uint32_t smallest, std::uint32_t& out) {
    const auto value = parse_number(field.value.text);
    if (!value || *value < smallest || *value > 0xffff'ffff) {
      fail(field.value, "number-range", "`" + std::string(field.key) + "` needs a number",
           "at least " + std::to_string(smallest));
      return false;
    }
    out = static_cast<std::uint32_t>(*value);
    return true;
  }

  bool word(const Field& field, std::initializer_list<std::string_view> words, std::size_t& index) {
    std::string list;
    index = 0;
    for (const std::string_view candidate : words) {
      if (field.value.text == candidate) return true;
      ++index;
      list += (list.empty() ? "" : ", ") + std::string(candidate);
    }
    fail(field.value, "threshold-value", "unknown value of `" + std::string(field.key) + "`", list);
    return false;
  }

  bool parse_ids(const Field& field, RuleEnvironment::Tuning& tuning, unsigned& seen, bool& known) {
    known = field.key == "gen_id" || field.key == "sig_id";
    if (field.key == "gen_id") {
      seen |= 1U;
      return number(field, 0, tuning.gid);
    }
    if (field.key == "sig_id") {
      seen |= 2U;
      sid_ = field.value;
      return number(field, 0, tuning.sid);
    }
    return true;
  }

  // Rules may come later; what a detector has is known.
  bool known_sid(const RuleEnvironment::Tuning& tuning) {
    const RuleEnvironment::Detectors& detectors = environment_.detectors;
    if (detectors.gid == 0 || tuning.gid != detectors.gid || tuning.sid == 0) return true;
    if (std::find(detectors.sids.begin(), detectors.sids.end(), tuning.sid) != detectors.sids.end())
      return true;
    fail(sid_, "unknown-sid", "generator " + std::to_string(tuning.gid) + " has no such sid",
         "`ids anomaly classes` lists them");
    return false;
  }

  bool complete(const Part& command, unsigned seen, unsigned wanted, const char* form) {
    if (seen == wanted) return true;
    fail(command, "threshold-incomplete", "`" + std::string(command.text) + "` lacks a part", form);
    return false;
  }

  bool parse_suppress(const Part& command, const std::vector<Field>& fields,
                      RuleEnvironment::Tuning& tuning) {
    constexpr const char* kForm =
        "suppress gen_id <n>, sig_id <n>[, track by_src|by_dst|by_either, ip <addresses>]";
    Suppression suppression;
    unsigned seen = 0;
    for (const Field& field : fields) {
      bool known = false;
      if (!parse_ids(field, tuning, seen, known)) return false;
      if (known) continue;
      if (field.key == "track") {
        std::size_t side = 0;
        if (!word(field, {"by_src", "by_dst", "by_either"}, side)) return false;
        suppression.side = static_cast<Suppression::Side>(side + 1);
        seen |= 4U;
      } else if (field.key == "ip") {
        if (!parse_addresses(field.value, suppression.addresses)) return false;
        seen |= 8U;
      } else {
        fail({field.key, field.value.at}, "threshold-key", "unknown part `" + std::string(field.key) + "`",
             kForm);
        return false;
      }
    }
    const unsigned wanted = (seen & 12U) == 0 ? 3U : 15U;
    if (!complete(command, seen, wanted, kForm) || !known_sid(tuning)) return false;
    tuning.suppression = std::move(suppression);
    return true;
  }

  bool parse_addresses(const Part& value, AddressSet& out) {
    const auto group = lang::parse_group(value.text, source_.position(value.at), lang::GroupKind::address);
    if (!group) {
      good_ = false;
      diagnostics_.error("group-syntax", group.error().where, group.error().text);
      return false;
    }
    GroupError error;
    const AddressSet* set = groups_.addresses(*group, error);
    if (set == nullptr) {
      fail({value.text.substr(std::min<std::size_t>(error.at, value.text.size()), error.length),
            value.at + error.at},
           error.code, error.message, error.hint);
      return false;
    }
    out = *set;
    return true;
  }

  bool parse_threshold(const Part& command, const std::vector<Field>& fields,
                       RuleEnvironment::Tuning& tuning) {
    constexpr const char* kForm =
        "threshold gen_id <n>, sig_id <n>, type limit|threshold|both, track by_src|..., count <n>, seconds "
        "<n>";
    Threshold threshold;
    unsigned seen = 0;
    for (const Field& field : fields) {
      bool known = false;
      std::size_t choice = 0;
      if (!parse_ids(field, tuning, seen, known)) return false;
      if (known) continue;
      if (field.key == "type") {
        if (!word(field, {"limit", "threshold", "both"}, choice)) return false;
        threshold.kind = static_cast<Threshold::Kind>(choice);
        seen |= 4U;
      } else if (field.key == "track") {
        if (!track(field, threshold.track)) return false;
        seen |= 8U;
      } else if (field.key == "count") {
        if (!number(field, 1, threshold.count)) return false;
        seen |= 16U;
      } else if (field.key == "seconds") {
        if (!number(field, 1, threshold.seconds)) return false;
        seen |= 32U;
      } else {
        fail({field.key, field.value.at}, "threshold-key", "unknown part `" + std::string(field.key) + "`",
             kForm);
        return false;
      }
    }
    if (!complete(command, seen, 63U, kForm) || !known_sid(tuning)) return false;
    tuning.threshold = threshold;
    return true;
  }

  bool track(const Field& field, TrackBy& by) {
    std::size_t choice = 0;
    if (!word(field, {"by_src", "by_dst", "by_both", "by_rule", "by_flow"}, choice)) return false;
    by = static_cast<TrackBy>(choice);
    return true;
  }

  bool parse_rate_filter(const Part& command, const std::vector<Field>& fields,
                         RuleEnvironment::Tuning& tuning) {
    constexpr const char* kForm =
        "rate_filter gen_id <n>, sig_id <n>, track by_src|..., count <n>, seconds <n>, "
        "new_action alert|drop|reject|pass, timeout <n>";
    constexpr RuleAction kActions[] = {RuleAction::alert, RuleAction::drop, RuleAction::reject,
                                       RuleAction::pass};
    Threshold rate;
    rate.kind = Threshold::Kind::rate;
    unsigned seen = 0;
    for (const Field& field : fields) {
      bool known = false;
      std::size_t choice = 0;
      if (!parse_ids(field, tuning, seen, known)) return false;
      if (known) continue;
      if (field.key == "track") {
        if (!track(field, rate.track)) return false;
        seen |= 4U;
      } else if (field.key == "count") {
        if (!number(field, 1, rate.count)) return false;
        seen |= 8U;
      } else if (field.key == "seconds") {
        if (!number(field, 1, rate.seconds)) return false;
        seen |= 16U;
      } else if (field.key == "new_action") {
        if (!word(field, {"alert", "drop", "reject", "pass"}, choice)) return false;
        rate.new_action = kActions[choice];
        seen |= 32U;
      } else if (field.key == "timeout") {
        if (!number(field, 0, rate.timeout_seconds)) return false;
        seen |= 64U;
      } else {
        fail({field.key, field.value.at}, "threshold-key", "unknown part `" + std::string(field.key) + "`",
             kForm);
        return false;
      }
    }
    if (!complete(command, seen, 127U, kForm) || !known_sid(tuning)) return false;
    tuning.threshold = rate;
    return true;
  }

  const core::SourceText& source_;
  const RuleEnvironment& environment_;
  core::Diagnostics& diagnostics_;
  GroupResolver groups_;
  Part sid_;  // of the line at hand
  bool good_ = true;
};

}  // namespace

bool parse_threshold_file(const core::SourceText& source, RuleEnvironment& environment,
                          core::Diagnostics& diagnostics) {
  std::vector<RuleEnvironment::Tuning> tunings;
  if (!ThresholdFile(source, environment, diagnostics).parse(tunings)) return false;
  environment.tunings.insert(environment.tunings.end(), tunings.begin(), tunings.end());
  return true;
}

}  // namespace gatehouse::ids
