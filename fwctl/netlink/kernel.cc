#include "fwctl/netlink/kernel.h"

#include <fmt/format.h>
#include <libnftnl/gen.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>

#include "fwctl/netlink/decode.h"
#include "fwctl/netlink/encode.h"
#include "fwctl/netlink/handles.h"

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;

constexpr std::size_t kReceiveBytes = 64 * 1024;
constexpr int kReadAttempts = 20;
constexpr int kErrnoStaleGeneration = 85;  // ERESTART: not in errno.h's user-space half everywhere

using Visitor = std::function<bool(const nlmsghdr*)>;  // false: the message makes no sense

int visit_message(const nlmsghdr* h, void* visitor) {
  return (*static_cast<Visitor*>(visitor))(h) ? MNL_CB_OK : MNL_CB_ERROR;
}

std::uint16_t family_of(const LiveTable& table) {
  return static_cast<std::uint16_t>(table.family);
}

std::string explain_errno(int err) {
  switch (err) {
    case ENFILE:
      return "the set is full";
    case EEXIST:
      return "it exists already or overlaps another element";
    case ENOENT:
      return "it refers to something that does not exist";
    case EBUSY:
      return "it is still in use";
    case EMLINK:
      return "chains lead to each other in a loop";
    default:
      return std::strerror(err);
  }
}

}  // namespace

struct Kernel::State {
  SocketHandle socket;
  std::uint32_t port = 0;
  std::uint32_t sequence = 1;
  std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(kReceiveBytes);

  int fd() const { return mnl_socket_get_fd(socket.get()); }

