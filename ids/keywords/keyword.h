// The contract of rule keywords: one .cc file exports a keyword or a tight family of them,
// registered by gatehouse_add_keyword(NAME): row NAME means
// `std::span<const KeywordDescriptor> keyword_family_NAME()`.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ids/keywords/rule.h"
#include "ids/lang/ast.h"
#include "ids/state/resources.h"

namespace gatehouse::ids {

// The rule under construction. Keeps which buffer is current and what is still to be checked at
// the end of the rule.
struct RuleBuilder {
  RuleBuilder(const lang::RuleAst& ast_, const RuleEnvironment& environment_, core::Diagnostics& diagnostics_,
              RuleResources& resources_)
      : ast(ast_), environment(environment_), diagnostics(diagnostics_), resources(resources_) {}

  const lang::RuleAst& ast;
  const RuleEnvironment& environment;
  core::Diagnostics& diagnostics;
  RuleResources& resources;

  Rule rule;
  bool ok = true;  // false: the rule is refused

  // Where the next content goes: the list of a sticky buffer, or the payload when there is none.
  int sticky = -1;  // index into rule.buffers
  const lang::RuleOption* sticky_option = nullptr;
  bool sticky_fresh = false;  // nothing was added since the buffer was named
  // What the next modifier modifies: rule.buffers[content_list].ops[content_op]; -1: nothing.
  int content_list = -1, content_op = -1;
  int last_list = -1;                // the list that got the last op
  std::shared_ptr<NestedOp> decode;  // base64_decode, which base64_data fills
  const lang::RuleOption* decode_option = nullptr;
  std::vector<std::string> variables;  // byte_extract names, by slot
  const lang::RuleOption* fast_pattern_option = nullptr;
  bool has_sid = false, has_priority = false;
  bool has_flow = false;  // a flow keyword was given
  bool flowbits_only_set = true;
  bool header_like = true;  // nothing but what may stand in a header-only rule
  bool has_app_layer_protocol = false;
  std::optional<Direction> buffer_direction;  // what a buffer so far implies
  const lang::RuleOption* direction_option = nullptr;

  // Report a mistake and refuse the rule. The first points at the whole value (the name when there
  // is none), the second at `length` bytes of the value from `offset` on.
  core::Diagnostic& error(const lang::RuleOption& option, std::string code, std::string message);
  core::Diagnostic& error_at(const lang::RuleOption& option, std::size_t offset, std::size_t length,
                             std::string code, std::string message);
  core::Diagnostic& error_name(const lang::RuleOption& option, std::string code, std::string message);
  core::Diagnostic& error_text(lang::TextOffset at, std::uint32_t length, std::string code,
                               std::string message);
  core::Diagnostic& warning(const lang::RuleOption& option, std::string code, std::string message);

  // The list the next op goes to, made on demand.
  BufferMatch& current();
  int current_index();
  // The list of `buffer` without transforms, made on demand (old content modifiers, pcre flags).
  int list_of(BufferId buffer);
  // Makes `buffer` the sticky one.
  void select(BufferId buffer, const lang::RuleOption& option);
  // The rule speaks of these parsers: intersects with what is known so far.
  bool require_protocols(std::span<const std::string_view> names, const lang::RuleOption& option);
  // What speaks of a buffer by an old name (`http_uri`, `uricontent`, `/U` of pcre) looks at HTTP/1 alone: so
  // does the field, and rules written before HTTP/2 match nothing new.
  bool require_http1(const lang::RuleOption& option);
  bool require_direction(std::optional<Direction> direction, const lang::RuleOption& option);
  ContentOp* last_content();
  // Appends to the current list; without a sticky buffer a relative op goes where the last one went.
  void add_op(BufferOp op, bool relative);
  void add_test(std::shared_ptr<const BufferTest> test);
  void add_condition(std::unique_ptr<const Condition> condition) {
    header_like = false;
    rule.conditions.push_back(std::move(condition));
  }
  // The slot of a byte_extract variable; -1 when there is none of that name.
  int variable(std::string_view name) const;
};

enum class ValueNeed : std::uint8_t { none, optional, required };

struct KeywordDescriptor {
  std::string_view name;  // "dsize"
  ValueNeed value = ValueNeed::required;
  std::string_view summary;  // for `ids keywords`
  void (*apply)(RuleBuilder& builder, const lang::RuleOption& option) = nullptr;
};

// All keywords, aliases as rows of their own; without the sticky buffers of buffer_table().
std::span<const KeywordDescriptor> keyword_table();
const KeywordDescriptor* find_keyword(std::string_view name);
// Every name a rule may use, sorted: for did-you-mean and listings.
std::span<const std::string> keyword_names();

struct FoundBuffer {
  BufferId id = kPayloadBuffer;
  bool modifier = false;  // found by its old name, as a modifier of the content before it
};
std::optional<FoundBuffer> find_buffer(std::string_view name);

}  // namespace gatehouse::ids
