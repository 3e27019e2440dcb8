#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "fwctl/netlink/encode.h"
#include "fwctl/netlink/handles.h"

namespace gatehouse::fwctl {
namespace {

constexpr std::size_t kScratchBytes = 256 * 1024;

// Attributes of each kind of message that creation takes; the others tell about an object that is there.
bool taken(std::uint16_t type, std::uint16_t attribute) {
  const auto among = [&](std::initializer_list<int> all) {
    return std::find(all.begin(), all.end(), attribute) != all.end();
  };
  switch (type) {
    case NFT_MSG_NEWTABLE:
      return among({NFTA_TABLE_NAME, NFTA_TABLE_FLAGS, NFTA_TABLE_USERDATA});
    case NFT_MSG_NEWCHAIN:
      return among({NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE,
                    NFTA_CHAIN_FLAGS, NFTA_CHAIN_USERDATA});
    case NFT_MSG_NEWSET:
      return attribute <= NFTA_SET_EXPRESSIONS && !among({NFTA_SET_ID, NFTA_SET_HANDLE, NFTA_SET_PAD});
    case NFT_MSG_NEWRULE:
      return among(
          {NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_EXPRESSIONS, NFTA_RULE_COMPAT, NFTA_RULE_USERDATA});
    case NFT_MSG_NEWOBJ:
      return among({NFTA_OBJ_TABLE, NFTA_OBJ_NAME, NFTA_OBJ_TYPE, NFTA_OBJ_DATA, NFTA_OBJ_USERDATA});
    default:
      return true;
  }
}

template <class Each>
void for_each_nested(nlattr* parent, Each each) {
  auto* a = static_cast<nlattr*>(mnl_attr_get_payload(parent));
  const char* end = static_cast<const char*>(mnl_attr_get_payload(parent)) + mnl_attr_get_payload_len(parent);
  for (; mnl_attr_ok(a, static_cast<int>(end - reinterpret_cast<char*>(a))); a = mnl_attr_next(a)) each(a);
}

// The kernel tells a timeout of 0 of every rule that fills a set, and takes none where the set has no
// timeouts.
void drop_empty_timeouts(nlattr* expressions) {
  for_each_nested(expressions, [](nlattr* element) {
    nlattr* data = nullptr;
    bool fills = false;
    for_each_nested(element, [&](nlattr* a) {
      if (mnl_attr_get_type(a) == NFTA_EXPR_NAME)
        fills =
            mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0 && std::strcmp(mnl_attr_get_str(a), "dynset") == 0;
      if (mnl_attr_get_type(a) == NFTA_EXPR_DATA) data = a;
    });
    if (!fills || data == nullptr) return;
    for_each_nested(data, [](nlattr* a) {
      if (mnl_attr_get_type(a) == NFTA_DYNSET_TIMEOUT && mnl_attr_validate(a, MNL_TYPE_U64) == 0 &&
          mnl_attr_get_u64(a) == 0)
        a->nla_type = NFTA_DYNSET_PAD;
    });
  });
}

nlmsghdr* put_control(std::vector<std::uint8_t>& scratch, std::uint16_t type, std::uint32_t sequence) {
  nlmsghdr* h = mnl_nlmsg_put_header(scratch.data());
  h->nlmsg_type = type;
  h->nlmsg_flags = NLM_F_REQUEST;
  h->nlmsg_seq = sequence;
  auto* g = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(h, sizeof(nfgenmsg)));
  g->nfgen_family = AF_UNSPEC;
  g->version = NFNETLINK_V0;
  g->res_id = htons(NFNL_SUBSYS_NFTABLES);
  return h;
}

}  // namespace

