// Literal sets over one kind of bytes (the payload of TCP packets, http.uri
// ...), and the rules each literal preselects.
#pragma once

#include <bitset>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "ids/match/detector.h"
#include "ids/match/header_index.h"
#include "ids/match/profile.h"
#include "ids/search/anchored_set.h"
#include "ids/search/literal_set.h"

namespace gatehouse::ids {

// What ends within so many bytes is "near the beginning": a few cache lines.
inline constexpr std::uint16_t kNearReach = 256;

// Position from which on a literal cannot help its rule any more.
inline constexpr std::uint32_t kNoReach = std::numeric_limits<std::uint32_t>::max();

// One kind of bytes rules look into: TCP payload to the server, http.uri of requests ... Numbered by the
// engine.
using ScanSlot = std::uint16_t;

// The bytes of one scan; `old` of them were scanned before.
struct ScanView {
  ByteView data;
  std::size_t old = 0;
  std::uint64_t base = 0;  // positions count from so many bytes before the data
  bool chunk = false;      // they count from the first new byte as well: a chunk of a stream
  bool joined = false;     // several buffers one behind the other: positions say nothing
};

// Working memory of one worker for all scans.
struct ScanScratch {
  LiteralScratch literals;
  CostSampler costs;  // by Prefilter::costs_number
};

// What the ports of a packet must be for a rule, roughly: a rule outside of it cannot hold.
struct PortBox {
  std::uint16_t source_first = 0, source_last = 65535;
  std::uint16_t destination_first = 0, destination_last = 65535;

  PortBox() = default;
  explicit PortBox(const Rule& rule);
  bool holds(std::uint16_t source, std::uint16_t destination) const {
    return source >= source_first && source <= source_last && destination >= destination_first &&
           destination <= destination_last;
  }
};

// A rule that a literal names.
struct Preselected {
  PlanId plan = 0;
  bool of_transaction = false;  // the literal lies in the payload, but the rule is about a transaction
  // gated: looked for only in bytes where a gate of such rules is open. gate: no literal of the rule, but
  // what opens it.
  enum class Role : std::uint8_t { plain, gated, gate } role = Role::plain;
  PortBox ports;
  std::uint16_t reach = kAnyReach;  // where an occurrence that helps must end at the latest

  static constexpr std::uint16_t kAnyReach = 65535;
};

struct ChosenLiteral;

class Prefilter {
 public:
  // What it scans.
  enum class Scope : std::uint8_t {
    big,  // long enough that literals of use near its beginning are worth a scan of their own
    small,
    joined,  // several buffers at once, so that positions say nothing
  };
  explicit Prefilter(Scope scope = Scope::big) : scope_(scope) {}
  void add(const ChosenLiteral& literal, Preselected rule);
  // The rule can only hold where `gate`, which counts near the beginning, lies as well.
  void add_gated(const ChosenLiteral& literal, const ChosenLiteral& gate, Preselected rule);
  // The rule can only hold in so many bytes at most.
  void add_short(const ChosenLiteral& literal, std::size_t most_bytes, Preselected rule);
  // The rule can only hold for these ports of the source or of the destination, which are few.
  void add_for_ports(const ChosenLiteral& literal, const PortSet& ports, bool of_source, Preselected rule);
  // Before build(): adds all that `other` has, and leaves it empty.
  void take(Prefilter& other);
  void build(EngineSummary& summary);
  void prepare(ScanScratch& scratch) const;
  bool empty() const;

  // The samples of a set are noted under costs_number(slot, kind) for each kind below kinds().
  static constexpr std::size_t kinds() { return kKinds; }
  static std::string_view kind_name(std::size_t kind);
  static std::size_t costs_number(ScanSlot slot, std::size_t kind) { return slot * kKinds + kind; }

  // `sink(const Preselected&)` for every rule preselected by what is new, and whose ports can be those of
  // `packet`; a rule may come several times. `slot`: this set's number.
  template <class Sink>
  void scan(const ScanView& view, ScanSlot slot, const Packet& packet, ScanScratch& scratch,
            Sink&& sink) const {
    bool open = view.data.size() <= gated_below_ ||
                (gate_ports_ != nullptr && gate_ports_->open(packet.source_port, packet.destination_port));
    const auto pass = [&](const Preselected& rule) {
      if (rule.role == Preselected::Role::gate) {
        open = true;
      } else {
        sink(rule);
      }
    };
    if (anchored_set_ && is_new(view)) {
      scratch.costs.measure(costs_number(slot, kAnchored), [&](CostSamples* costs) {
        Expander expander(anchored_, view, 0, packet, pass, costs);
        find_anchored(view, expander);
      });
    }
    scan_free(near_, kNear, view, slot, packet, scratch, pass);
    scan_free(free_, kFree, view, slot, packet, scratch, sink);
    if (open) scan_free(gated_, kGated, view, slot, packet, scratch, sink);
  }

