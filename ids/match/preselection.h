// Literal sets over one kind of bytes (the payload of TCP packets, http.uri
// ...), and the rules each literal preselects.
#pragma once

#include <array>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ids/match/detector.h"
#include "ids/match/header_index.h"
#include "ids/match/prefilter.h"

namespace gatehouse::ids {

// Position from which on a literal cannot help its rule any more.
inline constexpr std::uint32_t kNoReach = std::numeric_limits<std::uint32_t>::max();

// The bytes of one scan; `old` of them were scanned before.
struct ScanView {
  ByteView data;
  std::size_t old = 0;
  bool chunk = false;  // positions count from the first new byte as well: a chunk of a stream
};

class Prefilter {
 public:
  // `big`: what it scans is long enough that literals of use near its beginning
  // are worth a scan of their own.
  explicit Prefilter(bool big = true) : big_(big) {}
  // `reach`: an occurrence that ends behind it is of no use to the rule.
  void add(std::string_view bytes, bool nocase, std::uint32_t reach, PlanId plan);
  // Before build(): adds all that `other` has, and leaves it empty.
  void take(Prefilter& other);
  // Names its sets `name` and a word on their kind, at the end of `set_names`.
  core::Status build(const std::string& cache_dir, const std::string& name, EngineSummary& summary,
                     std::vector<std::string>& set_names);
  core::Status prepare(ScanScratch& scratch) const;
  bool empty() const;

  // `sink(PlanId)` for every rule preselected by what is new; a rule may come
  // several times.
  template <class Sink>
  void scan(const ScanView& view, ScanScratch& scratch, Sink&& sink) const {
    for (const Section& section : sections_) {
      if (!section.set) continue;
      const ByteView bytes = section.part(view);
      if (bytes.empty()) continue;
      scratch.costs.measure(section.number, [&](CostSamples* costs) {
        Expander<Sink> expander(section, sink, costs);
        section.set->scan(bytes, scratch, expander);
        if (costs != nullptr) costs->bytes += bytes.size();
      });
    }
  }

 private:
  // The parts of a set differ in what a scan costs.
  enum Kind : std::size_t {
    kBegin,  // literals of use near the beginning only: little is scanned for
             // them
    kLong,
    kShort,  // less than four bytes: they would slow down the scan of all others
    kKinds
  };
  struct Section {
    std::map<std::pair<std::string, bool>, std::vector<PlanId>> building;
    std::vector<std::vector<PlanId>> rules;  // by literal
    std::unique_ptr<const LiteralSet> set;
    std::size_t number = 0;  // among all sets of the engine
    std::size_t longest = 0;
    std::uint32_t reach = 0;  // the farthest of its literals

    // What of `view` a literal of this section can newly lie in.
    ByteView part(const ScanView& view) const;
  };
  template <class Sink>
  class Expander : public LiteralSink {
   public:
    Expander(const Section& section, Sink& sink, CostSamples* costs)
        : section_(section), sink_(sink), costs_(costs) {}
    void on_literal(std::uint32_t literal) override {
      const std::vector<PlanId>& rules = section_.rules[literal];
      for (const PlanId plan : rules) sink_(plan);
      if (costs_ != nullptr) costs_->hits += rules.size();
    }

   private:
    const Section& section_;
    Sink& sink_;
    CostSamples* costs_;
  };
  static core::Status build_section(Section& section, const std::string& cache_dir, EngineSummary& summary);

  bool big_;
  std::array<Section, kKinds> sections_;
};

}  // namespace gatehouse::ids
