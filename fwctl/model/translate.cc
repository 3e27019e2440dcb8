#include "fwctl/model/translate.h"

#include <fmt/format.h>

#include <algorithm>

#include "fwctl/model/origin.h"
#include "fwctl/model/set_builder.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;
using core::IpPrefix;

constexpr const char* kHidden = "hidden-sources";
constexpr std::int32_t kBeforeRouting = -100, kAfterRouting = 100;

Interval ports(std::uint16_t first, std::uint16_t last) {
  return {Value::of_port(first), Value::of_port(last)};
}
Interval protocol(site::Transport transport) {
  return Interval::one(Value::of_u8(transport == site::Transport::tcp ? kProtocolTcp : kProtocolUdp));
}

Chain base(Hook hook, std::int32_t priority, const char* name, const char* about) {
  Chain out;
  out.name = name;
  out.hook = hook;
  out.priority = priority;
  out.translates = true;
  out.about = about;
  return out;
}

class Translator {
 public:
  explicit Translator(const site::Site& site) : site_(site) {}

  core::Result<Translation> build() {
    if (!site_.nat.forwards.empty()) GH_CHECK(forwards());
    if (!site_.nat.masquerades.empty()) GH_CHECK(masquerades());
    return std::move(out_);
  }

 private:
  core::Result<Interval> interface_of(const site::Endpoint& e) const {
    const site::Zone* zone = site_.find_zone(e.zone);
    if (zone == nullptr) return fail(Errc::invalid_input, "there is no zone `" + e.zone + "`", e.where);
    return Interval::one(Value::of_interface(zone->interface));
  }

  core::Status forwards() {
    Chain chain =
        base(Hook::prerouting, kBeforeRouting, "forward-ports", "ports of the gatehouse that lead to hosts");
    const bool ranges = std::any_of(site_.nat.forwards.begin(), site_.nat.forwards.end(),
                                    [](const auto& f) { return f.port.first != f.port.last; });
    SetBuilder passed4 = passed(4, ranges);
    SetBuilder passed6 = passed(6, ranges);
    for (std::size_t i = 0; i < site_.nat.forwards.size(); ++i) {
      const site::PortForward& f = site_.nat.forwards[i];
      const auto target = site_.target_of(f);
      const site::Service* service = site_.service_behind(f);
      if (!target || service == nullptr)
        return fail(Errc::invalid_input, "nothing is behind the forwarded port " + f.port.to_string(),
                    f.where);
      const Origin origin =
          make_origin(f.where, fmt::format("forward {} to {}", f.port.to_string(), f.to.to_string()));
      GH_TRY(const Interval in, interface_of(f.from));
      GH_TRY(const Interval away, interface_of(f.to));
      const bool v4 = f.address.is_v4();
      SetBuilder asked(fmt::format("forward-{}", i + 1),
                       {ValueType::ifname, v4 ? ValueType::ipv4 : ValueType::ipv6, ValueType::port},
                       f.port.first != f.port.last, false, "what is forwarded to " + f.to.to_string());
      GH_CHECK(asked.add({in, Interval::one(Value::of_address(f.address)), ports(f.port.first, f.port.last)},
                         {}, origin));
      Rule rule;
      // nft takes a port to translate to only behind a match of the protocol.
      rule.matches = {FieldIs{Field::l4proto, protocol(f.port.transport).first},
                      InSet{{Field::iifname, v4 ? Field::ip_daddr : Field::ip6_daddr, Field::dport},
                            fmt::format("forward-{}", i + 1),
                            false}};
      rule.counter = true;
      rule.outcome = ForwardTo{*target, f.to_port == f.port.first ? std::uint16_t{0} : f.to_port};
      rule.origin = origin;
      chain.rules.push_back(std::move(rule));
      out_.sets.push_back(asked.take());
      GH_CHECK((v4 ? passed4 : passed6)
                   .add({in, away, Interval::one(Value::of_address(*target)), protocol(f.port.transport),
                         ports(f.to_port, f.last_to_port())},
                        Verdict{VerdictKind::go_to, "service-" + service->name}, origin));
    }
    for (SetBuilder* b : {&passed4, &passed6}) {
      if (!b->empty()) let_pass(b->take());
    }
    out_.chains.push_back(std::move(chain));
    return {};
  }
  static SetBuilder passed(int version, bool ranges) {
    return SetBuilder(fmt::format("forwarded-v{}", version),
                      {ValueType::ifname, ValueType::ifname, version == 4 ? ValueType::ipv4 : ValueType::ipv6,
                       ValueType::protocol, ValueType::port},
                      ranges, true, "where forwarded connections may go");
  }
  void let_pass(Set set) {
    Rule rule;
    rule.matches = {IsForwarded{}};
    rule.outcome = VerdictMap{
        {Field::iifname, Field::oifname, set.key[2] == ValueType::ipv4 ? Field::ip_daddr : Field::ip6_daddr,
         Field::l4proto, Field::dport},
        set.name};
    rule.origin = make_origin(site_.nat.forwards.front().where, "forwarded ports");
    out_.forwarded.push_back(std::move(rule));
    out_.sets.push_back(std::move(set));
  }

  core::Status masquerades() {
    SetBuilder hidden(kHidden, {ValueType::ifname, ValueType::ipv4}, true, false,
                      "sources that leave with the gatehouse's address");
    for (const site::Masquerade& m : site_.nat.masquerades) {
      const Origin origin =
          make_origin(m.where, fmt::format("masquerade {} to {}", m.from.to_string(), m.to.to_string()));
      GH_TRY(const Interval away, interface_of(m.to));
      for (const IpPrefix& p : site_.networks_of(m.from)) {
        if (p.address.is_v4()) GH_CHECK(hidden.add({away, Interval::of_prefix(p)}, {}, origin));
      }
    }
    Chain chain = base(Hook::postrouting, kAfterRouting, "hide-sources", "masquerading");
    Rule rule;
    rule.matches = {InSet{{Field::oifname, Field::ip_saddr}, kHidden, false}};
    rule.counter = true;
    rule.outcome = HideSource{};
    rule.origin = make_origin(site_.nat.masquerades.front().where, "masquerade");
    chain.rules.push_back(std::move(rule));
    out_.sets.push_back(hidden.take());
    out_.chains.push_back(std::move(chain));
    return {};
  }

  const site::Site& site_;
  Translation out_;
};

}  // namespace

core::Result<Translation> build_translation(const site::Site& site) {
  return Translator(site).build();
}

bool is_forwarded_to(const site::Site& site, const site::Service& service) {
  return std::any_of(site.nat.forwards.begin(), site.nat.forwards.end(),
                     [&](const site::PortForward& f) { return site.service_behind(f) == &service; });
}

}  // namespace gatehouse::fwctl
