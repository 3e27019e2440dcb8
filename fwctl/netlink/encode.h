// A transaction as the bytes of one netlink batch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "fwctl/compile/transaction.h"
#include "fwctl/netlink/kernel.h"

namespace gatehouse::fwctl {

// What an answer with one sequence number is about.
struct MessageOrigin {
  std::uint32_t sequence = 0;
  std::string what;  // "rule in chain forward"
  core::SourcePos where;
};

struct Batch {
  std::vector<std::uint8_t> bytes;
  std::uint32_t begin_sequence = 0;
  std::uint32_t last_sequence = 0;     // the one message that asks for an acknowledgement
  std::vector<MessageOrigin> origins;  // ascending sequence
};

core::Result<Batch> encode(const Transaction& transaction, std::uint32_t first_sequence,
                           std::optional<std::uint32_t> expected_generation);

// A copied ruleset as a batch that makes it: without handles and positions, with fresh set numbers.
// `replace` names a table of family inet that is deleted first.
core::Result<Batch> encode_copy(const RulesetCopy& copy, std::uint32_t first_sequence,
                                const std::string& replace = {},
                                std::optional<std::uint32_t> expected_generation = std::nullopt);
core::Result<Batch> encode_delete_table(const std::string& name, std::uint32_t first_sequence);
// See Kernel::add_trace_table().
core::Result<Batch> encode_trace_table(std::uint32_t first_sequence);

}  // namespace gatehouse::fwctl
