// From syntax trees to checked rules.
#include <algorithm>
#include <unordered_map>

#include "ids/keywords/detection_rule.h"
#include "ids/keywords/header.h"
#include "ids/keywords/requires.h"
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

bool check_value(RuleBuilder& builder, const lang::RuleOption& option, ValueNeed need) {
  if (need == ValueNeed::none && option.has_value) {
    builder.error(option, "unexpected-value", "`" + option.name + "` takes no value");
    return false;
  }
  if (need == ValueNeed::required && !option.has_value) {
    builder.error_name(option, "missing-value", "`" + option.name + "` needs a value").hint =
        option.name + ":...;";
    return false;
  }
  return true;
}

// `http.connection: to_client;` in a rule with =>.
bool choose_side(RuleBuilder& builder, const lang::RuleOption& option, const BufferDescriptor& buffer) {
  if (!option.has_value) return true;
  const bool to_client = option.value == "to_client";
  if (!builder.rule.transactional || buffer.direction || (!to_client && option.value != "to_server")) {
    builder.error(option, "unexpected-value", "`" + option.name + "` takes no value here").hint =
        "to_server and to_client choose a side in rules with `=>`, where the buffer exists on both";
    return false;
  }
  const Direction side = to_client ? Direction::to_client : Direction::to_server;
  for (std::size_t i = 0; i < builder.rule.buffers.size(); ++i) {
    const BufferMatch& list = builder.rule.buffers[i];
    if (buffer_table()[list.buffer].name == buffer.name && list.direction == side &&
        list.transforms.empty()) {
      builder.sticky = static_cast<int>(i);
      return true;
    }
  }
  builder.rule.buffers.emplace_back();
  builder.rule.buffers.back().buffer = find_buffer(buffer.name)->id;
  builder.rule.buffers.back().direction = side;
  builder.sticky = static_cast<int>(builder.rule.buffers.size()) - 1;
  return true;
}

// Old modifier: moves the content before it from the payload into the buffer.
void move_content(RuleBuilder& builder, const lang::RuleOption& option, BufferId id) {
  if (!check_value(builder, option, ValueNeed::none)) return;
  if (builder.last_content() == nullptr) {
    builder
        .error_name(option, "modifier-without-content",
                    "`" + option.name + "` modifies a content, and none stands before it")
        .hint = "the sticky form `" + std::string(buffer_table()[id].name) + "` stands before its contents";
    return;
  }
  if (builder.sticky >= 0) {
    builder.error_name(
        option, "modifier-with-sticky-buffer",
        "`" + option.name + "` cannot be used after the sticky buffer `" + builder.sticky_option->name + "`");
    return;
  }
  if (builder.rule.buffers[static_cast<std::size_t>(builder.content_list)].buffer != kPayloadBuffer) {
    builder.error_name(option, "modifier-conflict", "the content already belongs to another buffer");
    return;
  }
  auto& payload = builder.rule.buffers[static_cast<std::size_t>(builder.content_list)].ops;
  BufferOp op = std::move(payload.back());
  payload.pop_back();
  const int list = builder.list_of(id);
  auto& ops = builder.rule.buffers[static_cast<std::size_t>(list)].ops;
  ops.push_back(std::move(op));
  builder.content_list = list;
  builder.last_list = list;
  builder.content_op = static_cast<int>(ops.size()) - 1;
}

void apply_buffer(RuleBuilder& builder, const lang::RuleOption& option, const FoundBuffer& found) {
  const BufferDescriptor& buffer = buffer_table()[found.id];
  if (found.id == kPayloadBuffer) {
    if (!check_value(builder, option, ValueNeed::none)) return;
    builder.sticky = -1;
    builder.content_list = -1;
    builder.last_list = -1;
    return;
  }
  if (found.modifier && !builder.require_http1(option)) return;
  if (!buffer.protocols.empty() && !builder.require_protocols(buffer.protocols, option)) return;
  if (!builder.require_direction(buffer.direction, option)) return;
  if (found.modifier) {
    move_content(builder, option, found.id);
    return;
  }
  builder.select(found.id, option);
  choose_side(builder, option, buffer);
}

