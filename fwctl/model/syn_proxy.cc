#include "fwctl/model/syn_proxy.h"

#include <fmt/format.h>

#include <algorithm>

#include "fwctl/model/common_sets.h"
#include "fwctl/model/origin.h"
#include "fwctl/model/set_builder.h"

namespace gatehouse::fwctl {
namespace {

using core::IpAddress;
using core::IpPrefix;

constexpr const char* kSyns = "answered-syns";
constexpr const char* kHandshakes = "answered-handshakes";

Rule counted(std::vector<Match> matches, Origin origin) {
  Rule out;
  out.matches = std::move(matches);
  out.counter = true;
  out.outcome = Verdict{VerdictKind::accept, {}};
  out.origin = std::move(origin);
  return out;
}

// Services whose hosts say the same.
struct Group {
  AnswerFor says4, says6;
  Origin origin;
  SetBuilder ways4, ways6;
};

bool say_the_same(const AnswerFor& a, const AnswerFor& b) {
  return a.mss == b.mss && a.window_scale == b.window_scale && a.timestamps == b.timestamps &&
         a.sack == b.sack;
}

class Builder {
 public:
  explicit Builder(const site::Site& site) : site_(site) {}

  core::Result<SynProxies> build() {
    const auto untrusted =
        std::find_if(site_.zones.begin(), site_.zones.end(), [](const site::Zone& z) { return z.untrusted; });
    if (untrusted == site_.zones.end()) return std::move(out_);
    outside_ = Interval::one(Value::of_interface(untrusted->interface));
    for (const site::Service& s : site_.services) {
      for (const site::Endpoint& from : s.exposed_to) {
        if (is_answered(site_, s, from, site::Transport::tcp)) GH_CHECK(add(s));
      }
    }
    if (groups_.empty()) return std::move(out_);
    prerouting();
    for (Group& g : groups_) forward(g);
    output();
    return std::move(out_);
  }

 private:
  core::Status add(const site::Service& service) {
    const site::Zone* zone = site_.find_zone(service.host.zone);
    if (zone == nullptr) return {};
    const site::SynProxy& p = *service.syn_proxy;
    const Origin origin = make_origin(p.where, "syn-proxy of service " + service.name);
    const AnswerFor says4{p.mss_of(4), p.window_scale, p.timestamps, p.sack};
    const AnswerFor says6{p.mss_of(6), p.window_scale, p.timestamps, p.sack};
    auto group = std::find_if(groups_.begin(), groups_.end(),
                              [&](const Group& g) { return say_the_same(g.says4, says4); });
    if (group == groups_.end()) {
      const std::string name = fmt::format("answered-ways-{}-v", groups_.size() + 1);
      groups_.push_back(
          {says4, says6, origin, ways(name + "4", ValueType::ipv4), ways(name + "6", ValueType::ipv6)});
      group = groups_.end() - 1;
    }
    const Interval away = Interval::one(Value::of_interface(zone->interface));
    const Verdict lead{VerdictKind::go_to, "service-" + service.name};
    for (const IpPrefix& host : site_.networks_of(service.host)) {
      const bool v4 = host.address.is_v4();
      const Interval address = Interval::of_prefix(host);
      for (const site::PortRange& r : service.ports) {
        if (r.transport != site::Transport::tcp) continue;
        const Interval ports{Value::of_port(r.first), Value::of_port(r.last)};
        GH_CHECK((v4 ? places4_ : places6_).add({outside_, address, ports}, {}, origin));
        GH_CHECK((v4 ? group->ways4 : group->ways6).add({outside_, away, address, ports}, {}, origin));
        GH_CHECK((v4 ? services4_ : services6_).add({away, address, ports}, lead, origin));
      }
    }
    return {};
  }

  // Single ports are hash lookups; one range makes all of them ranges.
  bool ranges() const {
    return std::any_of(site_.services.begin(), site_.services.end(), [](const site::Service& s) {
      return s.syn_proxy && std::any_of(s.ports.begin(), s.ports.end(), [](const site::PortRange& r) {
               return r.transport == site::Transport::tcp && r.first != r.last;
             });
    });
  }
  SetBuilder ways(const std::string& name, ValueType address) const {
    return SetBuilder(name, {ValueType::ifname, ValueType::ifname, address, ValueType::port}, ranges(), false,
                      "connections that the gatehouse answers for");
  }
  SetBuilder places(const char* name, ValueType address, bool lead) const {
    return SetBuilder(name, {ValueType::ifname, address, ValueType::port}, ranges(), lead,
                      lead ? "where completed handshakes go on" : "ports that the gatehouse answers for");
  }
  void keep(SetBuilder& builder) {
    if (!builder.empty()) out_.sets.push_back(builder.take());
  }
  static Match in(std::vector<Field> key, const std::string& set) {
    return InSet{std::move(key), set, false};
  }

