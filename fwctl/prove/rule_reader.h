// The expressions of one rule, read into a diagram.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fwctl/prove/load.h"
#include "fwctl/prove/relation_rows.h"
#include "fwctl/prove/symbolic.h"

namespace gatehouse::fwctl::prove {

inline constexpr std::size_t kWideBytes = 16;
inline constexpr std::size_t kRegisterBits = kSlots * 32;

// Why a word is not known, if a bit of it is not.
std::optional<Reason> unknown_in(const Word& word);

// A condition of a rule: a diagram, or a set not yet looked up, so that what follows becomes its leaves.
struct Symbolic::Condition {
  Node known = 0;
  const KernelSet* set = nullptr;
  std::vector<Word> key;
  std::vector<std::pair<std::size_t, std::size_t>> cuts;
  bool negated = false;
};

// Reads from first to last, then builds the diagram from last to first.
class Symbolic::RuleReader {
 public:
  RuleReader(Symbolic& s, const LiveTable& table, const Place& place, bool untracked)
      : s_(s), d_(s.d_), table_(table), place_(place), was_untracked_(untracked), untracked_(untracked) {}
  Node read(const KernelRule& rule);

 private:
  // --- registers ---
  void store(Slot to, Word bits);
  Word fetch(Slot from, std::size_t bytes);
  void store_unknown(Slot to, std::size_t bytes, const std::string& why);
  void add(Node condition);
  void push(Condition condition);
  void finish(Node action);
  void give_up(const std::string& what);

  // --- loads ---
  void put(const Loaded& loaded, Slot to);
  void append(Word& word, const LoadedByte& b);
  void step(const LoadMeta& e);
  void step(const LoadCt& e);
  void step(const LoadFib& e);
  void step(const LoadSocket& e);
  void step(const LoadPayload& e);
  void step(const Mask& e);

  // --- comparisons ---
  Node equals(const Word& word, const Bytes& data);
  // A known bit that differs settles an equality, whatever the unknown ones are.
  static bool cannot_equal(const Word& word, const Bytes& data);
  void step(const Compare& e);
  void range(const Foreign& e);

  // --- sets ---
  struct Key {
    const KernelSet* set = nullptr;
    std::vector<Word> words;
    std::vector<std::pair<std::size_t, std::size_t>> cuts;
    std::optional<Reason> unknown;
  };
  std::optional<Key> key_for(Slot from, const std::string& name);
  bool filled_by_packets(const KernelSet& set) const;
  Node uncertain(const KernelSet& set);
  // `value` makes an element's leaf, given whether its presence is certain.
  template <class Value>
  Table table_of(const Key& key, Value value) {
    return rows_of(*key.set, key.cuts, value);
  }
  static const KernelElement* catch_all(const KernelSet& set);
  // Every variable of the key stands above every variable of the node.
  bool above(const std::vector<Word>& words, Node n) const;
  void step(const Lookup& e);
  Variable member_of(const Key& key);
  Node membership(const Key& key, bool negated);
  Node action_of(const KernelElement& e, const KernelSet& set);
  void verdict_map(const Key& key);
  Node put_before(const Condition& c, Node then);

  // --- the rest ---
  void step(const Limit& e);
  void step(const ConnectionCount& e);
  // A meter of each source is a rate like another one; of anything else this version cannot say whose.
  void step(const Remember& e);
  // How many leading bits of the source the key holds, when it holds nothing else; else -1.
  int source_bits(const Word& key);
  void step(const NoTrack&);
  // SYN is answered; ACK without it ends a handshake or is dropped; anything else passes
  // (nft_synproxy.c: nft_synproxy_eval_v4).
  void step(const SynProxying& e);
  void step(const Log&);
  void step(const Counter&);
  void step(const SetVerdict& e);
  void step(const Constant& e);
  static Word bits_of(const Bytes& data);
  // The bytes of a register, when they are the same for every packet.
  std::optional<Bytes> constant_in(Slot slot, std::size_t bytes);
  void step(const Translate& e);
  void step(const MasqueradeSource& e);
  void translate(Rewrite rewrite, const std::string& text);
  void step(const Foreign& e);
  void swap_bytes(const Foreign& e);
  Node marked(Node action);

  Symbolic& s_;
  Diagrams& d_;
  const LiveTable& table_;
  const Place& place_;
  const bool was_untracked_;
  bool untracked_;
  bool done_ = false;
  bool last_ = false;
  Node otherwise_ = 0;
  Node action_ = 0;
  std::array<Bit, kRegisterBits> registers_{};
  std::vector<Condition> conditions_;
};

}  // namespace gatehouse::fwctl::prove
