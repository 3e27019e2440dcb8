#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "fwctl/netlink/attributes.h"
#include "fwctl/netlink/decode.h"
#include "fwctl/netlink/elements.h"
#include "fwctl/netlink/kernel_state.h"

namespace gatehouse::fwctl {

using core::Errc;
using core::fail;

namespace {

constexpr int kReadAttempts = 20;

// Every kind of message names its table in the attribute of the same number.
bool names_table(const nlmsghdr* h, const std::string& table) {
  static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1 &&
                NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1 && NFTA_OBJ_TABLE == 1);
  bool out = false;
  each_attribute(h, [&](const nlattr* a) {
    if (mnl_attr_get_type(a) == NFTA_TABLE_NAME) out = table == text_of(a);
  });
  return out;
}
bool belongs_to(const std::vector<std::uint8_t>& message, const std::string& table) {
  const auto* h = reinterpret_cast<const nlmsghdr*>(message.data());
  const auto* general = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(h));
  return general->nfgen_family == NFPROTO_INET && names_table(h, table);
}

std::uint16_t family_of(const LiveTable& table) {
  return static_cast<std::uint16_t>(table.family);
}

}  // namespace

// Reads dumps of the ruleset: into our form, or as they come.
class Kernel::Reader {
 public:
  explicit Reader(State& state) : s_(state) {}

  tl::expected<void, int> read_tables(LiveRuleset& out) {
    return s_.exchange(s_.request(NFT_MSG_GETTABLE, NFPROTO_UNSPEC, NLM_F_DUMP), [&](const nlmsghdr* h) {
      TableHandle t(nftnl_table_alloc());
      if (!t || nftnl_table_nlmsg_parse(h, t.get()) < 0) return false;
      const char* found = nftnl_table_get_str(t.get(), NFTNL_TABLE_NAME);
      if (found == nullptr) return false;
      LiveTable table;
      table.family = nftnl_table_get_u32(t.get(), NFTNL_TABLE_FAMILY);
      table.table.name = found;
      // Owner and persist say who may write, not what the table does.
      table.raw_flags = nftnl_table_get_u32(t.get(), NFTNL_TABLE_FLAGS);
      table.table.flags = table.raw_flags & NFT_TABLE_F_DORMANT;
      if (nftnl_table_is_set(t.get(), NFTNL_TABLE_OWNER))
        table.owner_port = nftnl_table_get_u32(t.get(), NFTNL_TABLE_OWNER);
      out.tables.push_back(std::move(table));
      return true;
    });
  }

