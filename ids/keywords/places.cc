// iprep and geoip: what lists say about the addresses of a packet.
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

enum class Side : std::uint8_t { any, source, destination, both };

std::optional<Side> parse_side(std::string_view text) {
  constexpr std::string_view kNames[] = {"any", "src", "dst", "both"};
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (text == kNames[i]) return static_cast<Side>(i);
  }
  return std::nullopt;
}

// Applies a test of one address to the sides a rule names.
template <class Test>
bool on_side(Side side, const Packet& packet, Test&& test) {
  if (packet.ip_version == 0) return false;
  switch (side) {
    case Side::any:
      return test(packet.source) || test(packet.destination);
    case Side::source:
      return test(packet.source);
    case Side::destination:
      return test(packet.destination);
    case Side::both:
      return test(packet.source) && test(packet.destination);
  }
  return false;
}

class ReputationCondition : public Condition {
 public:
  enum class Kind : std::uint8_t { compare, isset, isnotset };
  ReputationCondition(std::shared_ptr<const Reputation> lists, Side side, unsigned category, Kind kind,
                      const NumberTest& test)
      : lists_(std::move(lists)), side_(side), category_(category), kind_(kind), test_(test) {}

  bool holds(const InspectContext& context) const override {
    return on_side(side_, context.packet, [&](const IpAddress& address) {
      const auto score = lists_->score(address, category_);
      if (kind_ == Kind::isnotset) return !score;
      return score && (kind_ == Kind::isset || test_.holds(*score));
    });
  }
  bool needs_packet() const override { return false; }

 private:
  std::shared_ptr<const Reputation> lists_;
  Side side_;
  unsigned category_;
  Kind kind_;
  NumberTest test_;
};

void apply_iprep(RuleBuilder& builder, const lang::RuleOption& option) {
  static const std::pair<std::string_view, NumberTest::Op> kOps[] = {
      {"<", NumberTest::Op::less},          {">", NumberTest::Op::greater},
      {"=", NumberTest::Op::equal},         {"==", NumberTest::Op::equal},
      {"!=", NumberTest::Op::not_equal},    {"<=", NumberTest::Op::less_equal},
      {">=", NumberTest::Op::greater_equal}};
  using Kind = ReputationCondition::Kind;
  const auto fail = [&](const Part& part, std::string message, std::string hint) {
    builder
        .error_at(option, part.at, std::max<std::size_t>(part.text.size(), 1), "iprep-syntax",
                  std::move(message))
        .hint = std::move(hint);
  };
  const auto parts = split(option.value, ',');
  if (parts.size() < 3 || parts.size() > 4) {
    builder.error(option, "iprep-syntax", "iprep needs a side, a category, an operator and a score").hint =
        "iprep:src,BadHosts,>,30;  iprep:dst,BadHosts,isset;";
    return;
  }
  const auto side = parse_side(parts[0].text);
  if (!side) return fail(parts[0], "unknown side", "any, src, dst or both");
  const auto& lists = builder.resources.reputation;
  if (lists == nullptr) {
    builder.error_name(option, "iprep-unconfigured", "no reputation lists are configured").hint =
        "set reputation-categories-file and reputation-files";
    return;
  }
  const auto category = lists->category(parts[1].text);
  if (!category) {
    return fail(parts[1], "unknown reputation category",
                core::did_you_mean(parts[1].text, lists->category_names()));
  }
  Kind kind = Kind::compare;
  NumberTest test;
  if (parts[2].text == "isset" || parts[2].text == "isnotset") {
    if (parts.size() == 4) return fail(parts[3], "`" + std::string(parts[2].text) + "` takes no score", {});
    kind = parts[2].text == "isset" ? Kind::isset : Kind::isnotset;
  } else {
    const auto op = std::find_if(std::begin(kOps), std::end(kOps),
                                 [&](const auto& o) { return o.first == parts[2].text; });
    if (op == std::end(kOps)) return fail(parts[2], "unknown operator", "< > = != <= >= isset isnotset");
    if (parts.size() != 4) return fail(parts[2], "the operator needs a score", {});
    std::int64_t number = 0;
    if (!parse_bounded(builder, option, parts[3], 0, 127, number)) return;
    test.op = op->second;
    test.first = static_cast<std::uint64_t>(number);
  }
  // Alone, it is asked once per direction, like the header.
  builder.rule.conditions.push_back(
      std::make_unique<ReputationCondition>(lists, *side, *category, kind, test));
}

class CountryCondition : public Condition {
 public:
  CountryCondition(std::shared_ptr<const GeoDatabase> database, Side side, std::vector<std::string> countries,
                   bool negated)
      : database_(std::move(database)), side_(side), countries_(std::move(countries)), negated_(negated) {}

  // An address nobody knows is in none of the countries, nor outside of them.
  bool holds(const InspectContext& context) const override {
    return on_side(side_, context.packet, [&](const IpAddress& address) {
      const std::string country = database_->country(address);
      if (country.empty()) return false;
      const bool listed = std::find(countries_.begin(), countries_.end(), country) != countries_.end();
      return listed != negated_;
    });
  }
  bool needs_packet() const override { return false; }

 private:
  std::shared_ptr<const GeoDatabase> database_;
  Side side_;
  std::vector<std::string> countries_;
  bool negated_;
};

bool good_country(std::string_view text) {
  return text.size() == 2 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

void apply_geoip(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  const auto side = parse_side(parts[0].text);
  std::vector<std::string> countries;
  std::size_t negated = 0;
  for (std::size_t i = side ? 1 : 0; i < parts.size(); ++i) {
    Part part = parts[i];
    if (part.text.starts_with('!')) {
      ++negated;
      part = trim({part.text.substr(1), part.at + 1});
    }
    if (!good_country(part.text)) {
      builder
          .error_at(option, part.at, std::max<std::size_t>(part.text.size(), 1), "geoip-country",
                    "a country is two capitals, as in ISO 3166")
          .hint = "geoip:src,CN,RU;";
      return;
    }
    countries.emplace_back(part.text);
  }
  if (countries.empty()) {
    builder.error(option, "geoip-country", "geoip needs at least one country").hint = "geoip:src,CN,RU;";
    return;
  }
  if (negated != 0 && negated != countries.size()) {
    builder.error(option, "geoip-mixed", "either all countries are negated or none");
    return;
  }
  if (builder.resources.geo == nullptr) {
    builder.error_name(option, "geoip-unconfigured", "no country database is configured").hint =
        "set geoip-database to a file in MaxMind's format";
    return;
  }
  builder.rule.conditions.push_back(std::make_unique<CountryCondition>(
      builder.resources.geo, side.value_or(Side::any), std::move(countries), negated != 0));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"iprep", ValueNeed::required, "compares the reputation of the packet's addresses", apply_iprep},
    {"geoip", ValueNeed::required, "tests the country of the packet's addresses", apply_geoip},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_places() {
  return kKeywords;
}

}  // namespace gatehouse::ids
