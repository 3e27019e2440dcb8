#include <fmt/format.h>

#include <map>

#include "fwctl/model/print.h"

namespace gatehouse::fwctl {
namespace {

constexpr std::size_t kMostLabels = 6;  // of one arrow

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// What leads from a chain to each other: conditions of rules, keys of verdict maps.
using Arrows = std::map<std::string, std::vector<std::string>>;

std::string conditions_of(const Rule& rule) {
  Rule bare = rule;
  bare.counter = false;
  bare.outcome = std::monostate{};
  return rule_text(bare);
}

void lead(Arrows& out, const Verdict& verdict, const std::string& by) {
  if (verdict.kind == VerdictKind::give_back) return;  // to where the arrow to this chain comes from
  const bool ends = verdict.kind == VerdictKind::accept || verdict.kind == VerdictKind::drop;
  out[ends ? verdict.to_string() : verdict.chain].push_back(by.empty() ? "the rest" : by);
}

Arrows arrows_of(const Ruleset& ruleset, const Chain& chain) {
  Arrows out;
  for (const Rule& r : chain.rules) {
    const std::string by = conditions_of(r);
    if (const auto* verdict = std::get_if<Verdict>(&r.outcome)) lead(out, *verdict, by);
    if (const auto* to = std::get_if<ForwardTo>(&r.outcome))
      out["to " + to->address.to_string()].push_back(by);
    if (std::holds_alternative<HideSource>(r.outcome)) out["masquerade"].push_back(by);
    if (std::holds_alternative<AnswerFor>(r.outcome)) out["synproxy"].push_back(by);
    const auto* map = std::get_if<VerdictMap>(&r.outcome);
    const Set* set = map == nullptr ? nullptr : ruleset.find_set(map->map);
    if (set == nullptr) continue;
    for (const Element& e : set->elements) {
      if (e.verdict) lead(out, *e.verdict, element_key(*set, e));
    }
  }
  return out;
}

std::string label(const std::vector<std::string>& all) {
  std::string out;
  for (std::size_t i = 0; i < std::min(all.size(), kMostLabels); ++i) out += (i == 0 ? "" : "\n") + all[i];
  if (all.size() > kMostLabels) out += fmt::format("\nand {} more", all.size() - kMostLabels);
  return out;
}

}  // namespace

std::string print_dot(const Ruleset& ruleset) {
  std::string out = fmt::format("digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n", quoted(ruleset.table));
  out += "  \"accept\" [shape=ellipse];\n  \"drop\" [shape=ellipse];\n";
  for (const Chain& c : ruleset.chains) {
    out += fmt::format(
        "  {} [tooltip={}{}];\n", quoted(c.name), quoted(c.about),
        c.hook ? fmt::format(", style=bold, label={}", quoted(fmt::format("{}\nhook {} priority {}", c.name,
                                                                          to_string(*c.hook), c.priority)))
               : "");
  }
  for (const Chain& c : ruleset.chains) {
    for (const auto& [to, by] : arrows_of(ruleset, c))
      out += fmt::format("  {} -> {} [label={}];\n", quoted(c.name), quoted(to), quoted(label(by)));
  }
  return out + "}\n";
}

}  // namespace gatehouse::fwctl
