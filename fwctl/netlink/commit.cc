// Kernel: sending transactions and judging the answers.
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fwctl/netlink/encode.h"
#include "fwctl/netlink/kernel_state.h"

namespace gatehouse::fwctl {

using core::Errc;
using core::fail;

namespace {

constexpr int kErrnoStaleGeneration = 85;  // ERESTART: not in errno.h's user-space half everywhere

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

// One sendmsg carries the whole batch, so the send buffer must hold it. Without CAP_NET_ADMIN in
// the initial user namespace the limit is twice net.core.wmem_max (8 MiB with 4 MiB: 520,000 addresses).
// What is larger is refused whole: in pieces, a set would be in force half.
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
  return fail(
      Errc::system,
      fmt::format("the transaction is {} bytes, and without CAP_NET_ADMIN in the first user namespace "
                  "twice net.core.wmem_max is the most; nothing was applied",
                  bytes));
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

core::Status Kernel::replace_table(const RulesetCopy& copy, bool is_there,
                                   std::uint32_t expected_generation) {
  GH_TRY(const Batch batch,
         encode_copy(copy, state_->sequence, is_there ? std::string(kTableName) : "", expected_generation));
  return send(batch);
}

core::Status Kernel::delete_table(const std::string& name) {
  GH_TRY(const Batch batch, encode_delete_table(name, state_->sequence));
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
