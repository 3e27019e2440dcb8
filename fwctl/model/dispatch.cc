#include "fwctl/model/dispatch.h"

#include <fmt/format.h>

#include "fwctl/model/limit.h"
#include "fwctl/model/origin.h"
#include "fwctl/model/syn_proxy.h"
#include "fwctl/model/translate.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;
using core::IpPrefix;

Rule counted(Verdict verdict, Origin origin) {
  Rule out;
  out.counter = true;
  out.outcome = std::move(verdict);
  out.origin = std::move(origin);
  return out;
}

// The addresses one end of a grant is limited to; empty: any, because the interface (checked by
// the anti-spoofing rules for sources) already says all there is to say.
core::Result<std::vector<IpPrefix>> addresses_of(const site::Site& site, const site::Endpoint& end,
                                                 bool source) {
  if (end.is_gatehouse()) return std::vector<IpPrefix>{};
  const site::Zone* zone = site.find_zone(end.zone);
  if (zone == nullptr) return fail(Errc::invalid_input, "there is no zone `" + end.zone + "`", end.where);
  if (end.host.empty()) return source || zone->untrusted ? std::vector<IpPrefix>{} : zone->networks;
  std::vector<IpPrefix> out = site.networks_of(end);
  if (out.empty()) {
    return fail(Errc::invalid_input,
                fmt::format("zone `{}` has no host `{}` with an address", end.zone, end.host), end.where);
  }
  return out;
}

}  // namespace

Dispatcher::Dispatcher(const site::Site& site) : site_(site) {
  Chain all;
  all.name = kLimitAllChain;
  all.about = "what all services together take";
  all.rules = limit_all(site).rules;
  limits_all_ = !all.rules.empty();
  if (limits_all_) targets_.push_back(std::move(all));
}

core::Status Dispatcher::add_service(const site::Service& service) {
  if (service.ports.empty() || (service.exposed_to.empty() && !is_forwarded_to(site_, service))) return {};
  Chain chain;
  chain.name = "service-" + service.name;
  const std::string label = "service " + service.name;
  chain.about = label + " on " + service.host.to_string();
  LimitRules own = limits_of(site_, service);
  const auto source_rules = static_cast<std::ptrdiff_t>(own.sets.size());
  // What all services share comes after what is counted for each source, and spares administration.
  if (!service.ssh && limits_all_) {
    Rule all;
    all.outcome = Verdict{VerdictKind::jump, std::string(kLimitAllChain)};
    all.origin = make_origin(site_.firewall.limit->where, "firewall limit");
    own.rules.insert(own.rules.begin() + source_rules, std::move(all));
  }
  std::move(own.sets.begin(), own.sets.end(), std::back_inserter(limit_sets_));
  std::move(own.rules.begin(), own.rules.end(), std::back_inserter(chain.rules));
  chain.rules.push_back(counted({VerdictKind::accept, {}}, make_origin(service.where, label)));
  for (const site::Endpoint& from : service.exposed_to) {
    std::vector<site::PortRange> ports = service.ports;
    std::erase_if(ports,
                  [&](const site::PortRange& p) { return is_answered(site_, service, from, p.transport); });
    GH_CHECK(grant(from, service.host, ports, {}, chain.name, service.name, service.where));
  }
  targets_.push_back(std::move(chain));
  return {};
}

core::Status Dispatcher::add_flow(const site::Flow& flow, std::size_t number) {
  Chain chain;
  chain.name = fmt::format("flow-{}", number);
  std::string label = fmt::format("flow {} to {}", flow.from.to_string(), flow.to.to_string());
  if (flow.user) label += fmt::format(" of user {}", *flow.user);
  if (flow.group) label += " of control group " + flow.group->path;
  if (!flow.comment.empty()) label += ": " + flow.comment;
  chain.about = label;
  chain.rules.push_back(counted({VerdictKind::accept, {}}, make_origin(flow.where, label)));
  GH_CHECK(
      grant(flow.from, flow.to, flow.ports, {flow.user, flow.group}, chain.name, chain.name, flow.where));
  targets_.push_back(std::move(chain));
  return {};
}

core::Status Dispatcher::grant(const site::Endpoint& from, const site::Endpoint& to,
                               const std::vector<site::PortRange>& ports, const Sender& sender,
                               const std::string& chain, std::string_view label,
                               const core::SourcePos& where) {
  if (from.is_gatehouse() && to.is_gatehouse()) return {};  // the loopback rules let it pass
  if (sender.group && sender.group->id == 0) return {};     // nobody is in a group that is not there
  GH_TRY(const std::vector<IpPrefix> sources, addresses_of(site_, from, true));
  GH_TRY(const std::vector<IpPrefix> destinations, addresses_of(site_, to, false));
  const PairName name{from.zone, to.zone};
  if (Pair& pair = pairs_[name]; pair.maps.empty()) pair.where = where;
  // "Any" stands as one null pointer, so that the loops below need no special case.
  const auto pointers = [](const std::vector<IpPrefix>& all) {
    std::vector<const IpPrefix*> out;
    for (const IpPrefix& p : all) out.push_back(&p);
    if (out.empty()) out.push_back(nullptr);
    return out;
  };
  for (const IpPrefix* source : pointers(sources)) {
    for (const IpPrefix* destination : pointers(destinations)) {
      if (source && destination && source->address.version != destination->address.version) continue;
      for (const site::PortRange& port : ports) {
        const Origin origin = make_origin(port.where.line != 0 ? port.where : where,
                                          fmt::format("{} {}", label, port.to_string()));
        GH_CHECK(add_entry(name, source, destination, port, sender, chain, origin));
      }
    }
  }
  return {};
}

