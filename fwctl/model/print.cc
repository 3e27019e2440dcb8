#include "fwctl/model/print.h"

#include <fmt/format.h>

#include "core/json.h"

namespace gatehouse::fwctl {
namespace {

std::string rate_text(const RateLimit& limit) {
  const std::string_view unit = limit.unit_s == 1 ? "second" : limit.unit_s == 60 ? "minute" : "hour";
  return fmt::format("limit rate {}{}/{} burst {} packets", limit.over ? "over " : "", limit.count, unit,
                     limit.burst);
}
std::string count_text(const ConnectionsOver& connections) {
  return fmt::format("ct count over {}", connections.most);
}

// The source as a set remembers it: nft wants the mask written out.
std::string source_text(const ForEachSource& each) {
  const std::string name(info(each.source).name);
  const std::uint8_t bits = each.source == Field::ip_saddr ? 32 : 128;
  if (each.prefix == bits) return name;
  core::IpAddress mask;
  mask.version = bits == 32 ? 4 : 6;
  for (unsigned i = 0; i < each.prefix; ++i)
    mask.bytes[i / 8] = static_cast<std::uint8_t>(mask.bytes[i / 8] | 0x80U >> i % 8);
  return name + " & " + mask.to_string();
}
std::string each_text(const ForEachSource& each) {
  const auto* rate = std::get_if<RateLimit>(&each.what);
  return fmt::format("{} @{} {{ {}{} {} }}", each.forget_s == 0 ? "add" : "update", each.set,
                     source_text(each), each.forget_s == 0 ? "" : fmt::format(" timeout {}s", each.forget_s),
                     rate != nullptr ? rate_text(*rate) : count_text(std::get<ConnectionsOver>(each.what)));
}

std::string key_text(const std::vector<Field>& key, std::uint32_t level = 0) {
  std::string out;
  for (const Field f : key) {
    out += (out.empty() ? "" : " . ") + std::string(info(f).name);
    if (f == Field::control_group) out += fmt::format(" level {}", level);
  }
  return out;
}

struct MatchText {
  std::string operator()(const FieldIs& m) const {
    return fmt::format("{} {}", info(m.field).name, m.value.to_string(info(m.field).type));
  }
  std::string operator()(const InSet& m) const {
    return fmt::format("{} {}@{}", key_text(m.key), m.negated ? "!= " : "", m.set);
  }
  std::string operator()(const StateIs& m) const {
    switch (m.state) {
      case CtState::invalid:
        return "ct state invalid";
      case CtState::established:
        return "ct state established";
      case CtState::related:
        return "ct state related";
      case CtState::untracked:
        return "ct state untracked";
      case CtState::fresh:
        break;
    }
    return "ct state new";
  }
  std::string operator()(const FlagsAre& m) const {
    return fmt::format("tcp flags & (fin | syn | rst | ack) {} {}", m.negated ? "!=" : "==",
                       m.flags == TcpFlags::syn   ? "syn"
                       : m.flags == TcpFlags::ack ? "ack"
                                                  : "syn | ack");
  }
  std::string operator()(const HasUser&) const { return "meta skuid != 4294967295"; }
  std::string operator()(const NoRouteBack&) const { return "fib saddr . iif oif missing"; }
  std::string operator()(const IsForwarded&) const { return "ct status dnat"; }
};

}  // namespace

std::string element_key(const Set& set, const Element& element) {
  std::string out;
  for (std::size_t i = 0; i < element.key.size(); ++i) {
    const auto group = set.groups.find(element.key[i].first);
    const bool named = set.key[i] == ValueType::control_group && group != set.groups.end();
    out += (i == 0 ? "" : " . ") + (named ? '"' + group->second + '"' : element.key[i].to_string(set.key[i]));
  }
  return out;
}

namespace {

std::string type_text(const Set& set) {
  std::string out;
  for (const ValueType t : set.key) out += (out.empty() ? "" : " . ") + std::string(nft_type_name(t));
  return out + (set.verdict_map ? " : verdict" : "");
}

std::string hook_text(const Chain& chain) {
  return fmt::format("type {} hook {} priority {}; policy {};", chain.translates ? "nat" : "filter",
                     to_string(*chain.hook), chain.priority, chain.translates ? "accept" : "drop");
}

std::string comment_column(const std::string& left, const Origin& origin) {
  return origin.text.empty() ? left : fmt::format("{:<76} # {}", left, origin.text);
}

}  // namespace

std::string rule_text(const Rule& rule) {
  std::string out;
  const auto word = [&out](std::string_view text) { out += (out.empty() ? "" : " ") + std::string(text); };
  for (const Match& m : rule.matches) word(std::visit(MatchText{}, m));
  if (rule.for_each_source) word(each_text(*rule.for_each_source));
  if (rule.limit) word(rate_text(*rule.limit));
  if (rule.connections) word(count_text(*rule.connections));
  if (rule.log) word(fmt::format("log prefix \"{}\" group {}", rule.log->prefix, rule.log->group));
  if (rule.counter) word("counter");
  if (rule.leave_untracked) word("notrack");
  if (const auto* verdict = std::get_if<Verdict>(&rule.outcome)) word(verdict->to_string());
  if (const auto* map = std::get_if<VerdictMap>(&rule.outcome)) {
    word(fmt::format("{} vmap @{}", key_text(map->key, map->level), map->map));
  }
  if (const auto* to = std::get_if<ForwardTo>(&rule.outcome)) {
    const bool v4 = to->address.is_v4();
    const std::string address = to->address.to_string();
    word(fmt::format("dnat {} to {}", v4 ? "ip" : "ip6",
                     to->port == 0 ? address
                     : v4          ? fmt::format("{}:{}", address, to->port)
                                   : fmt::format("[{}]:{}", address, to->port)));
  }
  if (std::holds_alternative<HideSource>(rule.outcome)) word("masquerade");
  if (const auto* proxy = std::get_if<AnswerFor>(&rule.outcome)) {
    word(fmt::format("synproxy mss {} wscale {}{}{}", proxy->mss, proxy->window_scale,
                     proxy->timestamps ? " timestamp" : "", proxy->sack ? " sack-perm" : ""));
  }
  return out;
}

std::string print_normal(const Ruleset& ruleset) {
  std::string out = fmt::format("table inet {}\n", ruleset.table);
  for (const Set& s : ruleset.sets) {
    out += fmt::format("\n{} {}: {}{}\n", s.verdict_map ? "map" : "set", s.name, type_text(s),
                       s.intervals   ? ", intervals"
                       : s.most != 0 ? fmt::format(", at most {}", s.most)
                       : s.timeouts  ? ", timeouts"
                                     : "");
    for (const Element& e : s.all_elements()) {
      const std::string verdict = e.verdict ? " -> " + e.verdict->to_string() : "";
      out += comment_column("  " + element_key(s, e) + verdict, e.origin) + '\n';
    }
  }
  for (const Chain& c : ruleset.chains) {
    out += fmt::format("\nchain {}{}\n", c.name, c.hook ? ": " + hook_text(c) : "");
    for (const Rule& r : c.rules) out += comment_column("  " + rule_text(r), r.origin) + '\n';
  }
  return out;
}

std::string print_nft(const Ruleset& ruleset) {
  const std::string& table = ruleset.table;
  // Adding before deleting makes the deletion work whether the table is there or not.
  std::string out = fmt::format(
      "#!/usr/sbin/nft -f\n\nadd table inet {0}\ndelete table inet {0}\n\ntable inet {0} {{\n", table);
  for (const Set& s : ruleset.sets) {
    if (!s.about.empty()) out += fmt::format("\t# {}\n", s.about);
    out += fmt::format("\t{} {} {{\n\t\ttype {}\n", s.verdict_map ? "map" : "set", s.name, type_text(s));
    if (s.intervals) out += "\t\tflags interval\n";
    if (s.most != 0) {
      out += s.timeouts ? "\t\tflags dynamic,timeout\n" : "\t\tflags dynamic\n";
    } else if (s.timeouts) {
      out += "\t\tflags timeout\n";
    }
    if (s.room() != 0) out += fmt::format("\t\tsize {}\n", s.room());
    std::string elements;
    for (const Element& e : s.all_elements()) {
      elements += (elements.empty() ? "" : ",\n\t\t             ") + element_key(s, e);
      if (!e.origin.text.empty()) elements += fmt::format(" comment \"{}\"", e.origin.text);
      if (e.verdict) elements += " : " + e.verdict->to_string();
    }
    if (!elements.empty()) out += fmt::format("\t\telements = {{ {} }}\n", elements);
    out += "\t}\n\n";
  }
  for (const Chain& c : ruleset.chains) {
    if (!c.about.empty()) out += fmt::format("\t# {}\n", c.about);
    out += fmt::format("\tchain {} {{\n", c.name);
    if (c.hook) out += fmt::format("\t\t{}\n", hook_text(c));
    for (const Rule& r : c.rules) {
      out += fmt::format("\t\t{}{}\n", rule_text(r),
                         r.origin.text.empty() ? "" : " comment \"" + r.origin.text + "\"");
    }
    out += "\t}\n\n";
  }
  out.pop_back();
  return out + "}\n";
}

namespace {

void origin_json(core::JsonWriter& json, const Origin& origin) {
  json.field("comment", origin.text);
  if (origin.where.line == 0) return;
  json.field("file", origin.where.file).field("line", origin.where.line);
}

}  // namespace

std::string print_json(const Ruleset& ruleset) {
  std::string out;
  core::JsonWriter json(out);
  json.begin_object().field("family", "inet").field("table", ruleset.table).key("sets").begin_array();
  for (const Set& s : ruleset.sets) {
    json.begin_object().field("name", s.name).field("type", type_text(s)).field("intervals", s.intervals);
    json.field("timeouts", s.timeouts);
    if (s.most != 0) json.field("most", s.most);
    json.key("elements").begin_array();
    for (const Element& e : s.all_elements()) {
      json.begin_object().field("key", element_key(s, e));
      if (e.verdict) json.field("verdict", e.verdict->to_string());
      origin_json(json, e.origin);
      json.end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().key("chains").begin_array();
  for (const Chain& c : ruleset.chains) {
    json.begin_object().field("name", c.name);
    if (c.hook) {
      json.field("type", c.translates ? "nat" : "filter").field("hook", to_string(*c.hook));
      json.field("priority", c.priority).field("policy", c.translates ? "accept" : "drop");
    }
    json.key("rules").begin_array();
    for (const Rule& r : c.rules) {
      json.begin_object().field("rule", rule_text(r));
      origin_json(json, r.origin);
      json.end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return out + '\n';
}

}  // namespace gatehouse::fwctl
