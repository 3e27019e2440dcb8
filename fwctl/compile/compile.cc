#include "fwctl/compile/compile.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_synproxy.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

namespace gatehouse::fwctl {
namespace {

constexpr std::uint32_t kVerdictData = NFT_DATA_VERDICT;

// nft's datatype numbers (its enum datatypes): the kernel only hands them back.
std::uint32_t nft_type_number(ValueType type) {
  switch (type) {
    case ValueType::ipv4:
      return 7;
    case ValueType::ipv6:
      return 8;
    case ValueType::protocol:
      return 12;
    case ValueType::port:
      return 13;
    case ValueType::icmp_type:
      return 14;
    case ValueType::icmpv6_type:
      return 29;
    case ValueType::ifname:
      return 41;
    case ValueType::user:
      return 24;
    case ValueType::control_group:
      return kControlGroupType;
    case ValueType::number:
      break;
  }
  return 4;
}

std::uint8_t size_of(ValueType type) {
  switch (type) {
    case ValueType::ipv4:
    case ValueType::user:
      return 4;
    case ValueType::ipv6:
    case ValueType::ifname:
      return 16;
    case ValueType::port:
      return 2;
    case ValueType::control_group:
      return 8;
    default:
      return 1;
  }
}

constexpr std::size_t padded(std::size_t length) {
  return (length + 3) / 4 * 4;
}

std::uint32_t hook_number(Hook hook) {
  switch (hook) {
    case Hook::prerouting:
      return NF_INET_PRE_ROUTING;
    case Hook::input:
      return NF_INET_LOCAL_IN;
    case Hook::forward:
      return NF_INET_FORWARD;
    case Hook::output:
      return NF_INET_LOCAL_OUT;
    case Hook::postrouting:
      break;
  }
  return NF_INET_POST_ROUTING;
}

KernelVerdict kernel_verdict(const Verdict& verdict) {
  switch (verdict.kind) {
    case VerdictKind::accept:
      return {NF_ACCEPT, {}};
    case VerdictKind::drop:
      return {NF_DROP, {}};
    case VerdictKind::give_back:
      return {NFT_RETURN, {}};
    case VerdictKind::jump:
      return {NFT_JUMP, verdict.chain};
    case VerdictKind::go_to:
      break;
  }
  return {NFT_GOTO, verdict.chain};
}

Bytes bytes_of(const Value& value) {
  return {value.bytes.begin(), value.bytes.begin() + value.size};
}

// One rule. In family inet a payload load means nothing until the rule knows the packet's family
// and protocol, so those are compared first, once for each rule: RFC 791 and RFC 8200 headers
// overlap, and a 4-byte load at offset 12 of an IPv6 packet is the middle of its source.
class RuleCompiler {
 public:
  KernelRule compile(const Rule& rule) {
    for (const Match& m : rule.matches) std::visit([this](const auto& x) { match(x); }, m);
    if (rule.for_each_source) remember(*rule.for_each_source);
    if (rule.limit) add(meter(*rule.limit));
    if (rule.connections) add(meter(*rule.connections));
    if (rule.log) add(Log{rule.log->group, rule.log->prefix});
    if (rule.counter) add(Counter{});
    if (rule.leave_untracked) add(NoTrack{});
    if (const auto* verdict = std::get_if<Verdict>(&rule.outcome)) add(SetVerdict{kernel_verdict(*verdict)});
    if (const auto* map = std::get_if<VerdictMap>(&rule.outcome)) {
      load_key(map->key, map->level);
      add(Lookup{0, map->map, true, false});
    }
    if (const auto* to = std::get_if<ForwardTo>(&rule.outcome)) translate(*to);
    if (std::holds_alternative<HideSource>(rule.outcome)) hide_source();
    if (const auto* proxy = std::get_if<AnswerFor>(&rule.outcome)) answer(*proxy);
    out_.comment = rule.origin.text;
    out_.where = rule.origin.where;
    return std::move(out_);
  }

 private:
  void add(Expression e) { out_.expressions.push_back(std::move(e)); }

