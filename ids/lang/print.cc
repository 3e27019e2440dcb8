#include "ids/lang/ast.h"

namespace gatehouse::ids::lang {
namespace {

void append_group(const GroupExpr& group, GroupKind kind, std::string& out) {
  if (group.negated) out += '!';
  switch (group.kind) {
    case GroupExpr::Kind::any:
      out += "any";
      return;
    case GroupExpr::Kind::literal:
      out += group.text;
      return;
    case GroupExpr::Kind::variable:
      out += '$' + group.text;
      return;
    case GroupExpr::Kind::range:
      out += group.text + (kind == GroupKind::port ? ':' : '-') + group.text_last;
      return;
    case GroupExpr::Kind::list:
      out += '[';
      for (std::size_t i = 0; i < group.items.size(); ++i) {
        if (i != 0) out += ',';
        append_group(group.items[i], kind, out);
      }
      out += ']';
      return;
  }
}

std::string_view arrow(RuleDirection direction) {
  switch (direction) {
    case RuleDirection::to:
      return " -> ";
    case RuleDirection::both:
      return " <> ";
    case RuleDirection::transaction:
      return " => ";
  }
  return " -> ";
}

}  // namespace

std::string print_group(const GroupExpr& group, GroupKind kind) {
  std::string out;
  append_group(group, kind, out);
  return out;
}

std::string print_rule(const RuleAst& rule) {
  const RuleHeader& h = rule.header;
  std::string out = h.action + ' ' + h.protocol + ' ';
  append_group(h.source, GroupKind::address, out);
  out += ' ';
  append_group(h.source_port, GroupKind::port, out);
  out += arrow(h.direction);
  append_group(h.destination, GroupKind::address, out);
  out += ' ';
  append_group(h.destination_port, GroupKind::port, out);
  out += " (";
  for (std::size_t i = 0; i < rule.options.size(); ++i) {
    const RuleOption& option = rule.options[i];
    if (i != 0) out += ' ';
    out += option.name;
    if (option.has_value) out += ':' + option.value;
    out += ';';
  }
  return out + ')';
}

}  // namespace gatehouse::ids::lang
