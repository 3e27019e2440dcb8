#include "fwctl/netlink/elements.h"

#include <endian.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "fwctl/netlink/attributes.h"

namespace gatehouse::fwctl {
namespace {

constexpr std::size_t kMostComment = 126;

void put_bytes(nlmsghdr* h, std::uint16_t type, core::ByteView bytes) {
  mnl_attr_put(h, type, bytes.size(), bytes.data());
}
void put_key(nlmsghdr* h, std::uint16_t type, core::ByteView key) {
  nlattr* outer = mnl_attr_nest_start(h, type);
  put_bytes(h, NFTA_DATA_VALUE, key);
  mnl_attr_nest_end(h, outer);
}
void put_comment(nlmsghdr* h, const std::string& comment) {
  if (!comment.empty())
    put_bytes(h, NFTA_SET_ELEM_USERDATA, comment_userdata(NFTNL_UDATA_SET_ELEM_COMMENT, comment));
}
void put_verdict(nlmsghdr* h, const KernelVerdict& verdict) {
  nlattr* data = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
  nlattr* inner = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);
  mnl_attr_put_u32(h, NFTA_VERDICT_CODE, htobe32(static_cast<std::uint32_t>(verdict.code)));
  if (!verdict.chain.empty()) mnl_attr_put_strz(h, NFTA_VERDICT_CHAIN, verdict.chain.c_str());
  mnl_attr_nest_end(h, inner);
  mnl_attr_nest_end(h, data);
}

// The smallest value above `last` into `out`; false when `last` is the highest.
bool after(core::ByteView last, Bytes& out) {
  out.assign(last.begin(), last.end());
  for (std::size_t i = out.size(); i-- > 0;) {
    if (++out[i] != 0) return true;
  }
  return false;
}

// A range in a set of one field is two elements: its first value, and the value after its last
// marked as an end. Without an end it would run to the top, which is right for the top only.
void put_end(nlmsghdr* h, core::ByteView last, Bytes& scratch) {
  if (!after(last, scratch)) return;
  nlattr* stop = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
  mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, htobe32(NFT_SET_ELEM_INTERVAL_END));
  put_key(h, NFTA_SET_ELEM_KEY, scratch);
  mnl_attr_nest_end(h, stop);
}

void put_element(nlmsghdr* h, const KernelSet& set, const KernelElement& e, Bytes& scratch) {
  nlattr* one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
  put_key(h, NFTA_SET_ELEM_KEY, e.first);
  if (set.concatenated_intervals()) put_key(h, NFTA_SET_ELEM_KEY_END, e.last);
  if (e.verdict) put_verdict(h, *e.verdict);
  put_comment(h, e.comment);
  mnl_attr_nest_end(h, one);
  if (set.holds_ranges()) put_end(h, e.last, scratch);
}
void put_element(nlmsghdr* h, const KernelSet& set, const PlainKeys& keys, std::size_t i, Bytes& scratch) {
  nlattr* one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
  put_key(h, NFTA_SET_ELEM_KEY, keys.first(i));
  if (set.concatenated_intervals()) put_key(h, NFTA_SET_ELEM_KEY_END, keys.last(i));
  mnl_attr_nest_end(h, one);
  if (set.holds_ranges()) put_end(h, keys.last(i), scratch);
}

}  // namespace

Bytes comment_userdata(std::uint8_t type, const std::string& comment) {
  Bytes out;
  if (comment.empty()) return out;
  const std::size_t length = std::min(comment.size(), kMostComment);
  out = {type, static_cast<std::uint8_t>(length + 1)};
  out.insert(out.end(), comment.begin(), comment.begin() + static_cast<std::ptrdiff_t>(length));
  out.push_back(0);
  return out;
}

std::string comment_of(core::ByteView userdata, std::uint8_t type) {
  core::ByteReader reader(userdata);
  while (reader.remaining() >= 2) {
    const std::uint8_t found = reader.u8();
    const core::ByteView value = reader.bytes(reader.u8());
    if (!reader.ok()) break;
    if (found != type) continue;
    std::string out(core::as_text(value));
    if (const std::size_t zero = out.find('\0'); zero != std::string::npos) out.resize(zero);
    return out;
  }
  return {};
}

PlainKeys bounds_of(const PlainKeys& ranges) {
  PlainKeys out{ranges.key_length + 1, false, {}};
  out.bytes.reserve(2 * ranges.size() * out.key_length);
  Bytes end;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    out.bytes.insert(out.bytes.end(), ranges.first(i).begin(), ranges.first(i).end());
    out.bytes.push_back(1);
    if (!after(ranges.last(i), end)) continue;
    out.bytes.insert(out.bytes.end(), end.begin(), end.end());
    out.bytes.push_back(0);
  }
  return out;
}

std::size_t put_elements(nlmsghdr* h, const KernelSet& set, std::size_t next) {
  const std::size_t end = std::min(set.elements.size(), next + kMaxElementsPerMessage);
  const std::uint32_t most = h->nlmsg_len + kMaxElementBytesPerMessage;
  const PlainKeys* plain = set.elements.plain();
  Bytes scratch;
  nlattr* list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
  for (; next < end && h->nlmsg_len < most; ++next) {
    if (plain != nullptr) {
      put_element(h, set, *plain, next, scratch);
    } else {
      put_element(h, set, set.elements[next], scratch);
    }
  }
  mnl_attr_nest_end(h, list);
  return next;
}

void put_timed_element(nlmsghdr* h, core::ByteView key, std::uint64_t time_ms, const std::string& comment) {
  nlattr* list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
  nlattr* one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
  put_key(h, NFTA_SET_ELEM_KEY, key);
  mnl_attr_put_u64(h, NFTA_SET_ELEM_TIMEOUT, htobe64(time_ms));
  put_comment(h, comment);
  mnl_attr_nest_end(h, one);
  mnl_attr_nest_end(h, list);
}

}  // namespace gatehouse::fwctl
