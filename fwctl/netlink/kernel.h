// The kernel's nf_tables over netlink: read a table, commit a transaction. The types of libmnl and
// libnftnl do not leave this folder.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "fwctl/compile/kernel_table.h"
#include "fwctl/compile/transaction.h"

namespace gatehouse::fwctl {

// One consistent picture: nothing was committed while it was read.
struct LiveState {
  std::uint32_t generation = 0;
  std::optional<KernelTable> table;       // the one asked for, of family inet
  std::vector<std::string> other_tables;  // "ip nat", "inet filter"
};

// Talks to the network namespace that the calling thread was in at open().
class Kernel {
 public:
  static core::Result<Kernel> open();
  Kernel(Kernel&&) noexcept;
  Kernel& operator=(Kernel&&) noexcept;
  ~Kernel();

  // Changes with every commit of anybody in this network namespace.
  core::Result<std::uint32_t> generation();
  // Errc::conflict when others keep committing while we read.
  core::Result<LiveState> read(const std::string& table);
  // The tables of all families with everything in them.
  core::Result<LiveRuleset> read_all();
  // All or nothing. With a generation given, nothing is done unless it is still the current one
  // (Errc::conflict). A refusal by the kernel carries the policy line of the first bad operation.
  core::Status commit(const Transaction& transaction, std::optional<std::uint32_t> expected_generation);

 private:
  struct State;
  explicit Kernel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gatehouse::fwctl
