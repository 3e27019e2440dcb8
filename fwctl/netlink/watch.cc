#include "fwctl/netlink/watch.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "fwctl/netlink/attributes.h"
#include "fwctl/netlink/handles.h"

namespace gatehouse::fwctl {
namespace {

// A load of 100,000 elements is 110,000 events, about 40 MiB of socket buffer.
constexpr int kReceiveBytes = 64 << 20;

}  // namespace

std::string Commit::who() const {
  if (pid == 0 && process.empty()) return "an unknown process";
  return fmt::format("{} (pid {})", process, pid);
}

core::Result<RulesetWatch> RulesetWatch::open(std::string table) {
  core::UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  if (!fd.valid()) return core::fail_errno(errno, "open a netlink socket");
  if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes, sizeof kReceiveBytes) < 0)
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBytes, sizeof kReceiveBytes);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    return core::fail_errno(errno, "bind a netlink socket");
  const int group = NFNLGRP_NFTABLES;
  if (setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0)
    return core::fail_errno(errno, "listen for changes of the ruleset");
  return RulesetWatch(std::move(fd), std::move(table));
}

void RulesetWatch::listen(bool on) {
  const int group = NFNLGRP_NFTABLES;
  setsockopt(fd_.get(), SOL_NETLINK, on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group,
             sizeof group);
}

std::vector<Commit> RulesetWatch::drain() {
  std::vector<Commit> out;
  alignas(nlmsghdr) std::array<std::uint8_t, 64 * 1024> buffer;
  for (;;) {
    sockaddr_nl from{};
    socklen_t size = sizeof from;
    const ssize_t got =
        recvfrom(fd_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOBUFS) {
      open_.lost = true;
      continue;
    }
    if (got <= 0) break;
    if (from.nl_pid == 0) take(buffer.data(), static_cast<int>(got), out);  // only the kernel is believed
  }
  // The end of a commit may be among what was lost.
  if (open_.lost && out.empty()) {
    out.push_back(open_);
    open_ = {};
  }
  return out;
}

bool RulesetWatch::wait(int time_ms) const {
  pollfd p{fd_.get(), POLLIN, 0};
  return poll(&p, 1, time_ms) > 0;
}

void RulesetWatch::take(const std::uint8_t* bytes, int length, std::vector<Commit>& out) {
  const auto* h = reinterpret_cast<const nlmsghdr*>(bytes);
  for (; mnl_nlmsg_ok(h, length); h = mnl_nlmsg_next(h, &length)) {
    if (h->nlmsg_type >> 8U != NFNL_SUBSYS_NFTABLES) continue;
    const unsigned type = h->nlmsg_type & 0xffU;
    if (type == NFT_MSG_NEWGEN) {
      open_.port = h->nlmsg_pid;
      each_attribute(h, [&](const nlattr* a) {
        const bool number = mnl_attr_get_payload_len(a) == sizeof(std::uint32_t);
        if (mnl_attr_get_type(a) == NFTA_GEN_ID && number) open_.generation = ntohl(mnl_attr_get_u32(a));
        if (mnl_attr_get_type(a) == NFTA_GEN_PROC_PID && number) open_.pid = ntohl(mnl_attr_get_u32(a));
        if (mnl_attr_get_type(a) == NFTA_GEN_PROC_NAME) open_.process = text_of(a);
      });
      out.push_back(std::move(open_));
      open_ = {};
      continue;
    }
    take_object(h, type);
  }
}

void RulesetWatch::take_object(const nlmsghdr* h, unsigned type) {
  ++open_.objects;
  if (mnl_nlmsg_get_payload_len(h) < sizeof(nfgenmsg)) return;
  const auto* general = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(h));
  // The table's name is attribute 1 of every kind of message, the set's 2 of those that have one.
  static_assert(NFTA_SET_NAME == 2 && NFTA_SET_ELEM_LIST_SET == 2);
  std::string table;
  std::string second;
  each_attribute(h, [&](const nlattr* a) {
    if (mnl_attr_get_type(a) == NFTA_TABLE_NAME) table = text_of(a);
    if (mnl_attr_get_type(a) == NFTA_SET_NAME) second = text_of(a);
  });
  open_.tables.insert(std::string(family_name(general->nfgen_family)) + " " + table);
  if (general->nfgen_family != NFPROTO_INET || table != table_) return;
  switch (type) {
    case NFT_MSG_NEWSETELEM:
    case NFT_MSG_DELSETELEM:
      open_.changed_sets[second].note(type == NFT_MSG_NEWSETELEM,
                                      {reinterpret_cast<const std::uint8_t*>(h), h->nlmsg_len});
      break;
    case NFT_MSG_NEWSET:
    case NFT_MSG_DELSET:
      open_.changed_sets[second].lose();
      break;
    case NFT_MSG_NEWTABLE:
    case NFT_MSG_DELTABLE:
      open_.remade = true;
      break;
    default:
      break;
  }
}

}  // namespace gatehouse::fwctl
