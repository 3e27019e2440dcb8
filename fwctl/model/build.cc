#include "fwctl/model/build.h"

#include <fmt/format.h>

#include <set>

#include "fwctl/model/common_sets.h"
#include "fwctl/model/dispatch.h"
#include "fwctl/model/origin.h"
#include "fwctl/model/rule_parts.h"
#include "fwctl/model/shared_chains.h"
#include "fwctl/model/syn_proxy.h"
#include "fwctl/model/translate.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;
using core::IpPrefix;

constexpr const char* kPing4 = "ping-from-v4";
constexpr const char* kPing6 = "ping-from-v6";

constexpr std::uint8_t kEchoRequest4 = 8;
constexpr std::uint8_t kEchoRequest6 = 128;
constexpr std::size_t kMaxNameBytes = 64;

class Builder {
 public:
  explicit Builder(const site::Site& site) : site_(site) {}

  core::Result<Ruleset> build() {
    GH_CHECK(check_zones());
    GH_CHECK(add_zone_sets(site_, out_));
    GH_CHECK(add_icmp_sets(site_, out_));
    add_ban_sets(out_);
    add_blocked_sets();
    GH_CHECK(add_ping_sets());
    out_.chains.push_back(refuse_chain());
    add_shared_chains(out_);
    Dispatcher dispatcher(site_);
    for (const site::Service& s : site_.services) GH_CHECK(dispatcher.add_service(s));
    for (std::size_t i = 0; i < site_.flows.size(); ++i) GH_CHECK(dispatcher.add_flow(site_.flows[i], i + 1));
    GH_CHECK(dispatcher.finish(out_));
    GH_TRY(Translation translation, build_translation(site_));
    for (Set& s : translation.sets) out_.sets.push_back(std::move(s));
    forwarded_ = std::move(translation.forwarded);
    for (Chain& c : translation.chains) out_.chains.push_back(std::move(c));
    GH_TRY(proxies_, build_syn_proxies(site_));
    for (Set& s : proxies_.sets) out_.sets.push_back(std::move(s));
    for (Chain& c : proxies_.chains) out_.chains.push_back(std::move(c));
    GH_CHECK(check_names());
    out_.chains.push_back(prerouting());
    out_.chains.push_back(input());
    out_.chains.push_back(forward());
    out_.chains.push_back(output());
    return std::move(out_);
  }

 private:
  core::Status check_zones() {
    std::set<std::string> seen;
    for (const site::Zone& z : site_.zones) {
      if (z.interface.empty() || z.interface.size() > 15) {
        return fail(Errc::invalid_input,
                    fmt::format("`{}` is not an interface name of 1 to 15 bytes", z.interface), z.where);
      }
      if (z.interface == "lo") return fail(Errc::invalid_input, "`lo` cannot be a zone's interface", z.where);
      if (!seen.insert(z.interface).second) {
        return fail(Errc::invalid_input, "two zones have the interface `" + z.interface + "`", z.where);
      }
      if (z.untrusted != z.networks.empty()) {
        return fail(Errc::invalid_input, "zone `" + z.name + "` needs networks, or `networks: any`", z.where);
      }
      out_.interfaces.emplace_back(z.interface, z.where);
    }
    return {};
  }

  // Two different things must not share a kernel name (zones `a-to-b` and `c` against `a` and `b-to-c`).
  core::Status check_names() const {
    std::set<std::string> seen;
    const auto check = [&](const std::string& name) -> core::Status {
      if (name.size() > 2 * kMaxNameBytes) return fail(Errc::limit, "the name `" + name + "` is too long");
      if (!seen.insert(name).second) {
        return fail(Errc::invalid_input, "two zone or service names both lead to `" + name + "`; rename one");
      }
      return {};
    };
    for (const Set& s : out_.sets) GH_CHECK(check("set " + s.name));
    for (const Chain& c : out_.chains) GH_CHECK(check("chain " + c.name));
    return {};
  }

  // Single addresses in a hash, which costs the kernel a third of what ranges do; the rest as ranges. The
  // lists are merged already: a SetBuilder would compare each with each.
  void add_blocked_sets() {
    for (const bool v4 : {true, false}) {
      for (const bool hosts : {true, false}) {
        Set set;
        set.name = std::string(hosts ? "blocked-hosts-v" : "blocked-ranges-v") + (v4 ? "4" : "6");
        set.key = {v4 ? ValueType::ipv4 : ValueType::ipv6};
        set.intervals = !hosts;
        set.about = "sources that a blocklist refuses from outside";
        for (const site::AddressRange& r : site_.firewall.blocked) {
          if (r.first.is_v4() == v4 && (r.first == r.last) == hosts) set.listed.push_back(r);
        }
        if (set.listed.empty()) continue;
        Rule block =
            rule({is_untrusted(site_, Field::iifname),
                  InSet{{v4 ? Field::ip_saddr : Field::ip6_saddr}, set.name, false}},
                 {VerdictKind::drop, {}},
                 make_origin(site_.firewall.blocklists.empty() ? core::SourcePos{}
                                                               : site_.firewall.blocklists.front().where,
                             "firewall blocklists"));
        blocks_.push_back(std::move(block));
        out_.sets.push_back(std::move(set));
      }
    }
  }

