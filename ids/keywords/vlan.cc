// vlan.id and vlan.layers: IEEE 802.1Q tags, outermost first.
#include <algorithm>

#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

constexpr std::int64_t kMostLayers = 3;

class VlanId : public Condition {
 public:
  enum class Which : std::uint8_t { any, all, one };
  VlanId(const NumberTest& test, Which which, std::int64_t layer)
      : test_(test), which_(which), layer_(layer) {}
  bool holds(const InspectContext& context) const override {
    const Packet& p = context.packet;
    const auto first = p.vlan.begin();
    const auto last = first + std::min<std::ptrdiff_t>(p.vlan_count, kMostLayers);
    const auto fits = [&](std::uint16_t id) { return test_.holds(id); };
    if (first == last) return false;
    if (which_ == Which::any) return std::any_of(first, last, fits);
    if (which_ == Which::all) return std::all_of(first, last, fits);
    // Negative: counted from the innermost one.
    const std::int64_t place = layer_ < 0 ? (last - first) + layer_ : layer_;
    return place >= 0 && place < last - first && fits(first[place]);
  }

 private:
  NumberTest test_;
  Which which_;
  std::int64_t layer_;
};

void apply_id(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  NumberTest test;
  if (parts.size() > 2) {
    builder.error(option, "vlan-syntax", "vlan.id has at most two parts").hint = "vlan.id:<id>[,<layer>];";
    return;
  }
  if (!parse_number_test(builder, option, parts[0], 4095, test)) return;
  auto which = VlanId::Which::any;
  std::int64_t layer = 0;
  if (parts.size() == 2 && parts[1].text == "all") {
    which = VlanId::Which::all;
  } else if (parts.size() == 2 && parts[1].text != "any") {
    which = VlanId::Which::one;
    if (!parse_bounded(builder, option, parts[1], -kMostLayers, kMostLayers - 1, layer)) return;
  }
  builder.add_condition(std::make_unique<VlanId>(test, which, layer));
}

std::optional<std::uint64_t> layers(const Packet& p) {
  return p.vlan_count;
}
void apply_layers(RuleBuilder& builder, const lang::RuleOption& option) {
  NumberTest test;
  if (!parse_number_test(builder, option, whole(option), kMostLayers, test)) return;
  add_packet_number_test(builder, test, layers);
}

constexpr KeywordDescriptor kKeywords[] = {
    {"vlan.id", ValueNeed::required, "VLAN identifier, of any layer or of one", apply_id},
    {"vlan.layers", ValueNeed::required, "number of VLAN layers", apply_layers},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_vlan() {
  return kKeywords;
}

}  // namespace gatehouse::ids