  void need_family(std::uint8_t family) {
    if (family == 0 || family == family_) return;
    family_ = family;
    add(LoadMeta{NFT_META_NFPROTO, 0});
    add(Compare{0, NFT_CMP_EQ, {static_cast<std::uint8_t>(family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6)}});
  }
  void need_protocol(std::uint8_t protocol) {
    if (protocol == 0 || protocol == protocol_) return;
    protocol_ = protocol;
    add(LoadMeta{NFT_META_L4PROTO, 0});
    add(Compare{0, NFT_CMP_EQ, {protocol}});
  }
  void load_key(const std::vector<Field>& key, std::uint32_t level = 0) {
    for (const Field f : key) need_family(info(f).family);
    for (const Field f : key) need_protocol(info(f).protocol);
    std::size_t slot = 0;
    for (const Field f : key) {
      add(load_field(f, static_cast<Slot>(slot), level));
      slot += padded(info(f).size) / 4;
    }
  }

  static Limit meter(const RateLimit& limit) {
    return {limit.count, limit.unit_s, limit.burst, NFT_LIMIT_PKTS,
            limit.over ? std::uint32_t{NFT_LIMIT_F_INV} : 0U};
  }
  static ConnectionCount meter(const ConnectionsOver& connections) {
    return {connections.most, NFT_CONNLIMIT_F_INV};
  }
  void remember(const ForEachSource& each) {
    load_key({each.source});
    const std::size_t bytes = info(each.source).size;
    Bytes mask(bytes, 0);
    for (unsigned i = 0; i < each.prefix; ++i)
      mask[i / 8] = static_cast<std::uint8_t>(mask[i / 8] | 0x80U >> i % 8);
    if (each.prefix != bytes * 8) add(Mask{0, 0, mask, Bytes(bytes, 0)});
    Remember out;
    out.set = each.set;
    out.operation = each.forget_s == 0 ? NFT_DYNSET_OP_ADD : NFT_DYNSET_OP_UPDATE;
    out.timeout_ms = std::uint64_t{each.forget_s} * 1000;
    std::visit([&](const auto& what) { out.meter = meter(what); }, each.what);
    add(std::move(out));
  }

  void translate(const ForwardTo& to) {
    constexpr Slot kAddress = 0, kPort = 4;
    need_family(to.address.version);
    Translate out;
    out.type = NFT_NAT_DNAT;
    out.family = to.address.is_v4() ? NFPROTO_IPV4 : NFPROTO_IPV6;
    out.address = kAddress;
    add(Constant{kAddress, bytes_of(Value::of_address(to.address))});
    if (to.port != 0) {
      add(Constant{kPort, bytes_of(Value::of_port(to.port))});
      out.port = kPort;
    }
    add(out);
  }
  void hide_source() { add(MasqueradeSource{}); }
  void answer(const AnswerFor& proxy) {
    SynProxying out;
    out.mss = proxy.mss;
    out.window_scale = proxy.window_scale;
    // nft sets the two that belong to the numbers, whatever they are.
    out.flags = NF_SYNPROXY_OPT_MSS | NF_SYNPROXY_OPT_WSCALE;
    if (proxy.timestamps) out.flags |= NF_SYNPROXY_OPT_TIMESTAMP;
    if (proxy.sack) out.flags |= NF_SYNPROXY_OPT_SACK_PERM;
    add(out);
  }

  void match(const FieldIs& m) {
    load_key({m.field});
    add(Compare{0, NFT_CMP_EQ, bytes_of(m.value)});
  }
  void match(const InSet& m) {
    load_key(m.key);
    add(Lookup{0, m.set, false, m.negated});
  }
  void match(const StateIs& m) {
    add(LoadCt{NFT_CT_STATE, 0});
    add(Mask{0, 0, host_order(static_cast<std::uint32_t>(m.state)), host_order(0)});
    add(Compare{0, NFT_CMP_NEQ, host_order(0)});
  }
  void match(const FlagsAre& m) {
    constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;  // RFC 9293 3.1
    need_protocol(kProtocolTcp);
    add(LoadPayload{NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, 0});
    add(Mask{0, 0, {kFin | kSyn | kRst | kAck}, {0}});
    add(Compare{0,
                m.negated ? std::uint32_t{NFT_CMP_NEQ} : std::uint32_t{NFT_CMP_EQ},
                {static_cast<std::uint8_t>(m.flags)}});
  }
  // The load fails where there is no user, and -1 is nobody's number.
  void match(const HasUser&) {
    add(LoadMeta{NFT_META_SKUID, 0});
    add(Compare{0, NFT_CMP_NEQ, host_order(~std::uint32_t{0})});
  }
  void match(const IsForwarded&) {
    constexpr std::uint32_t kDestinationTranslated = 1U << 5U;  // IPS_DST_NAT
    add(LoadCt{NFT_CT_STATUS, 0});
    add(Mask{0, 0, host_order(kDestinationTranslated), host_order(0)});
    add(Compare{0, NFT_CMP_NEQ, host_order(0)});
  }
  void match(const NoRouteBack&) {
    add(LoadFib{NFT_FIB_RESULT_OIF, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT, 0});
    add(Compare{0, NFT_CMP_EQ, host_order(0)});  // the expression fills a whole register
  }

