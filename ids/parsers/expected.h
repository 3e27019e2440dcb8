// Flows that a session announced: the data connection of a control connection. Consulted when a new
// flow has its first payload; what is announced needs no detection.
#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "ids/flow/flow.h"

namespace gatehouse::ids {

// What the announcing session tells the one that will parse the flow. Immutable: the flow may be
// another worker's.
class FlowNote {
 public:
  virtual ~FlowNote() = default;
};

struct ExpectedFlow {
  std::string_view parser;  // by name; must outlive everything: a literal
  // Who will open it: to_server: the client of the announcing flow opens it to the server.
  Direction opened = Direction::to_server;
  IpAddress address;       // where it is opened to, as announced; version 0: not told
  std::uint16_t port = 0;  // its destination port
  std::shared_ptr<const FlowNote> note;
};

// Shared by all workers: kernels spread flows over them one by one. Cheap when nothing is expected.
class ExpectedFlows {
 public:
  static constexpr std::int64_t kLifetimeUs = 30'000'000;
  static constexpr std::size_t kMost = 16'384;  // beyond: the oldest is forgotten

  // `parent`: the announcing flow.
  void add(const FlowKey& parent, ExpectedFlow expected, std::int64_t now_us);
  // The expectation this new flow fulfils; it is used up with that.
  std::optional<ExpectedFlow> take(const FlowKey& flow, std::int64_t now_us);
  bool empty() const { return count_.load(std::memory_order_relaxed) == 0; }

 private:
  // Who opens it, where to: an expectation is found by both, or by one more for its announced address.
  struct Key {
    IpAddress from, to;
    std::uint16_t port = 0;
    std::uint8_t protocol = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Entry {
    std::vector<Key> keys;
    std::int64_t until_us = 0;
    ExpectedFlow flow;
  };
  using Entries = std::list<Entry>;
  void expire(std::int64_t now_us);
  void erase(Entries::iterator entry);

  std::atomic<std::size_t> count_{0};
  std::mutex mutex_;
  Entries entries_;  // oldest first
  std::map<Key, Entries::iterator> by_key_;
};

}  // namespace gatehouse::ids