  nlmsghdr* request(std::uint16_t type, std::uint16_t family, std::uint16_t flags) {
    return nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(buffer.data()), type, family, flags, sequence);
  }

  // Sends what `request` built and hands each answer to `visitor`. EINTR: a dump was overtaken by a
  // commit; ENOENT: what was asked for is gone.
  tl::expected<void, int> exchange(const nlmsghdr* h, Visitor visitor) {
    const std::uint32_t expected = sequence++;
    if (mnl_socket_sendto(socket.get(), h, h->nlmsg_len) < 0) return tl::make_unexpected(errno);
    for (;;) {
      const ssize_t got = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
      if (got < 0) return tl::make_unexpected(errno);
      errno = 0;
      const int more =
          mnl_cb_run(buffer.data(), static_cast<std::size_t>(got), expected, port, visit_message, &visitor);
      if (more < 0) return tl::make_unexpected(errno == 0 ? EPROTO : errno);
      if (more == MNL_CB_STOP) return {};
    }
  }

  tl::expected<std::uint32_t, int> generation() {
    std::uint32_t out = 0;
    const auto done = exchange(request(NFT_MSG_GETGEN, NFPROTO_UNSPEC, NLM_F_ACK), [&](const nlmsghdr* h) {
      nftnl_gen* gen = nftnl_gen_alloc();
      if (gen == nullptr) return false;
      const bool ok = nftnl_gen_nlmsg_parse(h, gen) == 0;
      if (ok) out = nftnl_gen_get_u32(gen, NFTNL_GEN_ID);
      nftnl_gen_free(gen);
      return ok;
    });
    if (!done) return tl::make_unexpected(done.error());
    return out;
  }

  tl::expected<void, int> read_tables(LiveRuleset& out) {
    return exchange(request(NFT_MSG_GETTABLE, NFPROTO_UNSPEC, NLM_F_DUMP), [&](const nlmsghdr* h) {
      TableHandle t(nftnl_table_alloc());
      if (!t || nftnl_table_nlmsg_parse(h, t.get()) < 0) return false;
      const char* found = nftnl_table_get_str(t.get(), NFTNL_TABLE_NAME);
      if (found == nullptr) return false;
      LiveTable table;
      table.family = nftnl_table_get_u32(t.get(), NFTNL_TABLE_FAMILY);
      table.table.name = found;
      // Owner and persist say who may write, not what the table does.
      table.table.flags = nftnl_table_get_u32(t.get(), NFTNL_TABLE_FLAGS) & NFT_TABLE_F_DORMANT;
      out.tables.push_back(std::move(table));
      return true;
    });
  }

  tl::expected<void, int> read_chains(LiveTable& live) {
    KernelTable& table = live.table;
    return exchange(request(NFT_MSG_GETCHAIN, family_of(live), NLM_F_DUMP), [&](const nlmsghdr* h) {
      ChainHandle c(nftnl_chain_alloc());
      if (!c || nftnl_chain_nlmsg_parse(h, c.get()) < 0) return false;
      const char* in = nftnl_chain_get_str(c.get(), NFTNL_CHAIN_TABLE);
      if (in != nullptr && table.name == in) table.chains.push_back(decode_chain(c.get()));
      return true;
    });
  }

  tl::expected<void, int> read_rules(LiveTable& live) {
    KernelTable& table = live.table;
    RuleHandle filter(nftnl_rule_alloc());
    if (!filter) return tl::make_unexpected(ENOMEM);
    nftnl_rule_set_str(filter.get(), NFTNL_RULE_TABLE, table.name.c_str());
    nlmsghdr* h = request(NFT_MSG_GETRULE, family_of(live), NLM_F_DUMP);
    nftnl_rule_nlmsg_build_payload(h, filter.get());
    KernelChain* last = nullptr;  // rules come chain by chain
    return exchange(h, [&](const nlmsghdr* answer) {
      const LocatedRule located = decode_rule_message(answer);
      if (located.table != table.name) return true;
      if (last == nullptr || last->name != located.chain) {
        const auto at = std::find_if(table.chains.begin(), table.chains.end(),
                                     [&](const KernelChain& c) { return c.name == located.chain; });
        if (at == table.chains.end()) return true;  // a commit came between; the generation tells
        last = &*at;
      }
      last->rules.push_back(located.rule);
      return true;
    });
  }

  tl::expected<void, int> read_sets(LiveTable& live) {
    KernelTable& table = live.table;
    SetHandle filter(nftnl_set_alloc());
    if (!filter) return tl::make_unexpected(ENOMEM);
    nftnl_set_set_str(filter.get(), NFTNL_SET_TABLE, table.name.c_str());
    nlmsghdr* h = request(NFT_MSG_GETSET, family_of(live), NLM_F_DUMP);
    nftnl_set_nlmsg_build_payload(h, filter.get());
    const auto done = exchange(h, [&](const nlmsghdr* answer) {
      SetHandle s(nftnl_set_alloc());
      if (!s || nftnl_set_nlmsg_parse(answer, s.get()) < 0) return false;
      const char* in = nftnl_set_get_str(s.get(), NFTNL_SET_TABLE);
      if (in != nullptr && table.name == in) table.sets.push_back(decode_set(s.get()));
      return true;
    });
    if (!done) return done;
    for (KernelSet& s : table.sets) {
      if (const auto elements = read_elements(live, s); !elements) return elements;
    }
    return {};
  }

  tl::expected<void, int> read_elements(const LiveTable& live, KernelSet& set) {
    SetHandle dump(nftnl_set_alloc());
    if (!dump) return tl::make_unexpected(ENOMEM);
    nftnl_set_set_str(dump.get(), NFTNL_SET_TABLE, live.table.name.c_str());
    nftnl_set_set_str(dump.get(), NFTNL_SET_NAME, set.name.c_str());
    nlmsghdr* h = request(NFT_MSG_GETSETELEM, family_of(live), NLM_F_DUMP);
    nftnl_set_elems_nlmsg_build_payload(h, dump.get());
    const auto done = exchange(
        h, [&](const nlmsghdr* answer) { return nftnl_set_elems_nlmsg_parse(answer, dump.get()) == 0; });
    if (!done) return done;
    decode_elements(dump.get(), set);
    return {};
  }

  // The four dumps are separate: they are one picture only when the generation stood still.
  // `wanted` picks the tables whose content is read.
  tl::expected<bool, int> read_once(LiveRuleset& out, const std::function<bool(const LiveTable&)>& wanted) {
    const auto before = generation();
    if (!before) return tl::make_unexpected(before.error());
    out.generation = *before;
    auto done = read_tables(out);
    for (LiveTable& t : out.tables) {
      if (!wanted(t)) continue;
      if (done) done = read_chains(t);
      if (done) done = read_rules(t);
      if (done) done = read_sets(t);
    }
    if (!done) return tl::make_unexpected(done.error());
    const auto after = generation();
    if (!after) return tl::make_unexpected(after.error());
    return *before == *after;
  }

  // The answers to one dump, as they came.
  tl::expected<void, int> keep(const nlmsghdr* h, RulesetCopy& out) {
    return exchange(h, [&](const nlmsghdr* answer) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(answer);
      out.messages.emplace_back(bytes, bytes + answer->nlmsg_len);
      return true;
    });
  }
  tl::expected<void, int> keep_elements(RulesetCopy& out, const std::vector<std::uint8_t>& set_message) {
    const auto* of = reinterpret_cast<const nlmsghdr*>(set_message.data());
    SetHandle s(nftnl_set_alloc());
    if (!s || nftnl_set_nlmsg_parse(of, s.get()) < 0) return tl::make_unexpected(EPROTO);
    SetHandle dump(nftnl_set_alloc());
    if (!dump) return tl::make_unexpected(ENOMEM);
    nftnl_set_set_str(dump.get(), NFTNL_SET_TABLE, nftnl_set_get_str(s.get(), NFTNL_SET_TABLE));
    nftnl_set_set_str(dump.get(), NFTNL_SET_NAME, nftnl_set_get_str(s.get(), NFTNL_SET_NAME));
    const auto* general = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(of));
    nlmsghdr* h = request(NFT_MSG_GETSETELEM, general->nfgen_family, NLM_F_DUMP);
    nftnl_set_elems_nlmsg_build_payload(h, dump.get());
    return keep(h, out);
  }
  tl::expected<bool, int> copy_once(RulesetCopy& out) {
    const auto before = generation();
    if (!before) return tl::make_unexpected(before.error());
    out.generation = *before;
    tl::expected<void, int> done;
    std::size_t first_set = 0;
    std::size_t end_of_sets = 0;
    for (const std::uint16_t type :
         {NFT_MSG_GETTABLE, NFT_MSG_GETOBJ, NFT_MSG_GETSET, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE}) {
      if (type == NFT_MSG_GETSET) first_set = out.messages.size();
      if (type == NFT_MSG_GETCHAIN) end_of_sets = out.messages.size();
      // Elements lead to chains, and rules end a constant set.
      for (std::size_t i = first_set; done && type == NFT_MSG_GETRULE && i < end_of_sets; ++i)
        done = keep_elements(out, std::vector<std::uint8_t>(out.messages[i]));
      if (done) done = keep(request(type, NFPROTO_UNSPEC, NLM_F_DUMP), out);
    }
    if (!done) return tl::make_unexpected(done.error());
    const auto after = generation();
    if (!after) return tl::make_unexpected(after.error());
    return *before == *after;
  }

  core::Result<LiveRuleset> read_until_whole(const std::function<bool(const LiveTable&)>& wanted,
                                             const std::string& what) {
    for (int i = 0; i < kReadAttempts; ++i) {
      LiveRuleset out;
      const auto whole = read_once(out, wanted);
      if (whole && *whole) return out;
      const bool overtaken = whole ? true : whole.error() == EINTR || whole.error() == ENOENT;
      if (!overtaken) return core::fail_errno(whole.error(), "read " + what);
      usleep(1000U << std::min(i, 6));
    }
    return fail(Errc::conflict, "the ruleset kept changing while it was read");
  }
};

