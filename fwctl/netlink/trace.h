// The kernel's own account of what rules do with packets (NFT_MSG_TRACE).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"

namespace gatehouse::fwctl {

struct TraceEvent {
  enum class Kind : std::uint8_t { rule, policy, returned };
  Kind kind = Kind::rule;
  std::uint32_t packet = 0;  // the kernel's number for it
  std::uint32_t family = 0;
  std::string table, chain;
  std::uint64_t rule = 0;    // handle
  std::int32_t verdict = 0;  // NF_*, NFT_*; of a policy: NF_DROP or NF_ACCEPT
  std::string target;        // of a jump
};

// Listens in the network namespace that the calling thread was in at open().
class TraceListener {
 public:
  static core::Result<TraceListener> open();
  TraceListener(TraceListener&&) noexcept;
  TraceListener& operator=(TraceListener&&) noexcept;
  ~TraceListener();

  // What has come in so far; waits at most `wait_ms` for the first event.
  core::Result<std::vector<TraceEvent>> read(int wait_ms);

 private:
  struct State;
  explicit TraceListener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gatehouse::fwctl
