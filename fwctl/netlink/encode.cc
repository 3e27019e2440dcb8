#include "fwctl/netlink/encode.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <libnftnl/common.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>

#include "fwctl/netlink/elements.h"
#include "fwctl/netlink/encode_expression.h"
#include "fwctl/netlink/handles.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;

// A message must fit whatever it holds: elements are chunked to a quarter of this, rules are small.
constexpr std::size_t kScratchBytes = 256 * 1024;
constexpr std::uint32_t kNftTypeIfname = 41;  // nft's datatype number

class Encoder {
 public:
  Encoder(const Transaction& transaction, std::uint32_t first_sequence)
      : transaction_(transaction), sequence_(first_sequence), scratch_(kScratchBytes) {}

  core::Result<Batch> encode(std::optional<std::uint32_t> expected_generation) {
    batch_.begin_sequence = sequence_;
    nlmsghdr* begin = control(NFNL_MSG_BATCH_BEGIN);
    // The kernel refuses the whole batch with ERESTART when its generation is another one.
    if (expected_generation) mnl_attr_put_u32(begin, NFNL_BATCH_GENID, htonl(*expected_generation));
    append(begin);
    for (const Operation& o : transaction_.operations)
      GH_CHECK(std::visit([this](const auto& x) { return put(x); }, o));
    ask_for_an_answer();
    append(control(NFNL_MSG_BATCH_END));
    return std::move(batch_);
  }