core::Result<Batch> encode_copy(const RulesetCopy& copy, std::uint32_t first_sequence,
                                const std::string& replace,
                                std::optional<std::uint32_t> expected_generation) {
  Batch out;
  std::vector<std::uint8_t> scratch(kScratchBytes);
  std::uint32_t sequence = first_sequence;
  std::uint32_t set_number = 0;
  const auto append = [&](const nlmsghdr* h) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(h);
    out.bytes.insert(out.bytes.end(), bytes, bytes + MNL_ALIGN(h->nlmsg_len));
  };
  out.begin_sequence = sequence;
  nlmsghdr* begin = put_control(scratch, NFNL_MSG_BATCH_BEGIN, sequence++);
  if (expected_generation) mnl_attr_put_u32(begin, NFNL_BATCH_GENID, htonl(*expected_generation));
  append(begin);
  if (!replace.empty()) {
    out.origins.push_back({sequence, "table " + replace, {}});
    nlmsghdr* h = nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(scratch.data()), NFT_MSG_DELTABLE,
                                        NFPROTO_INET, 0, sequence++);
    mnl_attr_put_strz(h, NFTA_TABLE_NAME, replace.c_str());
    append(h);
  }
  for (std::size_t i = 0; i < copy.messages.size(); ++i) {
    const auto* from = reinterpret_cast<const nlmsghdr*>(copy.messages[i].data());
    const std::uint16_t type = from->nlmsg_type & 0xffU;
    const auto* general = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(from));
    std::uint16_t flags = NLM_F_CREATE;
    if (type == NFT_MSG_NEWRULE) flags |= NLM_F_APPEND;
    if (i + 1 == copy.messages.size()) {
      flags |= NLM_F_ACK;
      out.last_sequence = sequence;
    }
    out.origins.push_back({sequence, "a copied object", {}});
    nlmsghdr* h = nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(scratch.data()), type, general->nfgen_family,
                                        flags, sequence++);
    const auto* a = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(from, sizeof(nfgenmsg)));
    const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(from));
    for (; mnl_attr_ok(a, static_cast<int>(end - reinterpret_cast<const char*>(a))); a = mnl_attr_next(a)) {
      const std::uint16_t attribute = mnl_attr_get_type(a);
      if (!taken(type, attribute)) continue;
      if (h->nlmsg_len + MNL_ALIGN(a->nla_len) + 64U > kScratchBytes)
        return core::fail(core::Errc::limit, "a copied object is too large");
      if (type == NFT_MSG_NEWTABLE && attribute == NFTA_TABLE_FLAGS) {
        // An owner is a process, and it is not this one.
        mnl_attr_put_u32(h, attribute, htonl(ntohl(mnl_attr_get_u32(a)) & NFT_TABLE_F_DORMANT));
        continue;
      }
      auto* copied = static_cast<nlattr*>(mnl_nlmsg_get_payload_tail(h));
      std::memcpy(copied, a, a->nla_len);
      if (type == NFT_MSG_NEWRULE && attribute == NFTA_RULE_EXPRESSIONS) drop_empty_timeouts(copied);
      h->nlmsg_len += MNL_ALIGN(a->nla_len);
    }
    if (type == NFT_MSG_NEWSET) mnl_attr_put_u32(h, NFTA_SET_ID, htonl(++set_number));
    append(h);
  }
  append(put_control(scratch, NFNL_MSG_BATCH_END, sequence));
  return out;
}

core::Result<Batch> encode_delete_table(const std::string& name, std::uint32_t first_sequence) {
  const std::size_t space = name.find(' ');
  std::optional<std::uint16_t> family;
  for (const std::uint16_t f :
       {NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_ARP, NFPROTO_BRIDGE, NFPROTO_NETDEV}) {
    if (name.substr(0, space) == family_name(f)) family = f;
  }
  if (!family || space == std::string::npos)
    return core::fail(core::Errc::invalid_input, "`" + name + "` is no table of a known family");
  Batch out;
  std::vector<std::uint8_t> scratch(4096);
  const auto append = [&](const nlmsghdr* h) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(h);
    out.bytes.insert(out.bytes.end(), bytes, bytes + MNL_ALIGN(h->nlmsg_len));
  };
  out.begin_sequence = first_sequence;
  out.last_sequence = first_sequence + 1;
  out.origins.push_back({out.last_sequence, "table " + name, {}});
  append(put_control(scratch, NFNL_MSG_BATCH_BEGIN, first_sequence));
  nlmsghdr* h = nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(scratch.data()), NFT_MSG_DELTABLE, *family,
                                      NLM_F_ACK, out.last_sequence);
  mnl_attr_put_strz(h, NFTA_TABLE_NAME, name.c_str() + space + 1);
  append(h);
  append(put_control(scratch, NFNL_MSG_BATCH_END, first_sequence + 2));
  return out;
}