  core::Status add_ping_sets() {
    SetBuilder ping4(kPing4, {ValueType::ifname, ValueType::ipv4}, true, false, "who may send echo requests");
    SetBuilder ping6(kPing6, {ValueType::ifname, ValueType::ipv6}, true, false, "who may send echo requests");
    for (const site::Endpoint& from : site_.firewall.ping_from) {
      const Origin origin = make_origin(from.where, "ping-from " + from.to_string());
      if (from.is_gatehouse()) {
        gatehouse_pings_ = origin;
        continue;
      }
      const site::Zone* zone = site_.find_zone(from.zone);
      if (zone == nullptr)
        return fail(Errc::invalid_input, "there is no zone `" + from.zone + "`", from.where);
      std::vector<IpPrefix> sources = site_.networks_of(from);
      if (sources.empty() && !from.host.empty()) {
        return fail(Errc::invalid_input, "there is no host `" + from.to_string() + "`", from.where);
      }
      if (sources.empty()) sources = {*IpPrefix::parse("0.0.0.0/0"), *IpPrefix::parse("::/0")};
      const Interval interface = Interval::one(Value::of_interface(zone->interface));
      for (const IpPrefix& p : sources) {
        GH_CHECK((p.address.is_v4() ? ping4 : ping6).add({interface, Interval::of_prefix(p)}, {}, origin));
      }
    }
    if (!ping4.empty()) pings_.push_back(ping_rule(Field::icmp_type, kEchoRequest4, Field::ip_saddr, kPing4));
    if (!ping4.empty()) out_.sets.push_back(ping4.take());
    if (!ping6.empty())
      pings_.push_back(ping_rule(Field::icmpv6_type, kEchoRequest6, Field::ip6_saddr, kPing6));
    if (!ping6.empty()) out_.sets.push_back(ping6.take());
    return {};
  }

  Rule ping_rule(Field type, std::uint8_t echo, Field source, const char* set) const {
    const core::SourcePos& where = site_.firewall.ping_from.front().where;
    return rule({is(type, echo), in({Field::iifname, source}, set)}, accept(),
                make_origin(where, "firewall ping-from"));
  }

  // Every chain that decides ends so. The last rule is not left to the chain policy: the kernel
  // applies a policy of drop only at the end of a commit, and a table that is being replaced
  // would let packets through until then (fwctl/NOTES.md).
  void refuse_rest(Chain& chain, std::string_view prefix) const {
    if (site_.firewall.log_per_second != 0) {
      Rule log;
      log.limit = RateLimit{site_.firewall.log_per_second, site_.firewall.log_per_second, false, 1};
      log.log = LogTo{site_.firewall.log_group, "gatehouse:" + std::string(prefix) + " "};
      log.origin = built_in("log what is dropped");
      chain.rules.push_back(std::move(log));
    }
    chain.rules.push_back(rule({}, {VerdictKind::drop, {}}, built_in("everything else")));
  }

  Chain refuse_chain() const {
    Chain chain;
    chain.name = kRefuseChain;
    chain.about = "what is refused before it reaches the end of a base chain";
    refuse_rest(chain, "refused");
    return chain;
  }

  // Before connection tracking, so that a spoofed packet costs no state.
  Chain prerouting() const {
    Chain chain =
        base(Hook::prerouting, -300, "anti-spoofing: a source must belong to the zone of its interface");
    auto& r = chain.rules;
    r.push_back(rule({FieldIs{Field::iifname, Value::of_interface("lo")}}, accept(), built_in("loopback")));
    for (const Field source : {Field::ip_saddr, Field::ip6_saddr}) {
      const std::string_view set = source == Field::ip_saddr ? kBanned4 : kBanned6;
      r.push_back(rule({InSet{{source}, std::string(set), false}}, {VerdictKind::drop, {}},
                       built_in("banned for a time")));
    }
    r.insert(r.end(), blocks_.begin(), blocks_.end());
    r.push_back(leads({in({Field::ip6_saddr}, kOnLink)}, kOnLinkChain, "source on the link"));
    r.push_back(rule({NoRouteBack{}}, refuse(), built_in("no route back through this interface")));
    // First those from outside: concatenated ranges, as the zones have, are the dearest lookup here.
    const Verdict outside = proxies_.from_outside.value_or(accept());
    r.push_back(rule({is_untrusted(site_, Field::iifname), not_in({Field::ip_saddr}, kNeverOutside4)},
                     outside, built_in("source that may be outside")));
    r.push_back(rule({is_untrusted(site_, Field::iifname), not_in({Field::ip6_saddr}, kNeverOutside6)},
                     outside, built_in("source that may be outside")));
    r.push_back(rule({in({Field::iifname, Field::ip_saddr}, kZoneNetworks4)}, accept(),
                     built_in("source in its zone")));
    r.push_back(rule({in({Field::iifname, Field::ip6_saddr}, kZoneNetworks6)}, accept(),
                     built_in("source in its zone")));
    refuse_rest(chain, "spoofed");
    return chain;
  }