Kernel::Kernel(std::unique_ptr<State> state) : state_(std::move(state)) {}
Kernel::Kernel(Kernel&&) noexcept = default;
Kernel& Kernel::operator=(Kernel&&) noexcept = default;
Kernel::~Kernel() = default;

core::Result<Kernel> Kernel::open() {
  auto state = std::make_unique<State>();
  state->socket.reset(mnl_socket_open(NETLINK_NETFILTER));
  if (!state->socket) return core::fail_errno(errno, "open a netlink socket");
  if (mnl_socket_bind(state->socket.get(), 0, MNL_SOCKET_AUTOPID) < 0)
    return core::fail_errno(errno, "bind a netlink socket");
  state->port = mnl_socket_get_portid(state->socket.get());
  const timeval patience{10, 0};  // the kernel answers at once; this only bounds a bug
  setsockopt(state->fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const int receive = 4 << 20;
  if (setsockopt(state->fd(), SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive) < 0) {
    setsockopt(state->fd(), SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
  }
  return Kernel(std::move(state));
}

core::Result<std::uint32_t> Kernel::generation() {
  const auto id = state_->generation();
  if (!id) return core::fail_errno(id.error(), "read the ruleset generation");
  return *id;
}

core::Result<LiveState> Kernel::read(const std::string& table) {
  const auto ours = [&](const LiveTable& t) { return t.family == NFPROTO_INET && t.table.name == table; };
  GH_TRY(LiveRuleset all, state_->read_until_whole(ours, "the table inet " + table));
  LiveState out;
  out.generation = all.generation;
  for (LiveTable& t : all.tables) {
    if (ours(t)) {
      out.table = std::move(t.table);
    } else {
      out.other_tables.push_back(t.name());
    }
  }
  return out;
}

core::Result<RulesetCopy> Kernel::copy() {
  for (int i = 0; i < kReadAttempts; ++i) {
    RulesetCopy out;
    const auto whole = state_->copy_once(out);
    if (whole && *whole) return out;
    const bool overtaken = whole ? true : whole.error() == EINTR || whole.error() == ENOENT;
    if (!overtaken) return core::fail_errno(whole.error(), "copy the ruleset");
    usleep(1000U << std::min(i, 6));
  }
  return fail(Errc::conflict, "the ruleset kept changing while it was copied");
}

core::Result<LiveRuleset> Kernel::read_all() {
  return state_->read_until_whole([](const LiveTable&) { return true; }, "the ruleset");
}

namespace {

// One sendmsg carries the whole batch, so the send buffer must hold it. Without CAP_NET_ADMIN in
// the initial user namespace the limit is net.core.wmem_max.
core::Status reserve_send_buffer(int fd, std::size_t bytes) {
  const int wanted = static_cast<int>(std::min<std::size_t>(bytes + 4096, 256U << 20U));
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) == 0) return {};
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted) == 0) {
    int got = 0;
    socklen_t length = sizeof got;
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &got, &length) == 0 &&
        static_cast<std::size_t>(got) >= bytes + 32)
      return {};
  }
  return fail(Errc::limit,
              fmt::format("the transaction of {} bytes is larger than net.core.wmem_max allows", bytes));
}