  tl::expected<void, int> read_chains(LiveTable& live) {
    KernelTable& table = live.table;
    return s_.exchange(s_.request(NFT_MSG_GETCHAIN, family_of(live), NLM_F_DUMP), [&](const nlmsghdr* h) {
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
    nlmsghdr* h = s_.request(NFT_MSG_GETRULE, family_of(live), NLM_F_DUMP);
    nftnl_rule_nlmsg_build_payload(h, filter.get());
    KernelChain* last = nullptr;  // rules come chain by chain
    return s_.exchange(h, [&](const nlmsghdr* answer) {
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

  tl::expected<void, int> read_sets(LiveTable& live, const Known& known) {
    KernelTable& table = live.table;
    SetHandle filter(nftnl_set_alloc());
    if (!filter) return tl::make_unexpected(ENOMEM);
    nftnl_set_set_str(filter.get(), NFTNL_SET_TABLE, table.name.c_str());
    nlmsghdr* h = s_.request(NFT_MSG_GETSET, family_of(live), NLM_F_DUMP);
    nftnl_set_nlmsg_build_payload(h, filter.get());
    const auto done = s_.exchange(h, [&](const nlmsghdr* answer) {
      if (!names_table(answer, table.name)) return true;
      std::optional<KernelSet> set = decode_set_message(answer);
      if (set) table.sets.push_back(std::move(*set));
      return set.has_value();
    });
    if (!done) return done;
    for (KernelSet& s : table.sets) {
      const KernelSet* before = known.table == nullptr ? nullptr : known.table->find_set(s.name);
      if (before != nullptr && before->same_definition(s) && take_known(known, *before, s)) continue;
      if (const auto elements = read_elements(live, s, known); !elements) return elements;
    }
    return {};
  }

  // Its elements without reading them. A count that does not fit shows that somebody changed the set after
  // all.
  static bool take_known(const Known& known, const KernelSet& before, KernelSet& now) {
    const auto events = known.changed_sets.find(now.name);
    if (before.holds_state() || events == known.changed_sets.end()) {
      now.elements = before.elements;
    } else if (auto elements = events->second.after(before)) {
      now.elements = std::move(*elements);
    } else {
      return false;
    }
    if (before.holds_state()) return true;
    return now.counted ? *now.counted == now.count() : !known.only_counted;
  }

  tl::expected<void, int> read_elements(const LiveTable& live, KernelSet& set, const Known& known) {
    nlmsghdr* h = s_.request(NFT_MSG_GETSETELEM, family_of(live), NLM_F_DUMP);
    mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, live.table.name.c_str());
    mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set.name.c_str());
    ElementReader reader(set);
    bool given_up = false;
    const auto done = s_.exchange(h, [&](const nlmsghdr* answer) {
      given_up = known.give_up && known.give_up();
      return !given_up && reader.add(answer);
    });
    if (given_up) return tl::make_unexpected(ECANCELED);
    if (!done) return done;
    reader.finish(set);
    return {};
  }

  // The four dumps are separate: they are one picture only when the generation stood still.
  // `wanted` picks the tables whose content is read.
  tl::expected<bool, int> read_once(LiveRuleset& out, const std::function<bool(const LiveTable&)>& wanted,
                                    const Known& known) {
    const auto before = s_.generation();
    if (!before) return tl::make_unexpected(before.error());
    out.generation = *before;
    auto done = read_tables(out);
    for (LiveTable& t : out.tables) {
      if (!wanted(t)) continue;
      if (done) done = read_chains(t);
      if (done) done = read_rules(t);
      if (done) done = read_sets(t, known);
    }
    if (!done) return tl::make_unexpected(done.error());
    const auto after = s_.generation();
    if (!after) return tl::make_unexpected(after.error());
    return *before == *after;
  }

  // The answers to one dump, as they came.
  tl::expected<void, int> keep(const nlmsghdr* h, RulesetCopy& out) {
    return s_.exchange(h, [&](const nlmsghdr* answer) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(answer);
      out.messages.emplace_back(bytes, bytes + answer->nlmsg_len);
      return true;
    });
  }
  tl::expected<void, int> keep_elements(RulesetCopy& out, const std::vector<std::uint8_t>& set_message) {
    const auto* of = reinterpret_cast<const nlmsghdr*>(set_message.data());
    const auto* general = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(of));
    nlmsghdr* h = s_.request(NFT_MSG_GETSETELEM, general->nfgen_family, NLM_F_DUMP);
    each_attribute(of, [&](const nlattr* a) {
      if (mnl_attr_get_type(a) == NFTA_SET_TABLE)
        mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, text_of(a).c_str());
      if (mnl_attr_get_type(a) == NFTA_SET_NAME)
        mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, text_of(a).c_str());
    });
    return keep(h, out);
  }
  // `table` empty: all tables.
  tl::expected<bool, int> copy_once(RulesetCopy& out, const std::string& table) {
    const auto before = s_.generation();
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
      if (done) done = keep(s_.request(type, NFPROTO_UNSPEC, NLM_F_DUMP), out);
      if (!table.empty()) {
        std::erase_if(out.messages, [&](const auto& m) { return !belongs_to(m, table); });
      }
    }
    if (!done) return tl::make_unexpected(done.error());
    const auto after = s_.generation();
    if (!after) return tl::make_unexpected(after.error());
    return *before == *after;
  }

  core::Result<LiveRuleset> read_until_whole(const std::function<bool(const LiveTable&)>& wanted,
                                             const std::string& what, const Known& known = {}) {
    for (int i = 0; i < kReadAttempts; ++i) {
      LiveRuleset out;
      const auto whole = read_once(out, wanted, known);
      if (whole && *whole) return out;
      if (!whole && whole.error() == ECANCELED)
        return fail(Errc::conflict, "reading " + what + " was given up");
      const bool overtaken = whole ? true : whole.error() == EINTR || whole.error() == ENOENT;
      if (!overtaken) return core::fail_errno(whole.error(), "read " + what);
      usleep(1000U << std::min(i, 6));
    }
    return fail(Errc::conflict, "the ruleset kept changing while it was read");
  }

 private:
  State& s_;
};

