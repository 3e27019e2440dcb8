#include "fwctl/netlink/encode.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <libnftnl/common.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>

#include "fwctl/netlink/encode_expression.h"
#include "fwctl/netlink/handles.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;

// A message must fit whatever it holds: elements are chunked to a quarter of this, rules are small.
constexpr std::size_t kScratchBytes = 256 * 1024;
constexpr std::uint32_t kNftTypeIfname = 41;  // nft's datatype number

// One TLV of type "comment", as nft reads it: the text with its terminator.
Bytes comment_userdata(std::uint8_t type, const std::string& comment) {
  Bytes out;
  if (comment.empty()) return out;
  const std::size_t length = std::min<std::size_t>(comment.size(), 126);
  out = {type, static_cast<std::uint8_t>(length + 1)};
  out.insert(out.end(), comment.begin(), comment.begin() + static_cast<std::ptrdiff_t>(length));
  out.push_back(0);
  return out;
}

// The smallest value above `last`; nothing when `last` is the highest.
std::optional<Bytes> after(Bytes last) {
  for (std::size_t i = last.size(); i-- > 0;) {
    if (++last[i] != 0) return last;
  }
  return std::nullopt;
}

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
    for (std::size_t i = 0; i < transaction_.operations.size(); ++i) {
      last_ = i + 1 == transaction_.operations.size();
      GH_CHECK(std::visit([this](const auto& x) { return put(x); }, transaction_.operations[i]));
    }
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
  // Only the last message asks for an acknowledgement: an answer to each of thousands would
  // overflow the receive buffer.
  nlmsghdr* message(std::uint16_t type, std::uint16_t flags, std::string what, core::SourcePos where = {},
                    bool more_follow = false) {
    if (last_ && !more_follow) {
      flags |= NLM_F_ACK;
      batch_.last_sequence = sequence_;
    }
    batch_.origins.push_back({sequence_, std::move(what), std::move(where)});
    return nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(scratch_.data()), type, NFPROTO_INET, flags,
                                 sequence_++);
  }
  void append(const nlmsghdr* h) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(h);
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

  static bool add_element(nftnl_set* s, const KernelSet& set, const KernelElement& e) {
    nftnl_set_elem* element = nftnl_set_elem_alloc();
    if (element == nullptr) return false;
    nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, e.first.data(),
                       static_cast<std::uint32_t>(e.first.size()));
    if (set.concatenated_intervals()) {
      nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY_END, e.last.data(),
                         static_cast<std::uint32_t>(e.last.size()));
    }
    if (e.verdict) {
      nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_VERDICT, static_cast<std::uint32_t>(e.verdict->code));
      if (!e.verdict->chain.empty())
        nftnl_set_elem_set_str(element, NFTNL_SET_ELEM_CHAIN, e.verdict->chain.c_str());
    }
    const Bytes comment = comment_userdata(NFTNL_UDATA_SET_ELEM_COMMENT, e.comment);
    if (!comment.empty()) {
      nftnl_set_elem_set(element, NFTNL_SET_ELEM_USERDATA, comment.data(),
                         static_cast<std::uint32_t>(comment.size()));
    }
    nftnl_set_elem_add(s, element);
    if ((set.flags & NFT_SET_INTERVAL) == 0 || set.concatenated_intervals()) return true;
    // A range in a set of one field is two elements: its first value, and the value after its last
    // marked as an end. Without an end it would run to the top, which is right for the top only.
    const std::optional<Bytes> end = after(e.last);
    if (!end) return true;
    nftnl_set_elem* stop = nftnl_set_elem_alloc();
    if (stop == nullptr) return false;
    nftnl_set_elem_set(stop, NFTNL_SET_ELEM_KEY, end->data(), static_cast<std::uint32_t>(end->size()));
    nftnl_set_elem_set_u32(stop, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    nftnl_set_elem_add(s, stop);
    return true;
  }
  static std::size_t wire_bytes(const KernelElement& e) {
    return 2 * (e.first.size() + 24) + e.comment.size() + (e.verdict ? e.verdict->chain.size() + 32 : 0) + 24;
  }
  core::Status element_messages(std::uint16_t type, std::uint16_t flags, const KernelSet& set) {
    std::size_t next = 0;
    while (next < set.elements.size()) {
      SetHandle s = set_handle(set.name);
      if (!s) return no_memory();
      std::size_t count = 0;
      std::size_t bytes = 0;
      const core::SourcePos where = set.elements[next].where;
      while (next < set.elements.size() && count < kMaxElementsPerMessage &&
             bytes < kMaxElementBytesPerMessage) {
        bytes += wire_bytes(set.elements[next]);
        if (!add_element(s.get(), set, set.elements[next])) return no_memory();
        ++next;
        ++count;
      }
      nlmsghdr* h = message(type, flags, "elements of set " + set.name, where, next < set.elements.size());
      nftnl_set_elems_nlmsg_build_payload(h, s.get());
      append(h);
    }
    return {};
  }
  core::Status put(const AddElements& x) {
    // Exclusive: an element that is already there means that the live set was not what we planned on.
    return element_messages(NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, x.set);
  }
  core::Status put(const DeleteElements& x) { return element_messages(NFT_MSG_DELSETELEM, 0, x.set); }

  core::Status put(const AddTimed& x) {
    SetHandle s = set_handle(x.set.name);
    nftnl_set_elem* element = s ? nftnl_set_elem_alloc() : nullptr;
    if (element == nullptr) return no_memory();
    nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, x.key.data(), static_cast<std::uint32_t>(x.key.size()));
    nftnl_set_elem_set_u64(element, NFTNL_SET_ELEM_TIMEOUT, x.time_ms);
    const Bytes comment = comment_userdata(NFTNL_UDATA_SET_ELEM_COMMENT, x.comment);
    if (!comment.empty()) {
      nftnl_set_elem_set(element, NFTNL_SET_ELEM_USERDATA, comment.data(),
                         static_cast<std::uint32_t>(comment.size()));
    }
    nftnl_set_elem_add(s.get(), element);
    nlmsghdr* h = message(NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, "an element of set " + x.set.name);
    nftnl_set_elems_nlmsg_build_payload(h, s.get());
    append(h);
    return {};
  }
  core::Status put(const FlushSet& x) {
    SetHandle s = set_handle(x.name);
    if (!s) return no_memory();
    nlmsghdr* h = message(NFT_MSG_DELSETELEM, 0, "elements of set " + x.name);
    nftnl_set_elems_nlmsg_build_payload(h, s.get());
    append(h);
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
  bool last_ = false;
  std::vector<std::uint8_t> scratch_;
  Batch batch_;
};

}  // namespace

core::Result<Batch> encode(const Transaction& transaction, std::uint32_t first_sequence,
                           std::optional<std::uint32_t> expected_generation) {
  return Encoder(transaction, first_sequence).encode(expected_generation);
}

}  // namespace gatehouse::fwctl
