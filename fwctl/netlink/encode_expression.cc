#include "fwctl/netlink/encode_expression.h"

#include "fwctl/netlink/handles.h"

namespace gatehouse::fwctl {
namespace {

void set_data(nftnl_expr* e, std::uint16_t attribute, const Bytes& bytes) {
  nftnl_expr_set(e, attribute, bytes.data(), static_cast<std::uint32_t>(bytes.size()));
}

struct ExpressionEncoder {
  nftnl_rule* rule;

  nftnl_expr* add(const char* name) const {
    nftnl_expr* e = nftnl_expr_alloc(name);
    if (e != nullptr) nftnl_rule_add_expr(rule, e);
    return e;
  }
  bool operator()(const LoadMeta& x) const {
    nftnl_expr* e = add("meta");
    if (e == nullptr) return false;
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, x.key);
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, register_of(x.to));
    return true;
  }
  bool operator()(const LoadPayload& x) const {
    nftnl_expr* e = add("payload");
    if (e == nullptr) return false;
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, register_of(x.to));
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, x.base);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, x.offset);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, x.length);
    return true;
  }
  bool operator()(const LoadCt& x) const {
    nftnl_expr* e = add("ct");
    if (e == nullptr) return false;
    nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, x.key);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, register_of(x.to));
    return true;
  }
  bool operator()(const LoadFib& x) const {
    nftnl_expr* e = add("fib");
    if (e == nullptr) return false;
    nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, x.result);
    nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, x.flags);
    nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, register_of(x.to));
    return true;
  }
  bool operator()(const LoadSocket& x) const {
    nftnl_expr* e = add("socket");
    if (e == nullptr) return false;
    nftnl_expr_set_u32(e, NFTNL_EXPR_SOCKET_KEY, x.key);
    nftnl_expr_set_u32(e, NFTNL_EXPR_SOCKET_DREG, register_of(x.to));
    if (x.key == NFT_SOCKET_CGROUPV2) nftnl_expr_set_u32(e, NFTNL_EXPR_SOCKET_LEVEL, x.level);
    return true;
  }
  bool operator()(const Mask& x) const {
    nftnl_expr* e = add("bitwise");
    if (e == nullptr) return false;
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, register_of(x.from));
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, register_of(x.to));
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, static_cast<std::uint32_t>(x.mask.size()));
    set_data(e, NFTNL_EXPR_BITWISE_MASK, x.mask);
    set_data(e, NFTNL_EXPR_BITWISE_XOR, x.flip);
    return true;
  }
  bool operator()(const Compare& x) const {
    nftnl_expr* e = add("cmp");
    if (e == nullptr) return false;
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, register_of(x.from));
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, x.op);
    set_data(e, NFTNL_EXPR_CMP_DATA, x.data);
    return true;
  }
  bool operator()(const Lookup& x) const {
    nftnl_expr* e = add("lookup");
    if (e == nullptr) return false;
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, register_of(x.from));
    nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, x.set.c_str());
    if (x.verdict) nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
    if (x.negated) nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    return true;
  }
  static bool fill(nftnl_expr* e, const Limit& x) {
    if (e == nullptr) return false;
    nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_RATE, x.rate);
    nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_UNIT, x.unit_s);
    nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_BURST, x.burst);
    nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_TYPE, x.type);
    nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_FLAGS, x.flags);
    return true;
  }
  static bool fill(nftnl_expr* e, const ConnectionCount& x) {
    if (e == nullptr) return false;
    nftnl_expr_set_u32(e, NFTNL_EXPR_CONNLIMIT_COUNT, x.most);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CONNLIMIT_FLAGS, x.flags);
    return true;
  }
  static const char* name_of(const Limit&) { return "limit"; }
  static const char* name_of(const ConnectionCount&) { return "connlimit"; }
  bool operator()(const Limit& x) const { return fill(add(name_of(x)), x); }
  bool operator()(const ConnectionCount& x) const { return fill(add(name_of(x)), x); }
  bool operator()(const Remember& x) const {
    nftnl_expr* e = add("dynset");
    if (e == nullptr) return false;
    nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, x.operation);
    nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, register_of(x.from));
    nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, x.set.c_str());
    if (x.timeout_ms != 0) nftnl_expr_set_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT, x.timeout_ms);
    return std::visit(
        [&](const auto& meter) {
          nftnl_expr* inner = nftnl_expr_alloc(name_of(meter));
          if (!fill(inner, meter)) return false;
          // `e` owns it from here on.
          nftnl_expr_add_expr(e, NFTNL_EXPR_DYNSET_EXPR, inner);
          return true;
        },
        x.meter);
  }
  bool operator()(const Constant& x) const {
    nftnl_expr* e = add("immediate");
    if (e == nullptr) return false;
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, register_of(x.to));
    set_data(e, NFTNL_EXPR_IMM_DATA, x.data);
    return true;
  }
  bool operator()(const Translate& x) const {
    nftnl_expr* e = add("nat");
    if (e == nullptr) return false;
    nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, x.type);
    nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, x.family);
    if (x.address) nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, register_of(*x.address));
    if (x.port) nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, register_of(*x.port));
    if (x.flags != 0) nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FLAGS, x.flags);
    return true;
  }
  bool operator()(const MasqueradeSource& x) const {
    nftnl_expr* e = add("masq");
    if (e == nullptr) return false;
    if (x.flags != 0) nftnl_expr_set_u32(e, NFTNL_EXPR_MASQ_FLAGS, x.flags);
    return true;
  }
  bool operator()(const SynProxying& x) const {
    nftnl_expr* e = add("synproxy");
    if (e == nullptr) return false;
    nftnl_expr_set_u16(e, NFTNL_EXPR_SYNPROXY_MSS, x.mss);
    nftnl_expr_set_u8(e, NFTNL_EXPR_SYNPROXY_WSCALE, x.window_scale);
    nftnl_expr_set_u32(e, NFTNL_EXPR_SYNPROXY_FLAGS, x.flags);
    return true;
  }
  bool operator()(const NoTrack&) const { return add("notrack") != nullptr; }
  bool operator()(const Log& x) const {
    nftnl_expr* e = add("log");
    if (e == nullptr) return false;
    nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_GROUP, x.group);
    nftnl_expr_set_str(e, NFTNL_EXPR_LOG_PREFIX, x.prefix.c_str());
    return true;
  }
  bool operator()(const Counter& x) const {
    nftnl_expr* e = add("counter");
    if (e == nullptr) return false;
    nftnl_expr_set_u64(e, NFTNL_EXPR_CTR_PACKETS, x.packets);
    nftnl_expr_set_u64(e, NFTNL_EXPR_CTR_BYTES, x.bytes);
    return true;
  }
  bool operator()(const SetVerdict& x) const {
    nftnl_expr* e = add("immediate");
    if (e == nullptr) return false;
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, static_cast<std::uint32_t>(x.verdict.code));
    if (!x.verdict.chain.empty()) nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, x.verdict.chain.c_str());
    return true;
  }
  bool operator()(const Foreign&) const { return false; }
};

}  // namespace

bool add_expression(nftnl_rule* rule, const Expression& expression) {
  return std::visit(ExpressionEncoder{rule}, expression);
}

}  // namespace gatehouse::fwctl