// The answer to a batch: who was refused first, and whether the last message was acknowledged.
struct Answer {
  bool acknowledged = false;
  bool lost = false;  // the receive buffer overflowed
  std::uint32_t sequence = 0;
  int error = 0;
};

void collect(const std::uint8_t* bytes, int length, const Batch& batch, Answer& answer) {
  const auto* h = reinterpret_cast<const nlmsghdr*>(bytes);
  for (; mnl_nlmsg_ok(h, length); h = mnl_nlmsg_next(h, &length)) {
    if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < mnl_nlmsg_size(sizeof(nlmsgerr))) continue;
    const int error = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(h))->error;
    if (error == 0) {
      answer.acknowledged |= h->nlmsg_seq == batch.last_sequence;
    } else if (answer.error == 0 || h->nlmsg_seq < answer.sequence) {
      answer.error = error;
      answer.sequence = h->nlmsg_seq;
    }
  }
}

core::Status judge(const Answer& answer, const Batch& batch) {
  if (answer.error == kErrnoStaleGeneration) {
    return fail(Errc::conflict, "somebody else changed the ruleset; nothing was applied");
  }
  if (answer.error == EPERM)
    return fail(Errc::permission, "changing the ruleset needs CAP_NET_ADMIN in this network namespace");
  if (answer.error != 0) {
    const auto at = std::find_if(batch.origins.begin(), batch.origins.end(),
                                 [&](const MessageOrigin& o) { return o.sequence == answer.sequence; });
    const bool known = at != batch.origins.end();
    return fail(Errc::system,
                fmt::format("the kernel refused {}: {}; nothing was applied",
                            known ? at->what : "the transaction", explain_errno(answer.error)),
                known ? at->where : core::SourcePos{});
  }
  if (answer.acknowledged) return {};
  return fail(Errc::io, answer.lost ? "the kernel's answer was lost; read the table to see what is in force"
                                    : "the kernel did not answer the transaction");
}

}  // namespace

core::Status Kernel::commit(const Transaction& transaction,
                            std::optional<std::uint32_t> expected_generation) {
  if (transaction.empty()) return {};
  GH_TRY(const Batch batch, encode(transaction, state_->sequence, expected_generation));
  return send(batch);
}

core::Status Kernel::paste(const RulesetCopy& copy) {
  if (copy.messages.empty()) return {};
  GH_TRY(const Batch batch, encode_copy(copy, state_->sequence));
  return send(batch);
}

core::Status Kernel::add_trace_table() {
  GH_TRY(const Batch batch, encode_trace_table(state_->sequence));
  return send(batch);
}

core::Status Kernel::send(const Batch& batch) {
  state_->sequence += static_cast<std::uint32_t>(batch.origins.size()) + 2;
  GH_CHECK(reserve_send_buffer(state_->fd(), batch.bytes.size()));
  if (mnl_socket_sendto(state_->socket.get(), batch.bytes.data(), batch.bytes.size()) < 0) {
    return core::fail_errno(errno, "send the transaction");
  }
  // The kernel has worked through the batch when send returns: every answer is waiting.
  Answer answer;
  for (;;) {
    const ssize_t got = recv(state_->fd(), state_->buffer.data(), state_->buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOBUFS) answer.lost = true;
    if (got < 0 && errno == ENOBUFS) continue;
    if (got <= 0) break;
    collect(state_->buffer.data(), static_cast<int>(got), batch, answer);
  }
  return judge(answer, batch);
}

}  // namespace gatehouse::fwctl