// Would it look into a protocol that is recognised and not parsed? "smb.share"
bool is_of_recognised(std::string_view keyword) {
  const std::size_t end = keyword.find_first_of("._");
  const AppProto proto = end == std::string_view::npos ? kAppUnknown : find_parser(keyword.substr(0, end));
  return proto != kAppUnknown && parser_of(proto).make_session == nullptr;
}

void apply_option(RuleBuilder& builder, const lang::RuleOption& option) {
  if (const auto buffer = find_buffer(option.name)) {
    apply_buffer(builder, option, *buffer);
    return;
  }
  if (option.name == "requires") return;
  const KeywordDescriptor* keyword = find_keyword(option.name);
  if (keyword == nullptr && is_of_recognised(option.name)) {
    const std::string protocol = option.name.substr(0, option.name.find_first_of("._"));
    builder
        .error_name(option, "keyword-unsupported",
                    "this version recognises " + protocol + ", but does not parse it")
        .hint = "contents look into the stream of rules with `alert " + protocol + "`";
    return;
  }
  if (keyword == nullptr) {
    builder.error_name(option, "unknown-keyword", "unknown keyword `" + option.name + "`").hint =
        core::did_you_mean(option.name, keyword_names());
    return;
  }
  if (check_value(builder, option, keyword->value)) keyword->apply(builder, option);
}

