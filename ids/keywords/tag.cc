// tag: after an alert, further packets of its session or host are told as well.
#include "ids/keywords/values.h"
#include "ids/state/flow_variables.h"

namespace gatehouse::ids {
namespace {

constexpr std::uint32_t kDefaultPackets = 256;

class TagAction : public MatchAction {
 public:
  enum class Target : std::uint8_t { session, source, destination };
  TagAction(Target target, const Tag& tag) : target_(target), tag_(tag) {}

  void apply(ActionContext& context) const override {
    const std::int64_t now_us = context.packet.time_us;
    if (target_ == Target::session) {
      if (context.flow == nullptr) return;
      make_flow_variables(*context.flow).tags.add(begun(now_us));
    } else {
      if (context.packet.ip_version == 0) return;
      const IpAddress& host = target_ == Target::source ? context.packet.source : context.packet.destination;
      context.resources.host_tags.update(AddressKey::host(host, 0), now_us, [&](HostTags& tags) {
        tags.add(begun(now_us));
        return true;
      });
    }
    context.resources.tagged.store(true, std::memory_order_relaxed);
  }

 private:
  Tag begun(std::int64_t now_us) const {
    Tag tag = tag_;
    tag.first_us = tag.last_us = now_us;
    return tag;
  }

  Target target_;
  Tag tag_;
};

bool parse_limit(RuleBuilder& builder, const lang::RuleOption& option, const std::vector<Part>& parts,
                 Tag& tag) {
  std::int64_t number = 0;
  if (!parse_bounded(builder, option, parts[1], 0, 0x7fff'ffff, number)) return false;
  tag.limit = static_cast<std::uint32_t>(number);
  const std::string_view metric = parts[2].text;
  if (metric == "packets") {
    tag.metric = TagMetric::packets;
  } else if (metric == "bytes") {
    tag.metric = TagMetric::bytes;
  } else if (metric == "seconds") {
    tag.metric = TagMetric::seconds;
  } else {
    builder.error_at(option, parts[2].at, metric.size(), "tag-metric", "unknown way to count").hint =
        "packets, bytes or seconds";
    return false;
  }
  // 0: the default limit of packets.
  if (number == 0) {
    tag.metric = TagMetric::packets;
    tag.limit = kDefaultPackets;
  }
  return true;
}

void apply_tag(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  const bool host = parts[0].text == "host";
  if (!host && parts[0].text != "session") {
    builder.error_at(option, parts[0].at, parts[0].text.size(), "tag-type", "what is to be tagged?").hint =
        "session or host";
    return;
  }
  if (parts.size() == 2 || parts.size() > 4) {
    builder.error(option, "tag-syntax", "tag needs a count and what it counts").hint =
        "tag:session,10,packets;  tag:host,60,seconds,src;";
    return;
  }
  Tag tag;
  tag.limit = kDefaultPackets;
  if (parts.size() > 2 && !parse_limit(builder, option, parts, tag)) return;
  auto target = host ? TagAction::Target::source : TagAction::Target::session;
  if (parts.size() == 4) {
    if (parts[3].text != "src" && parts[3].text != "dst") {
      builder.error_at(option, parts[3].at, parts[3].text.size(), "tag-side", "which host?").hint =
          "src or dst";
      return;
    }
    if (!host) {
      builder.warning(option, "tag-side",
                      "a session has no side: `" + std::string(parts[3].text) + "` changes nothing");
    } else if (parts[3].text == "dst") {
      target = TagAction::Target::destination;
    }
  }
  // The rule itself is not complete yet: `sid` may stand behind.
  for (const lang::RuleOption& other : builder.ast.options) {
    const auto number = parse_number(other.value);
    if (!number || *number < 0 || *number > 0xffff'ffffLL) continue;
    if (other.name == "sid") tag.sid = static_cast<std::uint32_t>(*number);
    if (other.name == "gid") tag.gid = static_cast<std::uint32_t>(*number);
  }
  builder.rule.alert_actions.push_back(std::make_unique<TagAction>(target, tag));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"tag", ValueNeed::required, "tells further packets of the session or host after an alert", apply_tag},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_tag() {
  return kKeywords;
}

}  // namespace gatehouse::ids
