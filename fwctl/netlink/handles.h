// Owners of the C objects, and register numbers both ways.
#pragma once

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter/nf_tables.h>

#include <memory>

#include "fwctl/compile/kernel_table.h"

namespace gatehouse::fwctl {

template <auto Free>
struct FreeBy {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using SocketHandle = std::unique_ptr<mnl_socket, FreeBy<mnl_socket_close>>;
using TableHandle = std::unique_ptr<nftnl_table, FreeBy<nftnl_table_free>>;
using ChainHandle = std::unique_ptr<nftnl_chain, FreeBy<nftnl_chain_free>>;
using RuleHandle = std::unique_ptr<nftnl_rule, FreeBy<nftnl_rule_free>>;
using SetHandle = std::unique_ptr<nftnl_set, FreeBy<nftnl_set_free>>;

// The kernel names the 16 slots NFT_REG32_00.., and their groups of four NFT_REG_1..4.
inline std::uint32_t register_of(Slot slot) {
  return slot % 4 == 0 ? NFT_REG_1 + slot / 4U : NFT_REG32_00 + static_cast<std::uint32_t>(slot);
}
// Slot kSlots stands for a register that holds no data (the verdict register).
inline Slot slot_of(std::uint32_t reg) {
  if (reg >= NFT_REG_1 && reg <= NFT_REG_4) return static_cast<Slot>((reg - NFT_REG_1) * 4);
  if (reg >= NFT_REG32_00 && reg <= NFT_REG32_15) return static_cast<Slot>(reg - NFT_REG32_00);
  return static_cast<Slot>(kSlots);
}

}  // namespace gatehouse::fwctl