bool has_upper(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

void check_contents(RuleBuilder& builder) {
  for (const BufferMatch& list : builder.rule.buffers) {
    const BufferDescriptor& buffer = buffer_table()[list.buffer];
    for (const BufferOp& op : list.ops) {
      if (op.kind() != BufferOp::Kind::content) continue;
      const ContentOp& c = op.content;
      if (buffer.lower_case_only && list.transforms.empty() && !c.nocase && has_upper(c.pattern)) {
        builder.error_text(c.where, 1, "never-matches",
                           "upper case can never match: `" + std::string(buffer.name) + "` is in lower case");
      }
      if (c.negated && c.fast_pattern && (c.has_offset || c.has_depth || c.has_distance || c.has_within)) {
        builder.error_text(c.where, 1, "fast-pattern-negated",
                           "a negated content with a position cannot preselect the rule");
      }
    }
  }
}

bool is_transaction_list(const BufferMatch& list) {
  return buffer_table()[list.buffer].get != nullptr;
}

// Packet properties and packet buffers bind the rule to single packets.
bool needs_packet(const Rule& rule) {
  if (rule.packet_only || rule.flow.no_stream || rule.any_packet) return true;
  for (const auto& condition : rule.conditions) {
    if (condition->needs_packet()) return true;
  }
  return std::any_of(rule.buffers.begin(), rule.buffers.end(), [](const BufferMatch& list) {
    return buffer_table()[list.buffer].get_packet != nullptr;
  });
}

bool is_transaction_rule(const Rule& rule) {
  for (const auto& condition : rule.conditions) {
    if (condition->needs_transaction()) return true;
  }
  for (const auto& [proto, event] : rule.app_events) {
    if (proto != kAppUnknown) return true;
  }
  return std::any_of(rule.buffers.begin(), rule.buffers.end(), is_transaction_list);
}

bool has_positions(const BufferMatch& list) {
  return std::any_of(list.ops.begin(), list.ops.end(), [](const BufferOp& op) {
    return op.kind() == BufferOp::Kind::content &&
           (op.content.has_offset || op.content.has_depth || op.content.startswith);
  });
}

void classify(RuleBuilder& builder) {
  Rule& rule = builder.rule;
  const bool tcp_only = rule.ip_protocols.size() == 1 && rule.ip_protocols[0] == kProtoTcp;
  const bool can_be_tcp =
      rule.ip_protocols.empty() ||
      std::find(rule.ip_protocols.begin(), rule.ip_protocols.end(), kProtoTcp) != rule.ip_protocols.end();
  const auto payload = std::find_if(rule.buffers.begin(), rule.buffers.end(),
                                    [](const BufferMatch& list) { return list.buffer == kPayloadBuffer; });
  const bool has_payload = payload != rule.buffers.end();
  if (is_transaction_rule(rule)) {
    rule.rule_class = RuleClass::transaction;
  } else if (!rule.decode_events.empty() || !rule.stream_events.empty() || !rule.app_events.empty()) {
    rule.rule_class = RuleClass::event;
  } else if (has_payload && can_be_tcp &&
             (!needs_packet(rule) || rule.flow.only_stream || rule.stream_only)) {
    rule.rule_class = RuleClass::stream;
    const bool stream_only = rule.flow.only_stream || rule.stream_only;
    // On other transports the packet is all there is; a position may count from a packet's start.
    rule.also_packet = !stream_only && (!tcp_only || has_positions(*payload));
  } else {
    rule.rule_class = RuleClass::packet;
  }
  const bool bare = rule.buffers.empty() && rule.rule_class == RuleClass::packet && builder.header_like;
  const bool any_state = !rule.flow.established && !rule.flow.not_established && !rule.flow.stateless;
  rule.on_detection = bare && builder.has_app_layer_protocol && rule.app_protocols.empty() && any_state;
  rule.once_per_direction = bare && !rule.on_detection && !builder.has_flow && rule.app_protocols.empty() &&
                            !rule.packet_only && !rule.any_packet && rule.flowbit_tests.empty() &&
                            builder.flowbits_only_set;
}

void check_directions(RuleBuilder& builder) {
  Rule& rule = builder.rule;
  if (!builder.buffer_direction) return;
  if (rule.flow.direction && *rule.flow.direction != *builder.buffer_direction) {
    builder.error_name(*builder.direction_option, "direction-conflict",
                       "`" + builder.direction_option->name + "` looks at " +
                           (*builder.buffer_direction == Direction::to_server ? "requests" : "responses") +
                           ", the flow keyword at the other direction");
    return;
  }
  rule.flow.direction = builder.buffer_direction;
}

void check_protocols(RuleBuilder& builder) {
  Rule& rule = builder.rule;
  if (rule.app_protocols.empty()) return;
  std::vector<std::uint8_t> possible;
  for (const AppProto proto : rule.app_protocols) {
    const auto bits = static_cast<unsigned>(parser_of(proto).transport);
    if ((bits & static_cast<unsigned>(AppTransport::tcp)) != 0) possible.push_back(kProtoTcp);
    if ((bits & static_cast<unsigned>(AppTransport::udp)) != 0) possible.push_back(kProtoUdp);
  }
  if (rule.ip_protocols.empty()) return;
  const bool some = std::any_of(rule.ip_protocols.begin(), rule.ip_protocols.end(), [&](std::uint8_t p) {
    return std::find(possible.begin(), possible.end(), p) != possible.end();
  });
  if (!some) {
    const lang::RuleHeader& h = builder.ast.header;
    builder.error_text(
        h.protocol_at, static_cast<std::uint32_t>(h.protocol.size()), "keyword-protocol",
        "the keywords of this rule are about a protocol that does not run over `" + h.protocol + "`");
  }
}

// The contents of base64_data move into the op that decodes for them.
void finish_decoding(RuleBuilder& builder) {
  if (builder.decode == nullptr) return;
  auto& lists = builder.rule.buffers;
  const auto data =
      std::find_if(lists.begin(), lists.end(), [](const BufferMatch& list) { return list.decoded; });
  if (data == lists.end() || data->ops.empty()) {
    builder.error_name(*builder.decode_option, "decode-unused",
                       "`base64_decode` alone never matches: `base64_data` and its contents must follow");
    return;
  }
  builder.decode->ops = std::move(data->ops);
  lists.erase(data);
}

void finish(RuleBuilder& builder) {
  Rule& rule = builder.rule;
  finish_decoding(builder);
  if (!builder.has_sid) {
    builder.error_text(0, static_cast<std::uint32_t>(builder.ast.header.action.size()), "sid-missing",
                       "the rule has no `sid`");
  }
  check_contents(builder);
  check_directions(builder);
  check_protocols(builder);
  if (!builder.ok) return;
  for (const BufferMatch& list : rule.buffers) {
    if (list.ops.empty() && !list.absent && list.buffer != kPayloadBuffer) {
      builder.diagnostics.warning("buffer-unused", builder.ast.position(0),
                                  "the buffer `" + std::string(buffer_table()[list.buffer].name) +
                                      "` is named, but nothing is looked for in it");
    }
  }
  std::erase_if(rule.buffers, [](const BufferMatch& list) { return list.ops.empty() && !list.absent; });
  classify(builder);
}

class RuleChecker {
 public:
  RuleChecker(const RuleEnvironment& environment, core::Diagnostics& diagnostics)
      : environment_(environment), diagnostics_(diagnostics), groups_(environment) {
    list_.resources =
        environment.resources != nullptr ? environment.resources : std::make_shared<RuleResources>();
  }

  void check(lang::RuleAst& ast) {
    RuleBuilder builder(ast, environment_, diagnostics_, *list_.resources);
    const Requirement requirement = check_requirements(builder);
    if (requirement == Requirement::unmet) {
      ++list_.skipped;
      return;
    }
    if (requirement == Requirement::met) {
      check_header(builder, groups_);
      for (const lang::RuleOption& option : ast.options) apply_option(builder, option);
      finish(builder);
      if (is_detection_rule(builder)) return add_detection(builder);
      if (!settle_duplicate(builder)) return;
    }
    if (!builder.ok) {
      ++list_.failed;
      return;
    }
    apply_tunings(builder.rule, environment_.tunings);
    note_file_needs(builder.rule);
    builder.rule.order = static_cast<std::uint32_t>(list_.rules.size());
    settle(builder);
    newest_[key_of(builder.rule)] = list_.rules.size();
    list_.rules.push_back(std::make_unique<Rule>(std::move(builder.rule)));
  }

  RuleList take() {
    list_.flowbit_names = list_.resources->flowbits.names;
    list_.flowint_names = list_.resources->flowints.names;
    return std::move(list_);
  }
  void add_failed(std::size_t count) { list_.failed += count; }

 private:
  RulePlace place_of(const lang::RuleAst& ast) {
    const core::SourcePos position = ast.position(0);
    if (file_ == nullptr || *file_ != position.file)
      file_ = std::make_shared<const std::string>(position.file);
    return {file_, position.line, position.column};
  }
  // Rules live as long as the program: what they grew by and do not use is given back.
  void settle(RuleBuilder& builder) {
    Rule& rule = builder.rule;
    rule.meta.where = place_of(builder.ast);
    if (environment_.keep_text) rule.meta.text = std::make_unique<const std::string>(builder.ast.text);
    for (BufferMatch& list : rule.buffers) list.ops.shrink_to_fit();
    rule.buffers.shrink_to_fit();
    rule.meta.metadata.shrink_to_fit();
  }
  // What files must be asked for the rule, and so for all rules.
  void note_file_needs(Rule& rule) {
    for (const BufferMatch& list : rule.buffers) {
      if (buffer_table()[list.buffer].name == "file.magic") rule.file_needs.magic = true;
    }
    list_.file_needs.add(rule.file_needs);
  }

  void add_detection(RuleBuilder& builder) {
    check_detection_rule(builder, list_.detections);
    if (!builder.ok) {
      ++list_.failed;
      return;
    }
    apply_tunings(builder.rule, environment_.tunings);
    if (!builder.has_priority && builder.rule.meta.classtype == nullptr) builder.rule.meta.priority = 0;
    builder.rule.meta.where = place_of(builder.ast);
    list_.detections.push_back(std::make_unique<Rule>(std::move(builder.rule)));
  }

  static std::uint64_t key_of(const Rule& rule) {
    return static_cast<std::uint64_t>(rule.meta.gid) << 32U | rule.meta.sid;
  }

  // A rule that comes again in a later revision replaces the earlier one, in its place. False: nothing is
  // left to be done for this one.
  bool settle_duplicate(RuleBuilder& builder) {
    if (!builder.has_sid || !builder.ok) return true;
    const auto found = newest_.find(key_of(builder.rule));
    if (found == newest_.end()) return true;
    const Rule& first = *list_.rules[found->second];
    if (builder.rule.meta.rev > first.meta.rev) {
      apply_tunings(builder.rule, environment_.tunings);
      note_file_needs(builder.rule);
      builder.rule.order = first.order;
      settle(builder);
      list_.rules[found->second] = std::make_unique<Rule>(std::move(builder.rule));
      return false;
    }
    const auto option = std::find_if(builder.ast.options.begin(), builder.ast.options.end(),
                                     [](const lang::RuleOption& o) { return o.name == "sid"; });
    builder.error(*option, "duplicate-sid", "sid " + option->value + " is already taken").hint =
        "the first rule with it is at " + first.meta.where.position().to_string();
    return true;
  }

  const RuleEnvironment& environment_;
  std::shared_ptr<const std::string> file_;  // of the last rule
  core::Diagnostics& diagnostics_;
  GroupResolver groups_;
  std::unordered_map<std::uint64_t, std::size_t> newest_;  // by gid and sid: place in list_.rules
  RuleList list_;
};

void add_threshold(Rule& rule, const Threshold& threshold, bool for_this_rule) {
  const auto counts = [](const Threshold& t) { return t.kind != Threshold::Kind::rate; };
  if (for_this_rule && counts(threshold)) {
    rule.detection_filter.reset();
    rule.thresholds.erase_if(counts);
  } else if (rule.detection_filter || std::any_of(rule.thresholds.begin(), rule.thresholds.end(), counts)) {
    return;
  }
  rule.thresholds.push_back(threshold);
}

}  // namespace