Kernel::Kernel(std::unique_ptr<State> state) : state_(std::move(state)) {}
Kernel::Kernel(Kernel&&) noexcept = default;
Kernel& Kernel::operator=(Kernel&&) noexcept = default;
Kernel::~Kernel() = default;

core::Result<Kernel> Kernel::open() {
  auto state = std::make_unique<State>();
  state->socket.reset(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC));
  if (!state->socket) return core::fail_errno(errno, "open a netlink socket");
  if (mnl_socket_bind(state->socket.get(), 0, MNL_SOCKET_AUTOPID) < 0)
    return core::fail_errno(errno, "bind a netlink socket");
  state->prepare();
  return Kernel(std::move(state));
}

core::Result<Kernel> Kernel::adopt(core::UniqueFd socket) {
  auto state = std::make_unique<State>();
  state->socket.reset(mnl_socket_fdopen(socket.get()));
  if (!state->socket) return core::fail_errno(errno, "take over a netlink socket");
  (void)socket.release();  // libmnl closes it
  state->prepare();
  // Numbers that the owner cannot have used lately: answers to it are not taken for answers to us.
  state->sequence = static_cast<std::uint32_t>(core::monotonic_us()) | 0x8000'0000U;
  return Kernel(std::move(state));
}

std::uint32_t Kernel::port() const {
  return state_->port;
}
int Kernel::descriptor() const {
  return state_->fd();
}
void Kernel::drain() {
  for (;;) {
    const ssize_t got = recv(state_->fd(), state_->buffer.data(), state_->buffer.size(), MSG_DONTWAIT);
    if (got > 0 || (got < 0 && (errno == EINTR || errno == ENOBUFS))) continue;
    return;
  }
}

core::Result<std::uint32_t> Kernel::generation() {
  const auto id = state_->generation();
  if (!id) return core::fail_errno(id.error(), "read the ruleset generation");
  return *id;
}

core::Result<LiveState> Kernel::read(const std::string& table, const Known& known) {
  const auto ours = [&](const LiveTable& t) { return t.family == NFPROTO_INET && t.table.name == table; };
  GH_TRY(LiveRuleset all, Reader(*state_).read_until_whole(ours, "the table inet " + table, known));
  LiveState out;
  out.generation = all.generation;
  for (LiveTable& t : all.tables) {
    if (ours(t)) {
      out.ownership = t.raw_flags & (NFT_TABLE_F_OWNER | kTablePersists);
      out.owner_port = t.owner_port;
      out.table = std::move(t.table);
    } else {
      out.other_tables.push_back(t.name());
    }
  }
  return out;
}

core::Result<RulesetCopy> Kernel::copy() {
  return copy_table({});
}

core::Result<RulesetCopy> Kernel::copy_table(const std::string& name) {
  for (int i = 0; i < kReadAttempts; ++i) {
    RulesetCopy out;
    const auto whole = Reader(*state_).copy_once(out, name);
    if (whole && *whole) return out;
    const bool overtaken = whole ? true : whole.error() == EINTR || whole.error() == ENOENT;
    if (!overtaken) return core::fail_errno(whole.error(), "copy the ruleset");
    usleep(1000U << std::min(i, 6));
  }
  return fail(Errc::conflict, "the ruleset kept changing while it was copied");
}

core::Result<LiveRuleset> Kernel::read_all() {
  return Reader(*state_).read_until_whole([](const LiveTable&) { return true; }, "the ruleset");
}

}  // namespace gatehouse::fwctl
