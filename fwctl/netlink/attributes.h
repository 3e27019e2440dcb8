// Netlink attributes, read where they lie.
#pragma once

#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstring>
#include <optional>
#include <string>

#include "core/bytes.h"

namespace gatehouse::fwctl {

// Of an nf_tables message.
template <class Visit>
void each_attribute(const nlmsghdr* h, Visit visit) {
  if (mnl_nlmsg_get_payload_len(h) < sizeof(nfgenmsg)) return;
  const auto* a = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(h, sizeof(nfgenmsg)));
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(h));
  for (; mnl_attr_ok(a, static_cast<int>(end - reinterpret_cast<const char*>(a))); a = mnl_attr_next(a))
    visit(a);
}
template <class Visit>
void each_nested(const nlattr* of, Visit visit) {
  const auto* a = static_cast<const nlattr*>(mnl_attr_get_payload(of));
  const char* end = reinterpret_cast<const char*>(of) + of->nla_len;
  for (; mnl_attr_ok(a, static_cast<int>(end - reinterpret_cast<const char*>(a))); a = mnl_attr_next(a))
    visit(a);
}

inline core::ByteView bytes_of(const nlattr* a) {
  return {static_cast<const std::uint8_t*>(mnl_attr_get_payload(a)), mnl_attr_get_payload_len(a)};
}
// The kernel ends a text with a zero.
inline std::string text_of(const nlattr* a) {
  const core::ByteView bytes = bytes_of(a);
  const auto* begin = reinterpret_cast<const char*>(bytes.data());
  return {begin, strnlen(begin, bytes.size())};
}
// A number of 32 bits in network order; 0 when it is none.
inline std::uint32_t number_of(const nlattr* a) {
  return mnl_attr_get_payload_len(a) == sizeof(std::uint32_t) ? be32toh(mnl_attr_get_u32(a)) : 0;
}

}  // namespace gatehouse::fwctl
