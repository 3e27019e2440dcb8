// The kernel's nf_tables over netlink: read a table, commit a transaction. The types of libmnl and
// libnftnl do not leave this folder.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/os.h"
#include "core/result.h"
#include "fwctl/compile/kernel_table.h"
#include "fwctl/compile/transaction.h"
#include "fwctl/netlink/set_events.h"

namespace gatehouse::fwctl {

struct Batch;

// One consistent picture: nothing was committed while it was read.
struct LiveState {
  std::uint32_t generation = 0;
  std::optional<KernelTable> table;       // the one asked for, of family inet
  std::vector<std::string> other_tables;  // "ip nat", "inet filter"
  std::uint32_t ownership = 0;            // NFT_TABLE_F_OWNER and kTablePersists, as far as they are set
  std::uint32_t owner_port = 0;           // netlink port of the socket that alone may write; 0: none
};

// NFT_TABLE_F_PERSIST (Linux 6.9): the table stays when its owner ends. Missing in older headers.
inline constexpr std::uint32_t kTablePersists = 4;

// Spares reading what cannot have changed.
struct Known {
  const KernelTable* table = nullptr;
  // What was done since; the elements of the others are those of `table`.
  std::map<std::string, SetEvents> changed_sets{};
  // Only where the kernel says how many there are, and there are as many.
  bool only_counted = false;
  // Asked while elements are read; true ends the reading (Errc::conflict), and this object with it: what it
  // asked for is still on its way.
  std::function<bool()> give_up{};
};

// A whole ruleset as the kernel's own messages, to be made again in another network namespace, also with
// what this version does not understand. Handles do not survive; the order of rules does.
struct RulesetCopy {
  std::uint32_t generation = 0;
  std::vector<std::vector<std::uint8_t>> messages;  // NFT_MSG_NEW* in the order of creation
};

inline constexpr std::string_view kTraceTable = "gatehouse-trace";
inline constexpr std::uint32_t kTracePriority = 0x6761;

// Talks to the network namespace that the calling thread was in at open().
class Kernel {
 public:
  static core::Result<Kernel> open();
  // A netlink socket that another process lent us: what it owns we may write.
  static core::Result<Kernel> adopt(core::UniqueFd socket);
  Kernel(Kernel&&) noexcept;
  Kernel& operator=(Kernel&&) noexcept;
  ~Kernel();

  // Changes with every commit of anybody in this network namespace.
  core::Result<std::uint32_t> generation();
  // Errc::conflict when others keep committing while we read.
  core::Result<LiveState> read(const std::string& table, const Known& known = {});
  // The tables of all families with everything in them.
  core::Result<LiveRuleset> read_all();
  core::Result<RulesetCopy> copy();
  // Of the one table `inet NAME`; no messages when it is not there.
  core::Result<RulesetCopy> copy_table(const std::string& name);
  // Adds everything of the copy in one transaction.
  core::Status paste(const RulesetCopy& copy);
  // Makes `inet gatehouse` anew from its copy, in one transaction.
  core::Status replace_table(const RulesetCopy& copy, bool is_there, std::uint32_t expected_generation);
  // A whole table by its name with its family, as `other_tables` has it: "ip nat".
  core::Status delete_table(const std::string& name);
  // Adds the table `inet gatehouse-trace`: its chains come before and after all others. Packets that come
  // in, and those sent with kTracePriority, are traced from the first to the last chain.
  core::Status add_trace_table();
  // All or nothing. With a generation given, nothing is done unless it is still the current one
  // (Errc::conflict). A refusal by the kernel carries the policy line of the first bad operation.
  core::Status commit(const Transaction& transaction, std::optional<std::uint32_t> expected_generation);

  std::uint32_t port() const;
  int descriptor() const;
  // Throws away answers that nobody waits for: of a borrower of our socket that ended in the middle.
  void drain();

 private:
  struct State;
  class Reader;
  core::Status send(const Batch& batch);
  explicit Kernel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gatehouse::fwctl