// A threshold for this very rule replaces what its author wrote, and what the file said before. One
// for many rules, and a rate filter, gives way to what the author counts.
void apply_tunings(Rule& rule, std::span<const RuleEnvironment::Tuning> tunings) {
  for (const RuleEnvironment::Tuning& tuning : tunings) {
    if (tuning.gid != 0 && tuning.gid != rule.meta.gid) continue;
    if (tuning.sid != 0 && tuning.sid != rule.meta.sid) continue;
    if (tuning.suppression) rule.suppressions.push_back(*tuning.suppression);
    if (tuning.threshold) add_threshold(rule, *tuning.threshold, tuning.sid != 0);
  }
}

RuleList check_rules(std::span<const core::SourceText> sources, const RuleEnvironment& environment,
                     core::Diagnostics& diagnostics) {
  RuleChecker checker(environment, diagnostics);
  for (const core::SourceText& source : sources) {
    checker.add_failed(
        lang::parse_each_rule(source, diagnostics, [&](lang::RuleAst& rule) { checker.check(rule); }));
    diagnostics.attach(source);
  }
  RuleList list = checker.take();
  list.classifications = environment.classifications;
  const std::uint32_t detectors = environment.detectors.gid;
  for (const RuleEnvironment::Tuning& tuning : environment.tunings) {
    if (tuning.gid == 0 || tuning.gid == detectors) list.detection_tunings.push_back(tuning);
  }
  return list;
}

}  // namespace gatehouse::ids
