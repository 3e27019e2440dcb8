// flow.age, flow.pkts, flow.bytes: what the flow has come to, packet by packet.
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

class FlowAge : public Condition {
 public:
  explicit FlowAge(const NumberTest& test) : test_(test) {}
  bool holds(const InspectContext& context) const override {
    if (context.flow == nullptr) return false;
    const std::int64_t age_us = context.flow->last_us - context.flow->first_us;
    return test_.holds(static_cast<std::uint64_t>(age_us < 0 ? 0 : age_us / 1'000'000));
  }

 private:
  NumberTest test_;
};

class FlowCount : public Condition {
 public:
  enum class Side : std::uint8_t { to_server, to_client, either, both };
  using Member = std::uint64_t DirectionCounters::*;
  FlowCount(Member member, Side side, const NumberTest& test) : member_(member), side_(side), test_(test) {}
  bool holds(const InspectContext& context) const override {
    if (context.flow == nullptr) return false;
    const bool server = test_.holds(context.flow->counters[0].*member_);
    const bool client = test_.holds(context.flow->counters[1].*member_);
    switch (side_) {
      case Side::to_server:
        return server;
      case Side::to_client:
        return client;
      case Side::either:
        return server || client;
      case Side::both:
        return server && client;
    }
    return false;
  }

 private:
  Member member_;
  Side side_;
  NumberTest test_;
};

void apply_age(RuleBuilder& builder, const lang::RuleOption& option) {
  NumberTest test;
  if (!parse_number_test(builder, option, whole(option), 0xffff'ffff, test)) return;
  builder.add_condition(std::make_unique<FlowAge>(test));
}

bool parse_side(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
                FlowCount::Side& side) {
  using Side = FlowCount::Side;
  static const std::pair<std::string_view, Side> kSides[] = {{"toserver", Side::to_server},
                                                             {"toclient", Side::to_client},
                                                             {"either", Side::either},
                                                             {"both", Side::both}};
  std::vector<std::string> names;
  for (const auto& [name, value] : kSides) {
    names.emplace_back(name);
    if (part.text != name) continue;
    side = value;
    return true;
  }
  builder.error_at(option, part.at, part.text.size(), "flow-side", "unknown direction of the flow").hint =
      core::did_you_mean(part.text, names);
  return false;
}

template <auto Member, std::uint64_t Largest>
void apply_count(RuleBuilder& builder, const lang::RuleOption& option) {
  const std::size_t comma = option.value.find(',');
  if (comma == std::string::npos) {
    builder.error(option, "flow-count-syntax", "`" + option.name + "` has two parts").hint =
        option.name + ":<toserver|toclient|either|both>,[<operator>]<number>;";
    return;
  }
  const std::string_view value = option.value;
  auto side = FlowCount::Side::either;
  NumberTest test;
  if (!parse_side(builder, option, trim({value.substr(0, comma), 0}), side)) return;
  if (!parse_number_test(builder, option, trim({value.substr(comma + 1), comma + 1}), Largest, test)) return;
  builder.add_condition(std::make_unique<FlowCount>(Member, side, test));
}

template <auto Member, FlowCount::Side Side, std::uint64_t Largest>
void apply_sided(RuleBuilder& builder, const lang::RuleOption& option) {
  NumberTest test;
  if (!parse_number_test(builder, option, whole(option), Largest, test)) return;
  builder.add_condition(std::make_unique<FlowCount>(Member, Side, test));
}

constexpr auto kPackets = &DirectionCounters::packets;
constexpr auto kBytes = &DirectionCounters::bytes;
constexpr std::uint64_t kMostPackets = 0xffff'ffff, kMostBytes = ~std::uint64_t{0};
constexpr auto kToServer = FlowCount::Side::to_server, kToClient = FlowCount::Side::to_client;
constexpr KeywordDescriptor kKeywords[] = {
    {"flow.age", ValueNeed::required, "age of the flow in seconds", apply_age},
    {"flow.pkts", ValueNeed::required, "packets the flow has had in a direction",
     apply_count<kPackets, kMostPackets>},
    {"flow.bytes", ValueNeed::required, "bytes the flow has had in a direction",
     apply_count<kBytes, kMostBytes>},
    {"flow.pkts_toserver", ValueNeed::required, "packets to the server so far",
     apply_sided<kPackets, kToServer, kMostPackets>},
    {"flow.pkts_toclient", ValueNeed::required, "packets to the client so far",
     apply_sided<kPackets, kToClient, kMostPackets>},
    {"flow.bytes_toserver", ValueNeed::required, "bytes to the server so far",
     apply_sided<kBytes, kToServer, kMostBytes>},
    {"flow.bytes_toclient", ValueNeed::required, "bytes to the client so far",
     apply_sided<kBytes, kToClient, kMostBytes>},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_flow_counters() {
  return kKeywords;
}

}  // namespace gatehouse::ids