 private:
  // The literals of a set differ in how much has to be looked at for them.
  enum Kind : std::size_t {
    kAnchored,  // of use in one place only
    kNear,      // of use near the beginning only
    kFree,
    kGated,  // may lie anywhere, in what has the right size or beginning
    kKinds
  };
  struct Key {
    std::string bytes;
    bool nocase = false;
    std::optional<std::uint32_t> place;
    std::vector<std::string> then;  // of each class its members
    auto operator<=>(const Key&) const = default;
  };
  // What the literals of one kind stand for.
  struct Section {
    std::vector<std::uint32_t> first;  // by literal: its rules begin here; one more for the end
    std::vector<Preselected> rules;

    void add(std::span<const Preselected> of_literal);
  };
  struct FreeSection : Section {
    std::vector<Literal> literals;  // until the set is made
    std::unique_ptr<const LiteralSet> set;
    std::size_t longest = 0;
    std::uint32_t reach = 0;  // the farthest of its literals

    void add(const Literal& literal, std::span<const Preselected> of_literal);
    // What of `view` a literal can newly lie in.
    ByteView part(const ScanView& view) const;
  };
  template <class Sink>
  class Expander : public LiteralSink {
   public:
    // `skipped`: bytes of the view before those that ends count in.
    Expander(const Section& section, const ScanView& view, std::size_t skipped, const Packet& packet,
             const Sink& sink, CostSamples* costs)
        : section_(section),
          packet_(packet),
          sink_(sink),
          costs_(costs),
          before_(static_cast<std::int64_t>(skipped) - static_cast<std::int64_t>(view.chunk ? view.old : 0)),
          joined_(view.joined) {}
    void on_literal(std::uint32_t literal, std::size_t end) override {
      const std::int64_t reached = joined_ ? 0 : before_ + static_cast<std::int64_t>(end);
      for (std::uint32_t i = section_.first[literal]; i < section_.first[literal + 1]; ++i) {
        const Preselected& rule = section_.rules[i];
        if (reached > rule.reach && rule.reach != Preselected::kAnyReach) continue;
        if (!rule.ports.holds(packet_.source_port, packet_.destination_port)) continue;
        sink_(rule);
        if (costs_ != nullptr) ++costs_->hits;
      }
    }

   private:
    const Section& section_;
    const Packet& packet_;
    const Sink& sink_;
    CostSamples* costs_;
    std::int64_t before_;  // from an end to what reaches are compared with
    bool joined_;
  };
  template <class Sink>
  void scan_free(const FreeSection& section, Kind kind, const ScanView& view, ScanSlot slot,
                 const Packet& packet, ScanScratch& scratch, const Sink& sink) const {
    const ByteView bytes = section.set ? section.part(view) : ByteView{};
    if (bytes.empty()) return;
    scratch.costs.measure(costs_number(slot, kind), [&](CostSamples* costs) {
      const auto skipped = static_cast<std::size_t>(bytes.data() - view.data.data());
      Expander<Sink> expander(section, view, skipped, packet, sink, costs);
      section.set->scan(bytes, scratch.literals, expander);
      if (costs != nullptr) costs->bytes += bytes.size();
    });
  }
  static bool is_new(const ScanView& view) { return view.old < view.data.size(); }
  void find_anchored(const ScanView& view, LiteralSink& sink) const;
  std::set<std::uint32_t> busiest_places() const;

  Scope scope_;
  std::map<Key, std::vector<Preselected>> literals_;  // until build()
  Section anchored_;
  std::unique_ptr<const AnchoredSet> anchored_set_;
  FreeSection near_, free_, gated_;
  std::size_t gated_below_ = 0;  // the gated ones are looked for in so few bytes whatever they begin with
  struct GatePorts {             // and for these ports
    std::bitset<65536> source, destination;
    bool open(std::uint16_t from, std::uint16_t to) const { return source[from] || destination[to]; }
  };
  std::unique_ptr<GatePorts> gate_ports_;
};

}  // namespace gatehouse::ids
