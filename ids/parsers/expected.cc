#include "ids/parsers/expected.h"

#include <iterator>
#include <utility>

namespace gatehouse::ids {

void ExpectedFlows::erase(Entries::iterator entry) {
  for (const Key& key : entry->keys) by_key_.erase(key);
  entries_.erase(entry);
}

void ExpectedFlows::expire(std::int64_t now_us) {
  while (!entries_.empty() && (entries_.front().until_us <= now_us || entries_.size() >= kMost))
    erase(entries_.begin());
}

void ExpectedFlows::add(const FlowKey& parent, ExpectedFlow expected, std::int64_t now_us) {
  const bool by_client = expected.opened == Direction::to_server;
  Entry entry;
  entry.keys.push_back({by_client ? parent.client : parent.server, by_client ? parent.server : parent.client,
                        expected.port, parent.protocol});
  // The announced address may be that of one side of an address translation: then the flow goes there,
  // or where the announcing one went.
  if (expected.address.version != 0 && expected.address != entry.keys[0].to) {
    Key announced = entry.keys[0];
    announced.to = expected.address;
    entry.keys.push_back(announced);
  }
  entry.until_us = now_us + kLifetimeUs;
  entry.flow = std::move(expected);
  const std::lock_guard lock(mutex_);
  expire(now_us);
  // The same port announced again: the later word counts.
  for (const Key& key : entry.keys) {
    if (const auto known = by_key_.find(key); known != by_key_.end()) erase(known->second);
  }
  entries_.push_back(std::move(entry));
  for (const Key& key : entries_.back().keys) by_key_.emplace(key, std::prev(entries_.end()));
  count_.store(entries_.size(), std::memory_order_relaxed);
}

std::optional<ExpectedFlow> ExpectedFlows::take(const FlowKey& flow, std::int64_t now_us) {
  if (empty()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  expire(now_us);
  std::optional<ExpectedFlow> result;
  const auto found = by_key_.find({flow.client, flow.server, flow.server_port, flow.protocol});
  if (found != by_key_.end()) {
    result = std::move(found->second->flow);
    erase(found->second);
  }
  count_.store(entries_.size(), std::memory_order_relaxed);
  return result;
}

}  // namespace gatehouse::ids
