#include "fwctl/model/common_sets.h"

#include "fwctl/model/bogons.h"
#include "fwctl/model/origin.h"
#include "fwctl/model/set_builder.h"

namespace gatehouse::fwctl {

using core::Errc;
using core::fail;
using core::IpPrefix;

namespace {

constexpr std::uint8_t kRouterAdvert = 134;

void add_types(Ruleset& out, const char* name, ValueType type, std::initializer_list<std::uint8_t> values,
               const char* about) {
  Set set;
  set.name = name;
  set.key = {type};
  set.about = about;
  for (const std::uint8_t v : values) {
    set.elements.push_back({{Interval::one(Value::of_u8(v))}, {}, built_in(about)});
  }
  out.sets.push_back(std::move(set));
}

const site::Zone* only_untrusted(const site::Site& site) {
  const site::Zone* found = nullptr;
  for (const site::Zone& z : site.zones) {
    if (!z.untrusted) continue;
    if (found != nullptr) return nullptr;
    found = &z;
  }
  return found;
}

}  // namespace

Match is_untrusted(const site::Site& site, Field interface) {
  if (const site::Zone* zone = only_untrusted(site))
    return FieldIs{interface, Value::of_interface(zone->interface)};
  return InSet{{interface}, kUntrusted, false};
}

core::Status add_zone_sets(const site::Site& site, Ruleset& out) {
  SetBuilder networks4(kZoneNetworks4, {ValueType::ifname, ValueType::ipv4}, true, false,
                       "the sources each trusted interface may send");
  SetBuilder networks6(kZoneNetworks6, {ValueType::ifname, ValueType::ipv6}, true, false,
                       "the sources each trusted interface may send");
  SetBuilder never4(kNeverOutside4, {ValueType::ipv4}, true, false, "addresses that do not exist outside");
  SetBuilder never6(kNeverOutside6, {ValueType::ipv6}, true, false, "addresses that do not exist outside");
  SetBuilder untrusted(kUntrusted, {ValueType::ifname}, false, false, "interfaces that lead to any network");
  for (const site::Zone& z : site.zones) {
    const Origin origin = make_origin(z.where, "zone " + z.name);
    const Interval interface = Interval::one(Value::of_interface(z.interface));
    if (z.untrusted) GH_CHECK(untrusted.add({interface}, {}, origin));
    for (const IpPrefix& n : z.networks) {
      const bool v4 = n.address.is_v4();
      GH_CHECK((v4 ? networks4 : networks6).add({interface, Interval::of_prefix(n)}, {}, origin));
      GH_CHECK((v4 ? never4 : never6).add({Interval::of_prefix(n)}, {}, origin));
    }
  }
  std::vector<Bogon> bogons(impossible_bogons().begin(), impossible_bogons().end());
  if (site.firewall.registry_bogons)
    bogons.insert(bogons.end(), registry_bogons().begin(), registry_bogons().end());
  for (const Bogon& bogon : bogons) {
    const auto prefix = IpPrefix::parse(bogon.prefix);
    if (!prefix) return fail(Errc::invalid_input, "built-in prefix " + std::string(bogon.prefix));
    SetBuilder& set = prefix->address.is_v4() ? never4 : never6;
    GH_CHECK(set.add({Interval::of_prefix(*prefix)}, {}, built_in(bogon.what)));
  }
  for (SetBuilder* b : {&networks4, &networks6, &untrusted, &never4, &never6}) {
    if (b == &untrusted && only_untrusted(site) != nullptr) continue;
    out.sets.push_back(b->take());
  }
  return {};
}

core::Status add_icmp_sets(const site::Site& site, Ruleset& out) {
  add_types(out, kErrors4, ValueType::icmp_type, {3, 11, 12}, "ICMP errors");
  add_types(out, kErrors6, ValueType::icmpv6_type, {1, 2, 3, 4}, "RFC 4890 errors");
  add_types(out, kNdTypes, ValueType::icmpv6_type, {133, 134, 135, 136}, "RFC 4861 neighbour discovery");
  add_types(out, kMldReports, ValueType::icmpv6_type, {131, 132, 143}, "RFC 3810 reports");
  Set on_link;
  on_link.name = kOnLink;
  on_link.key = {ValueType::ipv6};
  on_link.intervals = true;
  on_link.about = "sources of a host on this link: unspecified and link-local";
  const Value zero = Value::lowest(16);
  on_link.elements.push_back({{Interval::one(zero)}, {}, built_in("RFC 4862 duplicate address detection")});
  on_link.elements.push_back(
      {{Interval::of_prefix(*IpPrefix::parse("fe80::/10"))}, {}, built_in("link-local")});
  out.sets.push_back(std::move(on_link));

  // Who may send which neighbour discovery message to the gatehouse: a router advertisement comes
  // only from where the upstream router is; towards its own zones the gatehouse is the router.
  SetBuilder nd(kNdInput, {ValueType::ifname, ValueType::icmpv6_type}, false, false,
                "neighbour discovery the gatehouse listens to");
  for (const site::Zone& z : site.zones) {
    for (const std::uint8_t type : {133, 134, 135, 136}) {
      if (type == kRouterAdvert && !z.untrusted) continue;
      const Box key = {Interval::one(Value::of_interface(z.interface)), Interval::one(Value::of_u8(type))};
      GH_CHECK(nd.add(key, {}, make_origin(z.where, "zone " + z.name)));
    }
  }
  out.sets.push_back(nd.take());
  return {};
}

void add_ban_sets(Ruleset& out) {
  for (const bool v4 : {true, false}) {
    Set set;
    set.name = v4 ? kBanned4 : kBanned6;
    set.key = {v4 ? ValueType::ipv4 : ValueType::ipv6};
    set.timeouts = true;
    set.about = "sources that the guard refuses for a time";
    out.sets.push_back(std::move(set));
  }
}

}  // namespace gatehouse::fwctl
