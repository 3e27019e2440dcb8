// flow, stream_size: the state of the conversation the packet belongs to.
#include "ids/flow/tcp.h"
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

bool set_direction(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
                   Direction direction) {
  auto& known = builder.rule.flow.direction;
  if (known && *known != direction) {
    builder.error_at(option, part.at, part.text.size(), "flow-conflict",
                     "the flow keyword names both directions");
    return false;
  }
  known = direction;
  return true;
}

bool apply_flow_word(RuleBuilder& builder, const lang::RuleOption& option, const Part& part) {
  FlowConditions& flow = builder.rule.flow;
  const auto conflict = [&](const char* other) {
    builder.error_at(option, part.at, part.text.size(), "flow-conflict",
                     "`" + std::string(part.text) + "` contradicts `" + other + "`");
    return false;
  };
  if (part.text == "to_server" || part.text == "from_client") {
    return set_direction(builder, option, part, Direction::to_server);
  }
  if (part.text == "to_client" || part.text == "from_server") {
    return set_direction(builder, option, part, Direction::to_client);
  }
  if (part.text == "established") {
    if (flow.not_established) return conflict("not_established");
    if (flow.stateless) return conflict("stateless");
    flow.established = true;
  } else if (part.text == "not_established") {
    if (flow.established) return conflict("established");
    if (flow.stateless) return conflict("stateless");
    flow.not_established = true;
  } else if (part.text == "stateless") {
    if (flow.established) return conflict("established");
    if (flow.not_established) return conflict("not_established");
    flow.stateless = true;
  } else if (part.text == "only_stream") {
    if (flow.no_stream) return conflict("no_stream");
    flow.only_stream = true;
  } else if (part.text == "no_stream") {
    if (flow.only_stream) return conflict("only_stream");
    flow.no_stream = true;
  } else {
    static const std::vector<std::string> kWords = {"to_server",       "to_client",   "from_server",
                                                    "from_client",     "established", "stateless",
                                                    "not_established", "only_stream", "no_stream"};
    builder
        .error_at(option, part.at, part.text.size(), "flow-value",
                  "unknown flow state `" + std::string(part.text) + "`")
        .hint = core::did_you_mean(part.text, kWords);
    return false;
  }
  return true;
}

void apply_flow(RuleBuilder& builder, const lang::RuleOption& option) {
  if (builder.has_flow) {
    builder.error_name(option, "keyword-twice", "a rule has one `flow`");
    return;
  }
  builder.has_flow = true;
  for (const Part& part : split(option.value, ',')) {
    if (!apply_flow_word(builder, option, part)) return;
  }
}

class StreamSize : public Condition {
 public:
  enum class Side : std::uint8_t { server, client, both, either };
  StreamSize(Side side, const NumberTest& test) : side_(side), test_(test) {}
  bool holds(const InspectContext& context) const override {
    if (context.flow == nullptr || !context.flow->tcp) return false;
    const bool client = test_.holds(context.flow->tcp->bytes_sent(Direction::to_server));
    const bool server = test_.holds(context.flow->tcp->bytes_sent(Direction::to_client));
    switch (side_) {
      case Side::server:
        return server;
      case Side::client:
        return client;
      case Side::both:
        return server && client;
      case Side::either:
        return server || client;
    }
    return false;
  }
  bool needs_packet() const override { return false; }

 private:
  Side side_;
  NumberTest test_;
};

void apply_stream_size(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  if (parts.size() != 3) {
    builder.error(option, "stream-size-syntax", "stream_size has three parts").hint =
        "stream_size:<server|client|both|either>,<operator>,<bytes>;";
    return;
  }
  using Side = StreamSize::Side;
  Side side = Side::server;
  if (parts[0].text == "client") {
    side = Side::client;
  } else if (parts[0].text == "both") {
    side = Side::both;
  } else if (parts[0].text == "either") {
    side = Side::either;
  } else if (parts[0].text != "server") {
    builder
        .error_at(option, parts[0].at, parts[0].text.size(), "stream-size-side", "unknown side of the stream")
        .hint = "server, client, both or either";
    return;
  }
  NumberTest test;
  using Op = NumberTest::Op;
  const std::pair<std::string_view, Op> operators[] = {{"=", Op::equal},       {"!=", Op::not_equal},
                                                       {"<", Op::less},        {">", Op::greater},
                                                       {"<=", Op::less_equal}, {">=", Op::greater_equal}};
  bool known = false;
  for (const auto& [text, op] : operators) {
    if (parts[1].text != text) continue;
    known = true;
    test.op = op;
  }
  if (!known) {
    builder.error_at(option, parts[1].at, parts[1].text.size(), "stream-size-operator", "unknown operator")
        .hint = "=, !=, <, >, <= or >=";
    return;
  }
  std::int64_t bytes = 0;
  if (!parse_bounded(builder, option, parts[2], 0, 0xffff'ffff, bytes)) return;
  test.first = static_cast<std::uint64_t>(bytes);
  builder.add_condition(std::make_unique<StreamSize>(side, test));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"flow", ValueNeed::required, "direction and state of the flow", apply_flow},
    {"stream_size", ValueNeed::required, "bytes a side has sent by sequence number", apply_stream_size},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_flow() {
  return kKeywords;
}

}  // namespace gatehouse::ids
