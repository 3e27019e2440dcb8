#include "ids/parsers/expected.h"

#include <algorithm>
#include <utility>

namespace gatehouse::ids {

void ExpectedFlows::expire(std::int64_t now_us) {
  while (!entries_.empty() && (entries_.front().until_us <= now_us || entries_.size() >= kMost))
    entries_.pop_front();
}

void ExpectedFlows::add(const FlowKey& parent, ExpectedFlow expected, std::int64_t now_us) {
  Entry entry;
  entry.from = expected.opened == Direction::to_server ? parent.client : parent.server;
  entry.to = expected.opened == Direction::to_server ? parent.server : parent.client;
  entry.announced = expected.address;
  entry.port = expected.port;
  entry.protocol = parent.protocol;
  entry.until_us = now_us + kLifetimeUs;
  entry.flow = std::move(expected);
  const std::lock_guard lock(mutex_);
  expire(now_us);
  // The same port announced again: the later word counts.
  std::erase_if(entries_, [&](const Entry& e) {
    return e.from == entry.from && e.to == entry.to && e.port == entry.port && e.protocol == entry.protocol;
  });
  entries_.push_back(std::move(entry));
  count_.store(entries_.size(), std::memory_order_relaxed);
}

std::optional<ExpectedFlow> ExpectedFlows::take(const FlowKey& flow, std::int64_t now_us) {
  if (empty()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  expire(now_us);
  // The announced address may be that behind an address translation: then the flow goes where the
  // announcing one went.
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) {
    return e.port == flow.server_port && e.protocol == flow.protocol && e.from == flow.client &&
           (e.to == flow.server || e.announced == flow.server);
  });
  std::optional<ExpectedFlow> result;
  if (found != entries_.end()) {
    result = std::move(found->flow);
    entries_.erase(found);
  }
  count_.store(entries_.size(), std::memory_order_relaxed);
  return result;
}

}  // namespace gatehouse::ids