core::Result<Batch> encode_trace_table(std::uint32_t first_sequence) {
  struct Row {
    const char* chain;
    std::uint32_t hook;
    std::int32_t priority;
  };
  constexpr std::int32_t kFirst = -2'147'483'000, kLast = 2'147'483'000;
  constexpr std::array<Row, 4> kRows = {{{"start", NF_INET_PRE_ROUTING, kFirst},
                                         {"start-output", NF_INET_LOCAL_OUT, kFirst},
                                         {"end-input", NF_INET_LOCAL_IN, kLast},
                                         {"end", NF_INET_POST_ROUTING, kLast}}};
  const std::string name(kTraceTable);
  RulesetCopy made;
  std::vector<std::uint8_t> scratch(kScratchBytes);
  const auto header = [&](std::uint16_t type) {
    return nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(scratch.data()), type, NFPROTO_INET, 0, 0);
  };
  const auto keep = [&](const nlmsghdr* h) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(h);
    made.messages.emplace_back(bytes, bytes + h->nlmsg_len);
  };
  TableHandle table(nftnl_table_alloc());
  if (!table) return core::fail(core::Errc::system, "out of memory");
  nftnl_table_set_str(table.get(), NFTNL_TABLE_NAME, name.c_str());
  nlmsghdr* h = header(NFT_MSG_NEWTABLE);
  nftnl_table_nlmsg_build_payload(h, table.get());
  keep(h);
  for (const Row& row : kRows) {
    ChainHandle chain(nftnl_chain_alloc());
    RuleHandle rule(nftnl_rule_alloc());
    if (!chain || !rule) return core::fail(core::Errc::system, "out of memory");
    nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TABLE, name.c_str());
    nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_NAME, row.chain);
    nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TYPE, "filter");
    nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_HOOKNUM, row.hook);
    nftnl_chain_set_s32(chain.get(), NFTNL_CHAIN_PRIO, row.priority);
    nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_POLICY, NF_ACCEPT);
    h = header(NFT_MSG_NEWCHAIN);
    nftnl_chain_nlmsg_build_payload(h, chain.get());
    keep(h);
    if (row.priority == kLast) continue;  // its policy is the event
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_TABLE, name.c_str());
    nftnl_rule_set_str(rule.get(), NFTNL_RULE_CHAIN, row.chain);
    const auto add = [&](const char* expression) {
      nftnl_expr* e = nftnl_expr_alloc(expression);
      if (e != nullptr) nftnl_rule_add_expr(rule.get(), e);
      return e;
    };
    if (row.hook == NF_INET_LOCAL_OUT) {
      nftnl_expr* load = add("meta");
      nftnl_expr* compare = add("cmp");
      if (load == nullptr || compare == nullptr) return core::fail(core::Errc::system, "out of memory");
      nftnl_expr_set_u32(load, NFTNL_EXPR_META_KEY, NFT_META_PRIORITY);
      nftnl_expr_set_u32(load, NFTNL_EXPR_META_DREG, NFT_REG_1);
      nftnl_expr_set_u32(compare, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
      nftnl_expr_set_u32(compare, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
      nftnl_expr_set(compare, NFTNL_EXPR_CMP_DATA, &kTracePriority, sizeof kTracePriority);
    }
    nftnl_expr* one = add("immediate");
    nftnl_expr* set = add("meta");
    if (one == nullptr || set == nullptr) return core::fail(core::Errc::system, "out of memory");
    const std::uint8_t on = 1;
    nftnl_expr_set_u32(one, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
    nftnl_expr_set(one, NFTNL_EXPR_IMM_DATA, &on, sizeof on);
    nftnl_expr_set_u32(set, NFTNL_EXPR_META_KEY, NFT_META_NFTRACE);
    nftnl_expr_set_u32(set, NFTNL_EXPR_META_SREG, NFT_REG_1);
    h = header(NFT_MSG_NEWRULE);
    nftnl_rule_nlmsg_build_payload(h, rule.get());
    keep(h);
  }
  return encode_copy(made, first_sequence);
}

}  // namespace gatehouse::fwctl
