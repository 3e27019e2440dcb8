#include "fwctl/model/limit.h"

#include <algorithm>

#include "fwctl/model/dispatch.h"
#include "fwctl/model/origin.h"

namespace gatehouse::fwctl {
namespace {

constexpr std::uint32_t kForgetSeconds = 60;

Rule refusal(const Origin& origin) {
  Rule out;
  out.counter = true;
  out.outcome = Verdict{VerdictKind::go_to, std::string(kRefuseChain)};
  out.origin = origin;
  return out;
}

RateLimit over(const site::Rate& rate) {
  return {rate.count, rate.burst, true, rate.unit_s};
}

// A source is remembered until its burst is whole again.
std::uint32_t forget_s(const site::Rate& rate) {
  const std::uint64_t refilled = (std::uint64_t{rate.burst} * rate.unit_s + rate.count - 1) / rate.count + 1;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(refilled, kForgetSeconds, 30U * 86'400U));
}

class ServiceLimits {
 public:
  ServiceLimits(const site::Site& site, const site::Service& service)
      : site_(site), service_(service), label_("service " + service.name) {}

  LimitRules make() {
    if (service_.limit) {
      const site::ConnectionLimit& l = *service_.limit;
      for (const bool v4 : {true, false}) {
        if (l.opened_by_source.count != 0) {
          each(v4, "new", forget_s(l.opened_by_source), over(l.opened_by_source),
               ": too many new connections of one source");
        }
        if (l.open_by_source != 0)
          each(v4, "open", 0, ConnectionsOver{l.open_by_source}, ": too many connections of one source");
      }
    }
    rate();
    if (service_.limit && service_.limit->open != 0) {
      Rule rule = refusal(make_origin(service_.limit->where, label_ + ": too many connections"));
      rule.connections = ConnectionsOver{service_.limit->open};
      out_.rules.push_back(std::move(rule));
    }
    return std::move(out_);
  }

 private:
  void each(bool v4, const char* what, std::uint32_t forget, std::variant<RateLimit, ConnectionsOver> meter,
            const char* why) {
    const site::ConnectionLimit& l = *service_.limit;
    Set set;
    set.name = "limit-" + service_.name + "-" + what + (v4 ? "-v4" : "-v6");
    set.key = {v4 ? ValueType::ipv4 : ValueType::ipv6};
    set.timeouts = forget != 0;
    set.most = site_.firewall.sources_remembered;
    set.about = "sources of " + label_ + " and what they have used of their limit";
    Rule rule = refusal(make_origin(l.where, label_ + why));
    rule.for_each_source = ForEachSource{set.name, v4 ? Field::ip_saddr : Field::ip6_saddr,
                                         v4 ? l.source_v4 : l.source_v6, forget, std::move(meter)};
    out_.sets.push_back(std::move(set));
    out_.rules.push_back(std::move(rule));
  }

  // The service's own, else the one that every service has, of TCP alone.
  void rate() {
    const site::Firewall& f = site_.firewall;
    const bool own = service_.limit && service_.limit->opened.count != 0;
    if (!own && f.syn_per_second == 0) return;
    Rule rule = refusal(
        make_origin(own ? service_.limit->where : service_.where, label_ + ": too many new connections"));
    if (own) {
      rule.limit = over(service_.limit->opened);
    } else {
      rule.matches.emplace_back(FieldIs{Field::l4proto, Value::of_u8(kProtocolTcp)});
      rule.limit = RateLimit{f.syn_per_second, f.syn_burst, true, 1};
    }
    out_.rules.push_back(std::move(rule));
  }

  const site::Site& site_;
  const site::Service& service_;
  const std::string label_;
  LimitRules out_;
};

}  // namespace

LimitRules limit_all(const site::Site& site) {
  LimitRules out;
  if (!site.firewall.limit) return out;
  const site::ConnectionLimit& l = *site.firewall.limit;
  const Origin origin = make_origin(l.where, "firewall limit: too many connections to all services");
  if (l.opened.count != 0) {
    out.rules.push_back(refusal(origin));
    out.rules.back().limit = over(l.opened);
  }
  if (l.open != 0) {
    out.rules.push_back(refusal(origin));
    out.rules.back().connections = ConnectionsOver{l.open};
  }
  return out;
}

LimitRules limits_of(const site::Site& site, const site::Service& service) {
  return ServiceLimits(site, service).make();
}

}  // namespace gatehouse::fwctl