 private:
  nlmsghdr* control(std::uint16_t type) {
    nlmsghdr* h = mnl_nlmsg_put_header(scratch_.data());
    h->nlmsg_type = type;
    h->nlmsg_flags = NLM_F_REQUEST;
    h->nlmsg_seq = sequence_++;
    auto* g = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(h, sizeof(nfgenmsg)));
    g->nfgen_family = AF_UNSPEC;
    g->version = NFNETLINK_V0;
    g->res_id = htons(NFNL_SUBSYS_NFTABLES);
    return h;
  }
  nlmsghdr* message(std::uint16_t type, std::uint16_t flags, std::string what, core::SourcePos where = {}) {
    batch_.origins.push_back({sequence_, std::move(what), std::move(where)});
    return nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(scratch_.data()), type, NFPROTO_INET, flags,
                                 sequence_++);
  }
  // The last message does, and no other: an answer to each of thousands would overflow the receive buffer.
  void ask_for_an_answer() {
    auto* h = reinterpret_cast<nlmsghdr*>(batch_.bytes.data() + newest_);
    h->nlmsg_flags |= NLM_F_ACK;
    batch_.last_sequence = h->nlmsg_seq;
  }
  void append(const nlmsghdr* h) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(h);
    newest_ = batch_.bytes.size();
    batch_.bytes.insert(batch_.bytes.end(), bytes, bytes + MNL_ALIGN(h->nlmsg_len));
  }
  static core::Status no_memory() {
    return fail(Errc::system, "out of memory while building a netlink message");
  }

  core::Status table_message(std::uint16_t type, std::uint16_t flags) {
    TableHandle t(nftnl_table_alloc());
    if (!t) return no_memory();
    nftnl_table_set_str(t.get(), NFTNL_TABLE_NAME, transaction_.table.c_str());
    nftnl_table_set_u32(t.get(), NFTNL_TABLE_FAMILY, NFPROTO_INET);
    if (type == NFT_MSG_NEWTABLE) nftnl_table_set_u32(t.get(), NFTNL_TABLE_FLAGS, transaction_.table_flags);
    nlmsghdr* h = message(type, flags, "table " + transaction_.table);
    nftnl_table_nlmsg_build_payload(h, t.get());
    append(h);
    return {};
  }
  core::Status put(const AddTable&) { return table_message(NFT_MSG_NEWTABLE, NLM_F_CREATE); }
  core::Status put(const DeleteTable&) { return table_message(NFT_MSG_DELTABLE, 0); }

  SetHandle set_handle(const std::string& name) {
    SetHandle s(nftnl_set_alloc());
    if (!s) return s;
    nftnl_set_set_str(s.get(), NFTNL_SET_TABLE, transaction_.table.c_str());
    nftnl_set_set_str(s.get(), NFTNL_SET_NAME, name.c_str());
    nftnl_set_set_u32(s.get(), NFTNL_SET_FAMILY, NFPROTO_INET);
    return s;
  }
  core::Status put(const AddSet& x) {
    SetHandle s = set_handle(x.set.name);
    if (!s) return no_memory();
    nftnl_set_set_u32(s.get(), NFTNL_SET_ID, ++set_id_);
    nftnl_set_set_u32(s.get(), NFTNL_SET_FLAGS, x.set.flags);
    nftnl_set_set_u32(s.get(), NFTNL_SET_KEY_TYPE, x.set.key_type);
    nftnl_set_set_u32(s.get(), NFTNL_SET_KEY_LEN, x.set.key_length);
    if (x.set.room != 0) nftnl_set_set_u32(s.get(), NFTNL_SET_DESC_SIZE, x.set.room);
    if (x.set.data_type != 0) nftnl_set_set_u32(s.get(), NFTNL_SET_DATA_TYPE, x.set.data_type);
    if (x.set.concatenated_intervals()) {
      nftnl_set_set_data(s.get(), NFTNL_SET_DESC_CONCAT, x.set.field_lengths.data(),
                         static_cast<std::uint32_t>(x.set.field_lengths.size()));
    }
    if (x.set.key_type == kNftTypeIfname) {
      // Without being told, nft takes the key for a big-endian number and lists "" as the name.
      const std::array<std::uint8_t, 6> host_endian = {NFTNL_UDATA_SET_KEYBYTEORDER, 4, 1, 0, 0, 0};
      nftnl_set_set_data(s.get(), NFTNL_SET_USERDATA, host_endian.data(), host_endian.size());
    }
    nlmsghdr* h = message(NFT_MSG_NEWSET, NLM_F_CREATE, "set " + x.set.name);
    nftnl_set_nlmsg_build_payload(h, s.get());
    append(h);
    return {};
  }
  core::Status put(const DeleteSet& x) {
    SetHandle s = set_handle(x.name);
    if (!s) return no_memory();
    nlmsghdr* h = message(NFT_MSG_DELSET, 0, "set " + x.name);
    nftnl_set_nlmsg_build_payload(h, s.get());
    append(h);
    return {};
  }

  // A message about elements of the set, without any yet.
  nlmsghdr* about_elements(std::uint16_t type, std::uint16_t flags, const std::string& set,
                           core::SourcePos where = {}) {
    nlmsghdr* h = message(type, flags, "elements of set " + set, std::move(where));
    mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, transaction_.table.c_str());
    mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set.c_str());
    return h;
  }
  core::Status element_messages(std::uint16_t type, std::uint16_t flags, const KernelSet& set,
                                ElementReader* reader) {
    for (std::size_t next = 0; next < set.elements.size();) {
      const bool plain = set.elements.plain() != nullptr;
      nlmsghdr* h =
          about_elements(type, flags, set.name, plain ? core::SourcePos{} : set.elements[next].where);
      next = put_elements(h, set, next);
      if (reader != nullptr) (void)reader->add(h);
      append(h);
    }
    return {};
  }
  core::Status put(const AddElements& x) {
    KernelSet written = x.set.definition();
    ElementReader reader(x.set);
    // Exclusive: an element that is already there means that the live set was not what we planned on.
    GH_CHECK(element_messages(NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, x.set, &reader));
    // What was written is read again and must be what was meant: after the commit the kernel is asked how
    // many elements there are, not which.
    reader.finish(written);
    if (written.irregular || !written.elements.same_effect(x.set.elements))
      return fail(Errc::system, "elements of the set " + x.set.name + " cannot be sent as they are");
    return {};
  }
  core::Status put(const DeleteElements& x) {
    return element_messages(NFT_MSG_DELSETELEM, 0, x.set, nullptr);
  }

  core::Status put(const AddTimed& x) {
    nlmsghdr* h = about_elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, x.set.name);
    put_timed_element(h, x.key, x.time_ms, x.comment);
    append(h);
    return {};
  }
  core::Status put(const FlushSet& x) {
    append(about_elements(NFT_MSG_DELSETELEM, 0, x.name));
    return {};
  }

  ChainHandle chain_handle(const std::string& name) {
    ChainHandle c(nftnl_chain_alloc());
    if (!c) return c;
    nftnl_chain_set_str(c.get(), NFTNL_CHAIN_TABLE, transaction_.table.c_str());
    nftnl_chain_set_str(c.get(), NFTNL_CHAIN_NAME, name.c_str());
    nftnl_chain_set_u32(c.get(), NFTNL_CHAIN_FAMILY, NFPROTO_INET);
    return c;
  }
  core::Status put(const AddChain& x) {
    ChainHandle c = chain_handle(x.chain.name);
    if (!c) return no_memory();
    if (x.chain.base) {
      nftnl_chain_set_str(c.get(), NFTNL_CHAIN_TYPE, x.chain.base->type.c_str());
      nftnl_chain_set_u32(c.get(), NFTNL_CHAIN_HOOKNUM, x.chain.base->hook);
      nftnl_chain_set_s32(c.get(), NFTNL_CHAIN_PRIO, x.chain.base->priority);
      nftnl_chain_set_u32(c.get(), NFTNL_CHAIN_POLICY, x.chain.base->policy);
    }
    nlmsghdr* h = message(NFT_MSG_NEWCHAIN, NLM_F_CREATE, "chain " + x.chain.name);
    nftnl_chain_nlmsg_build_payload(h, c.get());
    append(h);
    return {};
  }
  core::Status put(const DeleteChain& x) {
    ChainHandle c = chain_handle(x.name);
    if (!c) return no_memory();
    nlmsghdr* h = message(NFT_MSG_DELCHAIN, 0, "chain " + x.name);
    nftnl_chain_nlmsg_build_payload(h, c.get());
    append(h);
    return {};
  }

  RuleHandle rule_handle(const std::string& chain) {
    RuleHandle r(nftnl_rule_alloc());
    if (!r) return r;
    nftnl_rule_set_str(r.get(), NFTNL_RULE_TABLE, transaction_.table.c_str());
    nftnl_rule_set_str(r.get(), NFTNL_RULE_CHAIN, chain.c_str());
    nftnl_rule_set_u32(r.get(), NFTNL_RULE_FAMILY, NFPROTO_INET);
    return r;
  }
  core::Status put(const DeleteRules& x) {
    RuleHandle r = rule_handle(x.chain);
    if (!r) return no_memory();
    nlmsghdr* h = message(NFT_MSG_DELRULE, 0, "rules of chain " + x.chain);
    nftnl_rule_nlmsg_build_payload(h, r.get());
    append(h);
    return {};
  }
  core::Status put(const AddRule& x) {
    RuleHandle r = rule_handle(x.chain);
    if (!r) return no_memory();
    for (const Expression& e : x.rule.expressions) {
      if (!add_expression(r.get(), e)) {
        return fail(Errc::unsupported, "an expression of the rule `" + x.rule.comment + "` cannot be sent",
                    x.rule.where);
      }
    }
    const Bytes comment = comment_userdata(NFTNL_UDATA_RULE_COMMENT, x.rule.comment);
    if (!comment.empty()) {
      nftnl_rule_set_data(r.get(), NFTNL_RULE_USERDATA, comment.data(),
                          static_cast<std::uint32_t>(comment.size()));
    }
    nlmsghdr* h = message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
                          fmt::format("rule in chain {} ({})", x.chain, x.rule.comment), x.rule.where);
    nftnl_rule_nlmsg_build_payload(h, r.get());
    append(h);
    return {};
  }

  const Transaction& transaction_;
  std::uint32_t sequence_;
  std::uint32_t set_id_ = 0;
  std::size_t newest_ = 0;  // where the message added last begins
  std::vector<std::uint8_t> scratch_;
  Batch batch_;
};

}  // namespace

core::Result<Batch> encode(const Transaction& transaction, std::uint32_t first_sequence,
                           std::optional<std::uint32_t> expected_generation) {
  return Encoder(transaction, first_sequence).encode(expected_generation);
}

}  // namespace gatehouse::fwctl
