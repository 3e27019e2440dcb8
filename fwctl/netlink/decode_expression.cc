#include "fwctl/netlink/decode_expression.h"

#include <array>

#include "fwctl/netlink/handles.h"

namespace gatehouse::fwctl {

Bytes copy(const void* data, std::uint32_t length) {
  const auto* p = static_cast<const std::uint8_t*>(data);
  return p == nullptr ? Bytes{} : Bytes(p, p + length);
}

std::string text_of(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

namespace {

Bytes data_of(const nftnl_expr* e, std::uint16_t attribute) {
  std::uint32_t length = 0;
  const void* data = nftnl_expr_get(e, attribute, &length);
  return copy(data, length);
}

Foreign foreign(const nftnl_expr* e, Meaning meaning = Meaning::nothing_known) {
  std::array<char, 512> text{};
  nftnl_expr_snprintf(text.data(), text.size() - 1, e, NFTNL_OUTPUT_DEFAULT, 0);
  const std::string name = text_of(nftnl_expr_get_str(e, NFTNL_EXPR_NAME));
  Foreign out;
  out.text = name + " " + text.data();
  out.meaning = meaning;
  return out;
}

std::uint32_t u32(const nftnl_expr* e, std::uint16_t attribute) {
  return nftnl_expr_get_u32(e, attribute);
}

// Some value of at most 16 bytes in the register that attribute `to` names.
Foreign unknown_value(const nftnl_expr* e, std::uint16_t to, std::uint32_t length = 16) {
  Foreign out = foreign(e, Meaning::unknown_value);
  out.to = slot_of(u32(e, to));
  out.length = length;
  if (out.to >= kSlots) out.meaning = Meaning::nothing_known;
  return out;
}

Foreign written(const nftnl_expr* e, WriteTarget target, std::uint32_t key) {
  Foreign out = foreign(e, Meaning::write);
  out.target = target;
  out.key = key;
  return out;
}

Expression decode_meta(const nftnl_expr* e) {
  if (!nftnl_expr_is_set(e, NFTNL_EXPR_META_DREG)) {
    const std::uint32_t key = u32(e, NFTNL_EXPR_META_KEY);
    if (key == NFT_META_NFTRACE) return foreign(e, Meaning::neutral);
    return written(e, WriteTarget::meta, key);
  }
  return LoadMeta{u32(e, NFTNL_EXPR_META_KEY), slot_of(u32(e, NFTNL_EXPR_META_DREG))};
}

Expression decode_payload(const nftnl_expr* e) {
  if (!nftnl_expr_is_set(e, NFTNL_EXPR_PAYLOAD_DREG)) {
    Foreign out = written(e, WriteTarget::payload, u32(e, NFTNL_EXPR_PAYLOAD_BASE));
    out.offset = u32(e, NFTNL_EXPR_PAYLOAD_OFFSET);
    out.length = u32(e, NFTNL_EXPR_PAYLOAD_LEN);
    return out;
  }
  return LoadPayload{u32(e, NFTNL_EXPR_PAYLOAD_BASE), u32(e, NFTNL_EXPR_PAYLOAD_OFFSET),
                     u32(e, NFTNL_EXPR_PAYLOAD_LEN), slot_of(u32(e, NFTNL_EXPR_PAYLOAD_DREG))};
}

Expression decode_ct(const nftnl_expr* e) {
  if (!nftnl_expr_is_set(e, NFTNL_EXPR_CT_DREG))
    return written(e, WriteTarget::ct, u32(e, NFTNL_EXPR_CT_KEY));
  // A direction narrows what is loaded; ours have none.
  if (nftnl_expr_is_set(e, NFTNL_EXPR_CT_DIR)) return unknown_value(e, NFTNL_EXPR_CT_DREG);
  return LoadCt{u32(e, NFTNL_EXPR_CT_KEY), slot_of(u32(e, NFTNL_EXPR_CT_DREG))};
}

Expression decode_bitwise(const nftnl_expr* e) {
  constexpr std::uint32_t kBoolean = 0;  // NFT_BITWISE_BOOL; shifts are other operations
  if (nftnl_expr_is_set(e, NFTNL_EXPR_BITWISE_OP) && u32(e, NFTNL_EXPR_BITWISE_OP) != kBoolean)
    return unknown_value(e, NFTNL_EXPR_BITWISE_DREG);
  return Mask{slot_of(u32(e, NFTNL_EXPR_BITWISE_SREG)), slot_of(u32(e, NFTNL_EXPR_BITWISE_DREG)),
              data_of(e, NFTNL_EXPR_BITWISE_MASK), data_of(e, NFTNL_EXPR_BITWISE_XOR)};
}

Expression decode_lookup(const nftnl_expr* e) {
  Lookup out;
  out.from = slot_of(u32(e, NFTNL_EXPR_LOOKUP_SREG));
  out.set = text_of(nftnl_expr_get_str(e, NFTNL_EXPR_LOOKUP_SET));
  if (nftnl_expr_is_set(e, NFTNL_EXPR_LOOKUP_DREG)) {
    if (u32(e, NFTNL_EXPR_LOOKUP_DREG) != NFT_REG_VERDICT) {
      Foreign value = unknown_value(e, NFTNL_EXPR_LOOKUP_DREG);
      value.meaning = Meaning::map_value;
      value.from = out.from;
      value.set = out.set;
      return value;
    }
    out.verdict = true;
  }
  out.negated = nftnl_expr_is_set(e, NFTNL_EXPR_LOOKUP_FLAGS) &&
                (u32(e, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV) != 0;
  return out;
}

Limit decode_limit(const nftnl_expr* e) {
  return {nftnl_expr_get_u64(e, NFTNL_EXPR_LIMIT_RATE), nftnl_expr_get_u64(e, NFTNL_EXPR_LIMIT_UNIT),
          u32(e, NFTNL_EXPR_LIMIT_BURST), u32(e, NFTNL_EXPR_LIMIT_TYPE), u32(e, NFTNL_EXPR_LIMIT_FLAGS)};
}

ConnectionCount decode_count(const nftnl_expr* e) {
  return {u32(e, NFTNL_EXPR_CONNLIMIT_COUNT), u32(e, NFTNL_EXPR_CONNLIMIT_FLAGS)};
}

// With one meter in each element, and nothing else that we never send.
Expression decode_remember(const nftnl_expr* e) {
  struct Meters {
    std::optional<std::variant<Limit, ConnectionCount>> first;
    std::size_t all = 0;
  } meters;
  nftnl_expr_expr_foreach(
      e,
      [](nftnl_expr* inner, void* to) {
        auto& out = *static_cast<Meters*>(to);
        ++out.all;
        const std::string name = text_of(nftnl_expr_get_str(inner, NFTNL_EXPR_NAME));
        if (name == "limit") out.first = decode_limit(inner);
        if (name == "connlimit") out.first = decode_count(inner);
        return 0;
      },
      &meters);
  const bool inverted = nftnl_expr_is_set(e, NFTNL_EXPR_DYNSET_FLAGS) &&
                        (u32(e, NFTNL_EXPR_DYNSET_FLAGS) & NFT_DYNSET_F_INV) != 0;
  const bool mapped = nftnl_expr_is_set(e, NFTNL_EXPR_DYNSET_SREG_DATA);
  const bool removes = u32(e, NFTNL_EXPR_DYNSET_OP) > NFT_DYNSET_OP_UPDATE;
  if (meters.all != 1 || !meters.first || inverted || mapped || removes) return foreign(e, Meaning::chance);
  Remember out;
  out.set = text_of(nftnl_expr_get_str(e, NFTNL_EXPR_DYNSET_SET_NAME));
  out.operation = u32(e, NFTNL_EXPR_DYNSET_OP);
  out.from = slot_of(u32(e, NFTNL_EXPR_DYNSET_SREG_KEY));
  if (nftnl_expr_is_set(e, NFTNL_EXPR_DYNSET_TIMEOUT))
    out.timeout_ms = nftnl_expr_get_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT);
  out.meter = *meters.first;
  return out;
}

Expression decode_log(const nftnl_expr* e) {
  const bool to_group = nftnl_expr_is_set(e, NFTNL_EXPR_LOG_GROUP);
  const bool tuned = (nftnl_expr_is_set(e, NFTNL_EXPR_LOG_SNAPLEN) && u32(e, NFTNL_EXPR_LOG_SNAPLEN) != 0) ||
                     (nftnl_expr_is_set(e, NFTNL_EXPR_LOG_QTHRESHOLD) &&
                      nftnl_expr_get_u16(e, NFTNL_EXPR_LOG_QTHRESHOLD) > 1);
  if (!to_group || tuned) return foreign(e, Meaning::neutral);
  return Log{nftnl_expr_get_u16(e, NFTNL_EXPR_LOG_GROUP),
             text_of(nftnl_expr_get_str(e, NFTNL_EXPR_LOG_PREFIX))};
}

Expression decode_immediate(const nftnl_expr* e) {
  if (u32(e, NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT) {
    return Constant{slot_of(u32(e, NFTNL_EXPR_IMM_DREG)), data_of(e, NFTNL_EXPR_IMM_DATA)};
  }
  return SetVerdict{{static_cast<std::int32_t>(u32(e, NFTNL_EXPR_IMM_VERDICT)),
                     text_of(nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN))}};
}

Expression decode_range(const nftnl_expr* e) {
  Foreign out = foreign(e, Meaning::in_range);
  out.from = slot_of(u32(e, NFTNL_EXPR_RANGE_SREG));
  out.low = data_of(e, NFTNL_EXPR_RANGE_FROM_DATA);
  out.high = data_of(e, NFTNL_EXPR_RANGE_TO_DATA);
  out.negated = u32(e, NFTNL_EXPR_RANGE_OP) == NFT_RANGE_NEQ;
  return out;
}

Expression decode_byte_order(const nftnl_expr* e) {
  Foreign out = foreign(e, Meaning::byte_order);
  out.from = slot_of(u32(e, NFTNL_EXPR_BYTEORDER_SREG));
  out.to = slot_of(u32(e, NFTNL_EXPR_BYTEORDER_DREG));
  out.length = u32(e, NFTNL_EXPR_BYTEORDER_LEN);
  out.size = u32(e, NFTNL_EXPR_BYTEORDER_SIZE);
  return out;
}

// A named object used by the rule; one picked from a map by key is not told.
Expression decode_object(const nftnl_expr* e) {
  if (!nftnl_expr_is_set(e, NFTNL_EXPR_OBJREF_IMM_TYPE)) return foreign(e);
  switch (u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE)) {
    case NFT_OBJECT_COUNTER:
    case NFT_OBJECT_CT_HELPER:
    case NFT_OBJECT_CT_TIMEOUT:
    case NFT_OBJECT_SECMARK:
      return foreign(e, Meaning::neutral);
    case NFT_OBJECT_QUOTA:
    case NFT_OBJECT_LIMIT:
    case NFT_OBJECT_CONNLIMIT:
      return foreign(e, Meaning::chance);
    default:
      return foreign(e);
  }
}

// The kernel tells both ends of a range, also where they are one, and sets a flag for each register.
Expression decode_nat(const nftnl_expr* e) {
  constexpr std::uint32_t kByRegister = 1 | 2;  // NF_NAT_RANGE_MAP_IPS, NF_NAT_RANGE_PROTO_SPECIFIED
  Translate out;
  out.type = u32(e, NFTNL_EXPR_NAT_TYPE);
  out.family = u32(e, NFTNL_EXPR_NAT_FAMILY);
  const auto slot = [&](std::uint16_t least, std::uint16_t most, std::optional<Slot>& to) {
    if (!nftnl_expr_is_set(e, least)) return true;
    to = slot_of(u32(e, least));
    return !nftnl_expr_is_set(e, most) || u32(e, most) == u32(e, least);
  };
  const bool one = slot(NFTNL_EXPR_NAT_REG_ADDR_MIN, NFTNL_EXPR_NAT_REG_ADDR_MAX, out.address) &&
                   slot(NFTNL_EXPR_NAT_REG_PROTO_MIN, NFTNL_EXPR_NAT_REG_PROTO_MAX, out.port);
  if (!one) return foreign(e);
  if (nftnl_expr_is_set(e, NFTNL_EXPR_NAT_FLAGS)) out.flags = u32(e, NFTNL_EXPR_NAT_FLAGS) & ~kByRegister;
  return out;
}

Expression decode_masquerade(const nftnl_expr* e) {
  if (nftnl_expr_is_set(e, NFTNL_EXPR_MASQ_REG_PROTO_MIN)) return foreign(e);
  return MasqueradeSource{nftnl_expr_is_set(e, NFTNL_EXPR_MASQ_FLAGS) ? u32(e, NFTNL_EXPR_MASQ_FLAGS) : 0};
}

// Of what a socket can tell, control groups alone are ours.
Expression decode_socket(const nftnl_expr* e) {
  const std::uint32_t key = u32(e, NFTNL_EXPR_SOCKET_KEY);
  if (key != NFT_SOCKET_CGROUPV2) return unknown_value(e, NFTNL_EXPR_SOCKET_DREG);
  return LoadSocket{key, u32(e, NFTNL_EXPR_SOCKET_LEVEL), slot_of(u32(e, NFTNL_EXPR_SOCKET_DREG))};
}

// Whether there is an extension header or an option; what stands in one is not known.
Expression decode_extension(const nftnl_expr* e) {
  Foreign out = unknown_value(e, NFTNL_EXPR_EXTHDR_DREG, 64);
  const std::uint32_t op = nftnl_expr_is_set(e, NFTNL_EXPR_EXTHDR_OP) ? u32(e, NFTNL_EXPR_EXTHDR_OP)
                                                                      : std::uint32_t{NFT_EXTHDR_OP_IPV6};
  const bool asks = nftnl_expr_is_set(e, NFTNL_EXPR_EXTHDR_FLAGS) &&
                    (u32(e, NFTNL_EXPR_EXTHDR_FLAGS) & NFT_EXTHDR_F_PRESENT) != 0;
  if (!asks || (op != NFT_EXTHDR_OP_IPV6 && op != NFT_EXTHDR_OP_IPV4) || out.to >= kSlots) return out;
  out.meaning = Meaning::extension;
  out.key = extension_key(op, nftnl_expr_get_u8(e, NFTNL_EXPR_EXTHDR_TYPE));
  return out;
}

// What is never ours, by name.
Expression decode_other(const nftnl_expr* e, const std::string& name) {
  struct Row {
    std::string_view name;
    Meaning meaning;
  };
  static constexpr std::array<Row, 4> kRows = {{{"quota", Meaning::chance},
                                                {"last", Meaning::neutral},
                                                {"dup", Meaning::neutral},
                                                {"reject", Meaning::reject}}};
  for (const Row& r : kRows) {
    if (name == r.name) return foreign(e, r.meaning);
  }
  if (name == "range") return decode_range(e);
  if (name == "byteorder") return decode_byte_order(e);
  if (name == "objref") return decode_object(e);
  if (name == "nat") return decode_nat(e);
  if (name == "masq") return decode_masquerade(e);
  if (name == "rt") return unknown_value(e, NFTNL_EXPR_RT_DREG);
  if (name == "socket") return decode_socket(e);
  if (name == "numgen") return unknown_value(e, NFTNL_EXPR_NG_DREG);
  if (name == "hash") return unknown_value(e, NFTNL_EXPR_HASH_DREG);
  if (name == "osf") return unknown_value(e, NFTNL_EXPR_OSF_DREG);
  if (name == "xfrm") return unknown_value(e, NFTNL_EXPR_XFRM_DREG);
  if (name == "exthdr" && nftnl_expr_is_set(e, NFTNL_EXPR_EXTHDR_DREG)) return decode_extension(e);
  // Writing an option touches none of the fields that this version reads.
  if (name == "exthdr") return foreign(e, Meaning::neutral);
  return foreign(e);
}

}  // namespace

Expression decode_expression(const nftnl_expr* e) {
  const std::string name = text_of(nftnl_expr_get_str(e, NFTNL_EXPR_NAME));
  if (name == "meta") return decode_meta(e);
  if (name == "payload") return decode_payload(e);
  if (name == "ct") return decode_ct(e);
  if (name == "bitwise") return decode_bitwise(e);
  if (name == "lookup") return decode_lookup(e);
  if (name == "limit") return decode_limit(e);
  if (name == "connlimit") return decode_count(e);
  if (name == "dynset") return decode_remember(e);
  if (name == "log") return decode_log(e);
  if (name == "immediate") return decode_immediate(e);
  if (name == "notrack") return NoTrack{};
  if (name == "synproxy") {
    return SynProxying{nftnl_expr_get_u16(e, NFTNL_EXPR_SYNPROXY_MSS),
                       nftnl_expr_get_u8(e, NFTNL_EXPR_SYNPROXY_WSCALE), u32(e, NFTNL_EXPR_SYNPROXY_FLAGS)};
  }
  if (name == "fib") {
    return LoadFib{u32(e, NFTNL_EXPR_FIB_RESULT), u32(e, NFTNL_EXPR_FIB_FLAGS),
                   slot_of(u32(e, NFTNL_EXPR_FIB_DREG))};
  }
  if (name == "cmp") {
    return Compare{slot_of(u32(e, NFTNL_EXPR_CMP_SREG)), u32(e, NFTNL_EXPR_CMP_OP),
                   data_of(e, NFTNL_EXPR_CMP_DATA)};
  }
  if (name == "counter") {
    return Counter{nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_PACKETS),
                   nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_BYTES)};
  }
  return decode_other(e, name);
}

}  // namespace gatehouse::fwctl