  // `stateless`: what is not refused although no connection is known.
  static void tracked(Chain& chain, const std::vector<Rule>& stateless = {}) {
    auto& r = chain.rules;
    r.push_back(rule({StateIs{CtState::established}}, accept(), built_in("established")));
    r.push_back(leads({StateIs{CtState::related}}, kErrorsChain, "of a known connection"));
    r.insert(r.end(), stateless.begin(), stateless.end());
    r.push_back(rule({StateIs{CtState::invalid}}, refuse(), built_in("no valid state")));
    r.push_back(rule({StateIs{CtState::fresh}, FlagsAre{TcpFlags::syn, true}}, refuse(),
                     built_in("new TCP without SYN")));
  }

  Rule dispatch(std::vector<Field> key, const char* map) const {
    Rule out;
    out.outcome = VerdictMap{std::move(key), map};
    out.origin = make_origin({}, "site " + site_.name);
    return out;
  }

  Chain input() const {
    Chain chain = base(Hook::input, 0, "to the gatehouse itself");
    auto& r = chain.rules;
    r.push_back(rule({FieldIs{Field::iifname, Value::of_interface("lo")}}, accept(), built_in("loopback")));
    tracked(chain);
    r.push_back(rule({is(Field::ip6_hoplimit, 255), in({Field::iifname, Field::icmpv6_type}, kNdInput)},
                     accept(), built_in("neighbour discovery, RFC 4890 4.4.1")));
    r.push_back(rule({is(Field::ip6_hoplimit, 1), is(Field::icmpv6_type, kMldQuery)}, accept(),
                     built_in("multicast listener query")));
    r.insert(r.end(), pings_.begin(), pings_.end());
    r.push_back(dispatch({Field::iifname}, Dispatcher::kInputZones));
    refuse_rest(chain, "input");
    return chain;
  }

  Chain forward() const {
    Chain chain = base(Hook::forward, 0, "through the gatehouse");
    auto& r = chain.rules;
    tracked(chain, proxies_.forward);
    // A zone whose interface is down must not find its way out by the default route.
    r.push_back(leads({is_untrusted(site_, Field::oifname)}, kLeavesChain, "leaves for the outside"));
    r.insert(r.end(), forwarded_.begin(), forwarded_.end());
    r.insert(r.end(), pings_.begin(), pings_.end());
    r.push_back(dispatch({Field::iifname, Field::oifname}, Dispatcher::kForwardPairs));
    refuse_rest(chain, "forward");
    return chain;
  }

  Chain output() const {
    Chain chain = base(Hook::output, 0, "from the gatehouse itself");
    auto& r = chain.rules;
    r.push_back(rule({FieldIs{Field::oifname, Value::of_interface("lo")}}, accept(), built_in("loopback")));
    tracked(chain, proxies_.answers);
    r.push_back(rule({is(Field::ip6_hoplimit, 255), in({Field::icmpv6_type}, kNdTypes)}, accept(),
                     built_in("neighbour discovery, RFC 4890 4.4.1")));
    r.push_back(rule({is(Field::ip6_hoplimit, 1), in({Field::icmpv6_type}, kMldReports)}, accept(),
                     built_in("multicast listener reports")));
    if (gatehouse_pings_) {
      r.push_back(rule({is(Field::icmp_type, kEchoRequest4)}, accept(), *gatehouse_pings_));
      r.push_back(rule({is(Field::icmpv6_type, kEchoRequest6)}, accept(), *gatehouse_pings_));
    }
    if (proxies_.to_host) r.push_back(*proxies_.to_host);
    r.push_back(dispatch({Field::oifname}, Dispatcher::kOutputZones));
    refuse_rest(chain, "output");
    return chain;
  }

  static Chain base(Hook hook, std::int32_t priority, std::string about) {
    Chain chain;
    chain.name = to_string(hook);
    chain.hook = hook;
    chain.priority = priority;
    chain.about = std::move(about);
    return chain;
  }

  const site::Site& site_;
  Ruleset out_;
  std::vector<Rule> blocks_;     // sources of the blocklists
  std::vector<Rule> forwarded_;  // connections of forwarded ports
  SynProxies proxies_;
  std::vector<Rule> pings_;                // the same for input and forward
  std::optional<Origin> gatehouse_pings_;  // set when the gatehouse itself may ping
};

}  // namespace

core::Result<Ruleset> build_ruleset(const site::Site& site) {
  return Builder(site).build();
}

}  // namespace gatehouse::fwctl
