// One packet on its way through a ruleset: what the kernel does with each expression (nf_tables_core.c:
// nft_do_chain and the eval functions).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fwctl/prove/interpret.h"
#include "fwctl/prove/load.h"

namespace gatehouse::fwctl::prove {

inline constexpr std::size_t kRegisterBytes = kSlots * 4;

enum class Flow : std::uint8_t { go_on, returned, accepted, dropped, rejected, answered };

class Interpreter {
 public:
  Interpreter(const LiveRuleset& ruleset, const Packet& packet, const std::vector<bool>& choices)
      : ruleset_(ruleset), packet_(packet), choices_(choices), writes_(writes_of(ruleset)) {}

  Trace run();

 private:
  // The packet's path, to its end or to the SYN proxy.
  Flow pass();
  // The SYN that the proxy sends to the host for the client.
  void become_handshake();
  // The packet behind a translation of its destination.
  void put(const Rewrite& rewrite);
  bool on_device(const BaseStep& step) const;
  bool asked(const BaseStep& step) const;

  Flow base_chain(const BaseStep& step);

  Flow chain(const LiveTable& table, const KernelChain& c);

  // --- one rule ---
  struct Register {
    std::array<std::uint8_t, kRegisterBytes> bytes{};
    std::array<bool, kRegisterBytes> unknown{};
    std::string why;
  };
  enum class Step : std::uint8_t { match, no_match, verdict };

  // A rule that can only log or count decides nothing, whether it matches or not.
  static bool can_decide(const KernelRule& rule);

  Flow rule(const LiveTable& table, const KernelChain& c, std::size_t index);
  Flow follow(const LiveTable& table, const KernelVerdict& verdict);
  Step decide(KernelVerdict verdict);

  // Something that may hold or not.
  bool doubt(const std::string& what, bool usually = false);
  Step matches(bool yes) const { return yes ? Step::match : Step::no_match; }
  // An effect this version does not know: accepted, dropped or passed over.
  Step anything(const std::string& what);

  // --- registers ---
  bool fits(Slot slot, std::size_t bytes) const { return slot * 4U + bytes <= kRegisterBytes; }
  void store(Slot to, const Bytes& bytes);
  Step store_unknown(Slot to, std::size_t bytes, const std::string& why);
  bool unknown(Slot from, std::size_t bytes) const;
  Bytes fetch(Slot from, std::size_t bytes) const;

  // --- loads ---
  Step put(const Loaded& loaded, Slot to);
  Step eval(const LoadMeta& e) { return put(load(e, place_, writes_), e.to); }
  Step eval(const LoadCt& e) { return put(load(e, place_, writes_, taken_out_), e.to); }
  Step eval(const LoadFib& e) { return put(load(e, place_), e.to); }
  Step eval(const LoadSocket& e) { return put(load(e, place_), e.to); }
  Step eval(const LoadPayload& e) { return put(load(e, place_, writes_), e.to); }

  Step eval(const Mask& e);

  // --- comparisons ---
  Step eval(const Compare& e);

  // --- sets ---
  static bool covers(const KernelSet& set, const KernelElement& e, const Bytes& key);
  const KernelElement* find(const KernelSet& set, const Bytes& key) const;
  bool is_source(const Bytes& key) const;
  Step eval(const Lookup& e);

  // --- the rest ---
  Step eval(const Limit& e);
  Step eval(const ConnectionCount& e);
  Step eval(const Remember& e);
  Step eval(const NoTrack&);
  Step eval(const SynProxying&);
  Step eval(const Log&) { return Step::match; }
  Step eval(const Counter&) { return Step::match; }
  Step eval(const SetVerdict& e) { return decide(e.verdict); }
  Step eval(const Constant& e);
  Step eval(const Translate& e);
  Step eval(const MasqueradeSource&);
  Step eval(const Foreign& e);
  Step swap_bytes(const Foreign& e);

  const LiveRuleset& ruleset_;
  Packet packet_;
  const std::vector<bool>& choices_;
  const Writes writes_;
  Place place_;
  const LiveTable* table_ = nullptr;
  Register registers_;
  KernelVerdict verdict_;
  std::optional<Rewrite> rewrite_;
  bool rejected_ = false;
  bool taken_out_ = false;
  Trace out_;
};

}  // namespace gatehouse::fwctl::prove
