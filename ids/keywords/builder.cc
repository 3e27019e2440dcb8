#include <algorithm>

#include "ids/keywords/keyword.h"

namespace gatehouse::ids {

core::Diagnostic& RuleBuilder::error_text(lang::TextOffset at, std::uint32_t length, std::string code,
                                          std::string message) {
  ok = false;
  core::Diagnostic& d = diagnostics.error(std::move(code), ast.position(at), std::move(message));
  d.length = std::max<std::uint32_t>(length, 1);
  return d;
}

core::Diagnostic& RuleBuilder::error_at(const lang::RuleOption& option, std::size_t offset,
                                        std::size_t length, std::string code, std::string message) {
  return error_text(option.value_at + static_cast<lang::TextOffset>(offset),
                    static_cast<std::uint32_t>(length), std::move(code), std::move(message));
}

core::Diagnostic& RuleBuilder::error_name(const lang::RuleOption& option, std::string code,
                                          std::string message) {
  return error_text(option.name_at, static_cast<std::uint32_t>(option.name.size()), std::move(code),
                    std::move(message));
}

core::Diagnostic& RuleBuilder::error(const lang::RuleOption& option, std::string code, std::string message) {
  if (!option.has_value) return error_name(option, std::move(code), std::move(message));
  return error_at(option, 0, option.value.size(), std::move(code), std::move(message));
}

core::Diagnostic& RuleBuilder::warning(const lang::RuleOption& option, std::string code,
                                       std::string message) {
  core::Diagnostic& d =
      diagnostics.warning(std::move(code), ast.position(option.name_at), std::move(message));
  d.length = static_cast<std::uint32_t>(option.name.size());
  return d;
}

int RuleBuilder::list_of(BufferId buffer) {
  for (std::size_t i = 0; i < rule.buffers.size(); ++i) {
    const BufferMatch& list = rule.buffers[i];
    if (list.buffer == buffer && list.transforms.empty() && !list.direction && !list.decoded)
      return static_cast<int>(i);
  }
  rule.buffers.emplace_back();
  rule.buffers.back().buffer = buffer;
  return static_cast<int>(rule.buffers.size()) - 1;
}

int RuleBuilder::current_index() {
  return sticky >= 0 ? sticky : list_of(kPayloadBuffer);
}

BufferMatch& RuleBuilder::current() {
  return rule.buffers[static_cast<std::size_t>(current_index())];
}

void RuleBuilder::select(BufferId buffer, const lang::RuleOption& option) {
  header_like = false;
  sticky_option = &option;
  sticky_fresh = true;
  content_list = -1;
  content_op = -1;
  const BufferDescriptor& descriptor = buffer_table()[buffer];
  // Several instances: each naming speaks of one, possibly another one than before.
  if (!descriptor.multiple) {
    sticky = list_of(buffer);
    return;
  }
  rule.buffers.emplace_back();
  rule.buffers.back().buffer = buffer;
  sticky = static_cast<int>(rule.buffers.size()) - 1;
}

bool RuleBuilder::require_protocols(std::span<const std::string_view> names, const lang::RuleOption& option) {
  std::vector<AppProto> known;
  std::string wanted;
  for (const std::string_view name : names) {
    if (!wanted.empty()) wanted += ", ";
    wanted += name;
    const AppProto proto = find_parser(name);
    if (proto != kAppUnknown) known.push_back(proto);
  }
  if (known.empty()) {
    error_name(option, "protocol-unsupported",
               "`" + option.name + "` needs a parser for " + wanted + ", which this version does not have");
    return false;
  }
  if (rule.app_protocols.empty()) {
    rule.app_protocols = std::move(known);
    return true;
  }
  std::vector<AppProto> both;
  for (const AppProto proto : rule.app_protocols) {
    if (std::find(known.begin(), known.end(), proto) != known.end()) both.push_back(proto);
  }
  if (both.empty()) {
    error_name(option, "keyword-protocol",
               "`" + option.name + "` belongs to " + wanted + ", the rule is about another protocol");
    return false;
  }
  rule.app_protocols = std::move(both);
  return true;
}

bool RuleBuilder::require_http1(const lang::RuleOption& option) {
  constexpr std::string_view kHttp1[] = {"http"};
  return require_protocols(kHttp1, option);
}

bool RuleBuilder::require_direction(std::optional<Direction> direction, const lang::RuleOption& option) {
  if (!direction || rule.transactional) return true;
  if (buffer_direction && *buffer_direction != *direction) {
    error_name(option, "direction-conflict",
               "`" + option.name + "` looks at the other direction than `" + direction_option->name + "`")
        .hint = "one rule looks at requests or at responses; a rule with `=>` can do both";
    return false;
  }
  buffer_direction = direction;
  direction_option = &option;
  return true;
}

ContentOp* RuleBuilder::last_content() {
  if (content_list < 0) return nullptr;
  return &rule.buffers[static_cast<std::size_t>(content_list)]
              .ops[static_cast<std::size_t>(content_op)]
              .content;
}

void RuleBuilder::add_op(BufferOp op, bool relative) {
  header_like = false;
  sticky_fresh = false;
  // Old style: a relative test follows the content it is relative to into its buffer.
  const int list = sticky < 0 && relative && last_list >= 0 ? last_list : current_index();
  last_list = list;
  rule.buffers[static_cast<std::size_t>(list)].ops.push_back(std::move(op));
}

void RuleBuilder::add_test(std::shared_ptr<const BufferTest> test) {
  BufferOp op;
  const bool relative = test->relative();
  op.other = std::move(test);
  add_op(std::move(op), relative);
}

int RuleBuilder::variable(std::string_view name) const {
  const auto found = std::find(variables.begin(), variables.end(), name);
  return found == variables.end() ? -1 : static_cast<int>(found - variables.begin());
}

}  // namespace gatehouse::ids
