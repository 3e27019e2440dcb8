#include "hardening/profile/expression.h"

#include <fmt/format.h>

#include <algorithm>

namespace gatehouse::hardening {

struct Expression::Node {
  enum class Kind : std::uint8_t { compare, all_of, any_of };

  Node(Kind k, Comparison c, std::vector<Expression> p) : kind(k), comparison(c), parts(std::move(p)) {}
  Kind kind;
  Comparison comparison;
  std::vector<Expression> parts;
};

bool Comparison::holds(const Arguments& arguments) const {
  const std::uint64_t given = arguments.at(argument);
  return kind == Kind::masked_equal ? (given & mask) == value : given <= value;
}

std::string Comparison::to_string() const {
  if (kind == Kind::at_most) return fmt::format("a{} <= {:#x}", argument, value);
  if (mask == ~std::uint64_t{0}) return fmt::format("a{} == {:#x}", argument, value);
  return fmt::format("(a{} & {:#x}) == {:#x}", argument, mask, value);
}

Expression::Expression() : Expression(all_of({})) {}

Expression Expression::compare(Comparison comparison) {
  return Expression(std::make_shared<const Node>(Node::Kind::compare, comparison, std::vector<Expression>{}));
}

Expression Expression::all_of(std::vector<Expression> parts) {
  return Expression(std::make_shared<const Node>(Node::Kind::all_of, Comparison{}, std::move(parts)));
}

Expression Expression::any_of(std::vector<Expression> parts) {
  return Expression(std::make_shared<const Node>(Node::Kind::any_of, Comparison{}, std::move(parts)));
}

bool Expression::evaluate(const Arguments& arguments) const {
  const auto holds = [&](const Expression& part) { return part.evaluate(arguments); };
  switch (node_->kind) {
    case Node::Kind::compare:
      return node_->comparison.holds(arguments);
    case Node::Kind::all_of:
      return std::all_of(node_->parts.begin(), node_->parts.end(), holds);
    case Node::Kind::any_of:
      break;
  }
  return std::any_of(node_->parts.begin(), node_->parts.end(), holds);
}

bool Expression::is_always() const {
  return node_->kind == Node::Kind::all_of && std::all_of(node_->parts.begin(), node_->parts.end(),
                                                          [](const Expression& p) { return p.is_always(); });
}

std::string Expression::to_string() const {
  if (is_always()) return "always";
  if (node_->kind == Node::Kind::compare) return node_->comparison.to_string();
  if (node_->parts.empty()) return "never";
  std::string out;
  for (const Expression& part : node_->parts) {
    if (!out.empty()) out += node_->kind == Node::Kind::all_of ? " and " : " or ";
    out += part.to_string();
  }
  return node_->parts.size() == 1 ? out : "(" + out + ")";
}

core::Result<std::vector<Conjunction>> Expression::alternatives(std::size_t limit) const {
  const auto too_many = [&] {
    return core::fail(core::Errc::limit,
                      fmt::format("the conditions expand to more than {} alternatives", limit));
  };
  if (node_->kind == Node::Kind::compare) return std::vector<Conjunction>{{node_->comparison}};
  if (node_->kind == Node::Kind::any_of) {
    std::vector<Conjunction> out;
    for (const Expression& part : node_->parts) {
      GH_TRY(std::vector<Conjunction> more, part.alternatives(limit));
      if (out.size() + more.size() > limit) return too_many();
      for (Conjunction& c : more) {
        if (std::find(out.begin(), out.end(), c) == out.end()) out.push_back(std::move(c));
      }
    }
    return out;
  }
  std::vector<Conjunction> out{{}};
  for (const Expression& part : node_->parts) {
    GH_TRY(const std::vector<Conjunction> factors, part.alternatives(limit));
    if (out.size() * factors.size() > limit) return too_many();
    std::vector<Conjunction> product;
    for (const Conjunction& left : out) {
      for (const Conjunction& right : factors) {
        Conjunction both = left;
        for (const Comparison& c : right) {
          if (std::any_of(left.begin(), left.end(),
                          [&](const Comparison& l) { return l.argument == c.argument; })) {
            return core::fail(core::Errc::unsupported,
                              fmt::format("argument {} has two conditions that must both hold", c.argument));
          }
          both.push_back(c);
        }
        std::sort(both.begin(), both.end(),
                  [](const Comparison& a, const Comparison& b) { return a.argument < b.argument; });
        product.push_back(std::move(both));
      }
    }
    out = std::move(product);
  }
  return out;
}

}  // namespace gatehouse::hardening