core::Status Dispatcher::add_entry(const PairName& name, const IpPrefix* source, const IpPrefix* destination,
                                   const site::PortRange& port, const Sender& sender,
                                   const std::string& chain, const Origin& origin) {
  Shape shape;
  shape.by_source = source != nullptr;
  shape.by_destination = destination != nullptr;
  shape.intervals =
      port.first != port.last || (source && !source->is_host()) || (destination && !destination->is_host());
  shape.by_user = sender.user.has_value();
  shape.group_level = sender.group ? sender.group->level() : 0;
  if (source) shape.family = source->address.version;
  if (destination) shape.family = destination->address.version;

  const ValueType address = shape.family == 4 ? ValueType::ipv4 : ValueType::ipv6;
  std::vector<ValueType> types;
  Box key;
  for (const IpPrefix* prefix : {source, destination}) {
    if (prefix == nullptr) continue;
    types.push_back(address);
    key.push_back(Interval::of_prefix(*prefix));
  }
  types.insert(types.end(), {ValueType::protocol, ValueType::port});
  key.push_back(
      Interval::one(Value::of_u8(port.transport == site::Transport::tcp ? kProtocolTcp : kProtocolUdp)));
  key.push_back({Value::of_port(port.first), Value::of_port(port.last)});
  if (sender.user) {
    types.push_back(ValueType::user);
    key.push_back(Interval::one(Value::of_user(*sender.user)));
  }
  if (sender.group) {
    const Value id = Value::of_control_group(sender.group->id);
    types.push_back(ValueType::control_group);
    key.push_back(Interval::one(id));
    pairs_[name].groups[id] = sender.group->path;
  }

  const std::string map_name =
      fmt::format("{}-to-{}{}{}{}{}{}{}", name.first, name.second, shape.by_source ? "-by-source" : "",
                  shape.by_destination ? "" : "-any-host", shape.intervals ? "-ranges" : "",
                  shape.by_user ? "-by-user" : "",
                  shape.group_level == 0 ? "" : fmt::format("-by-group-{}", shape.group_level),
                  shape.family == 0   ? ""
                  : shape.family == 4 ? "-v4"
                                      : "-v6");
  auto& maps = pairs_[name].maps;
  const auto at = maps.try_emplace(shape, map_name, types, shape.intervals, true,
                                   fmt::format("what {} may open to {}", name.first, name.second));
  return at.first->second.add(key, Verdict{VerdictKind::go_to, chain}, origin);
}

core::Result<std::string> Dispatcher::interface_of(const std::string& zone,
                                                   const core::SourcePos& where) const {
  const site::Zone* found = site_.find_zone(zone);
  if (found == nullptr) return fail(Errc::invalid_input, "there is no zone `" + zone + "`", where);
  return found->interface;
}

Chain Dispatcher::pair_chain(const PairName& name, Pair& pair, Ruleset& out) const {
  Chain chain;
  chain.name = name.first + "-to-" + name.second;
  chain.about = fmt::format("new connections from {} to {}", name.first, name.second);
  for (auto& [shape, builder] : pair.maps) {
    Set map = builder.take();
    Rule rule;
    VerdictMap lookup;
    lookup.map = map.name;
    if (shape.by_source) lookup.key.push_back(shape.family == 4 ? Field::ip_saddr : Field::ip6_saddr);
    if (shape.by_destination) lookup.key.push_back(shape.family == 4 ? Field::ip_daddr : Field::ip6_daddr);
    lookup.key.insert(lookup.key.end(), {Field::l4proto, Field::dport});
    if (shape.by_user) lookup.key.push_back(Field::skuid);
    if (shape.group_level != 0) {
      lookup.key.push_back(Field::control_group);
      lookup.level = shape.group_level;
      map.groups = pair.groups;
    }
    rule.outcome = std::move(lookup);
    rule.origin = make_origin(pair.where, fmt::format("{} to {}", name.first, name.second));
    chain.rules.push_back(std::move(rule));
    out.sets.push_back(std::move(map));
  }
  return chain;
}

core::Status Dispatcher::finish(Ruleset& out) {
  for (Set& set : limit_sets_) out.sets.push_back(std::move(set));
  for (Chain& chain : targets_) out.chains.push_back(std::move(chain));
  const std::string gatehouse(site::kGatehouse);
  SetBuilder forward(kForwardPairs, {ValueType::ifname, ValueType::ifname}, false, true,
                     "way in, way out: the chain that decides");
  SetBuilder input(kInputZones, {ValueType::ifname}, false, true,
                   "way in: what may reach the gatehouse itself");
  SetBuilder output(kOutputZones, {ValueType::ifname}, false, true, "way out: what the gatehouse may reach");
  for (auto& [name, pair] : pairs_) {
    const Origin origin = make_origin(pair.where, name.first + " to " + name.second);
    const Verdict jump{VerdictKind::jump, name.first + "-to-" + name.second};
    Box key;
    for (const std::string& zone : {name.first, name.second}) {
      if (zone == gatehouse) continue;
      GH_TRY(const std::string interface, interface_of(zone, pair.where));
      key.push_back(Interval::one(Value::of_interface(interface)));
    }
    SetBuilder& target = name.second == gatehouse ? input : name.first == gatehouse ? output : forward;
    GH_CHECK(target.add(key, jump, origin));
    out.chains.push_back(pair_chain(name, pair, out));
  }
  for (SetBuilder* builder : {&forward, &input, &output}) out.sets.push_back(builder->take());
  return {};
}

}  // namespace gatehouse::fwctl