  KernelRule out_;
  std::uint8_t family_ = 0;
  std::uint8_t protocol_ = 0;
};

void append_padded(Bytes& out, const Value& value) {
  out.insert(out.end(), value.bytes.begin(), value.bytes.begin() + value.size);
  out.resize(padded(out.size()));
}

KernelElement compile_element(const Element& element) {
  KernelElement out;
  // A single field is not padded: its length is the key length.
  if (element.key.size() == 1) {
    out.first = bytes_of(element.key[0].first);
    out.last = bytes_of(element.key[0].last);
  } else {
    for (const Interval& i : element.key) {
      append_padded(out.first, i.first);
      append_padded(out.last, i.last);
    }
  }
  if (element.verdict) out.verdict = kernel_verdict(*element.verdict);
  out.comment = element.origin.text;
  out.where = element.origin.where;
  return out;
}

ElementList elements_of(const Set& set) {
  std::vector<KernelElement> out;
  out.reserve(set.elements.size());
  for (const Element& e : set.elements) out.push_back(compile_element(e));
  std::sort(out.begin(), out.end(),
            [](const KernelElement& a, const KernelElement& b) { return a.comes_before(b); });
  return ElementList(std::move(out));
}

// Sorted as they are.
ElementList listed_of(const Set& set, std::uint32_t key_length) {
  PlainKeys out{key_length, set.intervals, {}};
  out.bytes.reserve(set.listed.size() * out.stride());
  for (const site::AddressRange& r : set.listed) out.append(r.first.view(), r.last.view());
  return ElementList(std::move(out));
}

KernelSet compile_set(const Set& set) {
  KernelSet out;
  out.name = set.name;
  for (const ValueType t : set.key) {
    out.key_type = out.key_type << 6U | nft_type_number(t);
    const std::uint8_t size = size_of(t);
    out.key_length += static_cast<std::uint32_t>(set.key.size() == 1 ? size : padded(size));
  }
  if (set.intervals) out.flags |= NFT_SET_INTERVAL;
  if (set.intervals && set.key.size() > 1) {
    out.flags |= NFT_SET_CONCAT;
    for (const ValueType t : set.key) out.field_lengths.push_back(size_of(t));
  }
  out.room = set.room();
  if (set.timeouts) out.flags |= NFT_SET_TIMEOUT;
  if (set.most != 0) out.flags |= NFT_SET_EVAL;
  if (set.verdict_map) {
    out.flags |= NFT_SET_MAP;
    out.data_type = kVerdictData;
  }
  out.elements = set.listed.empty() ? elements_of(set) : listed_of(set, out.key_length);
  return out;
}

}  // namespace

KernelTable compile(const Ruleset& ruleset) {
  KernelTable out;
  out.name = ruleset.table;
  for (const Set& s : ruleset.sets) out.sets.push_back(compile_set(s));
  for (const Chain& c : ruleset.chains) {
    KernelChain chain;
    chain.name = c.name;
    if (c.hook) {
      chain.base = BaseHook{c.translates ? "nat" : "filter", hook_number(*c.hook), c.priority,
                            c.translates ? std::uint32_t{NF_ACCEPT} : std::uint32_t{NF_DROP}};
    }
    for (const Rule& r : c.rules) chain.rules.push_back(RuleCompiler().compile(r));
    out.chains.push_back(std::move(chain));
  }
  return out;
}

}  // namespace gatehouse::fwctl