  void prerouting() {
    Chain chain;
    chain.name = kSyns;
    chain.about = "what connection tracking does not see: SYNs that the gatehouse answers";
    const Origin& origin = groups_.front().origin;
    for (const bool v4 : {true, false}) {
      if ((v4 ? places4_ : places6_).empty()) continue;
      Rule rule = counted(
          {FlagsAre{TcpFlags::syn},
           in({Field::iifname, v4 ? Field::ip_daddr : Field::ip6_daddr, Field::dport}, places_name(v4))},
          origin);
      rule.leave_untracked = true;
      chain.rules.push_back(std::move(rule));
    }
    chain.rules.push_back(counted({}, built_in("source that may be outside")));
    out_.chains.push_back(std::move(chain));
    out_.from_outside = Verdict{VerdictKind::go_to, kSyns};
  }

  void forward(Group& g) {
    for (const bool v4 : {true, false}) {
      SetBuilder& builder = v4 ? g.ways4 : g.ways6;
      if (builder.empty()) continue;
      Set set = builder.take();
      const auto rule = [&](CtState state, TcpFlags flags, const char* why) {
        Rule out = counted(
            {StateIs{state}, FlagsAre{flags},
             in({Field::iifname, Field::oifname, v4 ? Field::ip_daddr : Field::ip6_daddr, Field::dport},
                set.name)},
            g.origin);
        out.origin.text += why;
        return out;
      };
      Rule syn = rule(CtState::untracked, TcpFlags::syn, ": answered");
      Rule ack = rule(CtState::invalid, TcpFlags::ack, ": completes the handshake, or is nothing");
      syn.outcome = ack.outcome = v4 ? g.says4 : g.says6;
      // Of a connection whose host has not answered yet: the kernel asks it again, and sends nothing on.
      Rule waiting = rule(CtState::fresh, TcpFlags::ack, ": waits for the host");
      for (Rule* r : {&syn, &ack, &waiting}) out_.forward.push_back(std::move(*r));
      out_.sets.push_back(std::move(set));
    }
  }

  void output() {
    Chain chain;
    chain.name = kHandshakes;
    chain.about = "SYNs that no program here sends: for those who completed the handshake";
    Rule own = counted({HasUser{}}, built_in("of a program"));
    own.outcome = Verdict{VerdictKind::give_back, {}};
    chain.rules.push_back(std::move(own));
    for (const bool v4 : {true, false}) {
      if ((v4 ? places4_ : places6_).empty()) continue;
      Origin origin = groups_.front().origin;
      out_.answers.push_back(counted(
          {StateIs{CtState::invalid}, FlagsAre{TcpFlags::syn_ack},
           in({Field::oifname, v4 ? Field::ip_saddr : Field::ip6_saddr, Field::sport}, places_name(v4))},
          origin));
      out_.answers.back().origin.text += ": the answer";
      Rule lead;
      lead.matches = {
          InSet{{v4 ? Field::ip_saddr : Field::ip6_saddr}, v4 ? kNeverOutside4 : kNeverOutside6, true}};
      lead.outcome = VerdictMap{{Field::oifname, v4 ? Field::ip_daddr : Field::ip6_daddr, Field::dport},
                                v4 ? "answered-services-v4" : "answered-services-v6"};
      lead.origin = origin;
      chain.rules.push_back(std::move(lead));
    }
    Rule to_host;
    to_host.matches = {StateIs{CtState::fresh}, FlagsAre{TcpFlags::syn}};
    to_host.outcome = Verdict{VerdictKind::jump, kHandshakes};
    to_host.origin = groups_.front().origin;
    out_.to_host = std::move(to_host);
    out_.chains.push_back(std::move(chain));
    for (SetBuilder* b : {&places4_, &places6_, &services4_, &services6_}) keep(*b);
  }
  static std::string places_name(bool v4) { return v4 ? "answered-v4" : "answered-v6"; }

  const site::Site& site_;
  Interval outside_;
  std::vector<Group> groups_;
  SetBuilder places4_ = places("answered-v4", ValueType::ipv4, false);
  SetBuilder places6_ = places("answered-v6", ValueType::ipv6, false);
  SetBuilder services4_ = places("answered-services-v4", ValueType::ipv4, true);
  SetBuilder services6_ = places("answered-services-v6", ValueType::ipv6, true);
  SynProxies out_;
};

}  // namespace

bool is_answered(const site::Site& site, const site::Service& service, const site::Endpoint& from,
                 site::Transport transport) {
  const site::Zone* zone = site.find_zone(from.zone);
  return service.syn_proxy && transport == site::Transport::tcp && zone != nullptr && zone->untrusted;
}

core::Result<SynProxies> build_syn_proxies(const site::Site& site) {
  return Builder(site).build();
}

}  // namespace gatehouse::fwctl
