// dataset and datarep: is the content of a buffer a member of a set, and what is known about it?
#include <filesystem>

#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

constexpr std::size_t kMostFindings = 8;  // of one rule

enum class SetCommand : std::uint8_t { set, unset, isset, isnotset };

// The sets themselves change when the whole rule matched, not while it is tried.
void note(const InspectContext& context, const BufferTest* test, ByteView value) {
  if (context.findings == nullptr) return;
  for (const Finding& known : *context.findings) {
    if (known.test == test) return;
  }
  if (context.findings->size() < kMostFindings)
    context.findings->push_back({test, std::string(core::as_text(value))});
}

class DatasetTest : public BufferTest {
 public:
  DatasetTest(std::shared_ptr<Dataset> set, SetCommand command, bool subdomain, std::string context_key)
      : set_(std::move(set)),
        command_(command),
        subdomain_(subdomain),
        context_key_(std::move(context_key)) {}

  bool holds(InspectContext& context, ByteView buffer, std::size_t&) const override {
    if (buffer.empty()) return false;
    const std::optional<DatasetItem> item = find(buffer);
    switch (command_) {
      case SetCommand::isset:
        if (item && !context_key_.empty() && !item->json.empty()) note(context, this, buffer);
        return item.has_value();
      case SetCommand::isnotset:
        return !item;
      case SetCommand::set:
        // A rule that adds what is there already has nothing to tell.
        if (item) return false;
        break;
      case SetCommand::unset:
        if (!item) return false;
        break;
    }
    note(context, this, buffer);
    return true;
  }
  // The value is the whole buffer.
  bool needs_final() const override { return true; }

  void commit(ActionContext& context, const std::string& value) const override {
    const ByteView bytes = core::as_bytes(value);
    if (command_ == SetCommand::set) set_->add(bytes);
    if (command_ == SetCommand::unset) set_->remove(bytes);
    if (command_ != SetCommand::isset) return;
    const std::optional<DatasetItem> item = find(bytes);
    if (!item) return;
    if (!context.alert_context.empty()) context.alert_context += ',';
    core::append_json_string(context.alert_context, context_key_);
    context.alert_context += ':';
    context.alert_context += item->json;
  }

 private:
  std::optional<DatasetItem> find(ByteView value) const {
    return subdomain_ ? set_->find_subdomain(value) : set_->find(value);
  }

  std::shared_ptr<Dataset> set_;
  SetCommand command_;
  bool subdomain_;
  std::string context_key_;
};

class DatarepTest : public BufferTest {
 public:
  DatarepTest(std::shared_ptr<const Dataset> set, const NumberTest& test)
      : set_(std::move(set)), test_(test) {}

  bool holds(InspectContext&, ByteView buffer, std::size_t&) const override {
    const std::optional<DatasetItem> item = set_->find(buffer);
    return item && item->reputation && test_.holds(*item->reputation);
  }
  bool needs_final() const override { return true; }

 private:
  std::shared_ptr<const Dataset> set_;
  NumberTest test_;
};

// Splits `key value`.
std::pair<std::string_view, Part> key_value(const Part& part) {
  const std::size_t blank = std::min(part.text.find_first_of(" \t"), part.text.size());
  return {part.text.substr(0, blank), trim({part.text.substr(blank), part.at + blank})};
}

struct SetOptions {
  DatasetSpec spec;
  std::string context_key;
  bool subdomain = false;
  bool has_format = false;
};

std::optional<std::uint64_t> parse_size(std::string_view text) {
  static const std::pair<std::string_view, unsigned> kUnits[] = {{"kb", 10},  {"mb", 20},  {"gb", 30},
                                                                 {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
  unsigned shift = 0;
  for (const auto& [unit, bits] : kUnits) {
    if (!text.ends_with(unit)) continue;
    text.remove_suffix(unit.size());
    while (text.ends_with(' ')) text.remove_suffix(1);
    shift = bits;
    break;
  }
  const auto number = parse_number(text);
  if (!number || *number < 0 || *number > (std::int64_t{1} << 33)) return std::nullopt;
  return static_cast<std::uint64_t>(*number) << shift;
}

class OptionReader {
 public:
  OptionReader(RuleBuilder& builder, const lang::RuleOption& option) : builder_(builder), option_(option) {}

  bool read(const Part& part, SetOptions& out) {
    const auto [key, value] = key_value(part);
    if (std::find(seen_.begin(), seen_.end(), key) != seen_.end())
      return fail(part, "`" + std::string(key) + "` is given twice");
    seen_.push_back(key);
    if (key == "remove_key") {
      out.spec.form.remove_key = true;
      return value.text.empty() || fail(value, "`remove_key` takes no value");
    }
    if (value.text.empty()) return fail(part, known(key) ? "this needs a value" : "unknown part", kHint);
    if (key == "type") return type(value, out);
    if (key == "format") return format(value, out);
    if (key == "match") return match(value, out);
    if (key == "memcap") return memcap(value, out);
    if (key == "hashsize") return hashsize(value, out);
    for (const auto& [name, member] : texts(out)) {
      if (name != key) continue;
      *member = value.text;
      return true;
    }
    return fail(part, "unknown part", kHint);
  }

  bool fail(const Part& part, std::string message, std::string hint = {}) {
    builder_
        .error_at(option_, part.at, std::max<std::size_t>(part.text.size(), 1), "dataset-syntax",
                  std::move(message))
        .hint = std::move(hint);
    return false;
  }

 private:
  static constexpr const char* kHint =
      "type, load, state, save, memcap, hashsize, match, format, value_key, array_key, context_key, "
      "remove_key";

  static std::array<std::pair<std::string_view, std::string*>, 6> texts(SetOptions& out) {
    return {{{"load", &out.spec.load},
             {"state", &out.spec.state},
             {"save", &out.spec.save},
             {"value_key", &out.spec.form.value_key},
             {"array_key", &out.spec.form.array_key},
             {"context_key", &out.context_key}}};
  }
  static bool known(std::string_view key) {
    return std::string_view(kHint).find(key) != std::string_view::npos;
  }

  bool type(const Part& value, SetOptions& out) {
    out.spec.type = parse_dataset_type(value.text);
    return out.spec.type || fail(value, "unknown type of a dataset", "string, md5, sha256, ipv4 or ip");
  }
  bool format(const Part& value, SetOptions& out) {
    out.has_format = true;
    out.spec.json = value.text != "csv";
    out.spec.form.lines = value.text == "ndjson" || value.text == "jsonline";
    return !out.spec.json || out.spec.form.lines || value.text == "json" ||
           fail(value, "unknown format of a dataset", "csv, json or ndjson");
  }
  bool match(const Part& value, SetOptions& out) {
    out.subdomain = value.text == "subdomain";
    return out.subdomain || value.text == "exact" ||
           fail(value, "unknown way to match", "exact or subdomain");
  }
  bool memcap(const Part& value, SetOptions& out) {
    out.spec.memcap_bytes = parse_size(value.text);
    return out.spec.memcap_bytes || fail(value, "`memcap` needs a size", "16mb");
  }
  bool hashsize(const Part& value, SetOptions& out) {
    std::int64_t number = 0;
    if (!parse_bounded(builder_, option_, value, 1, 16'777'216, number)) return false;
    out.spec.expected = static_cast<std::uint32_t>(number);
    return true;
  }

  RuleBuilder& builder_;
  const lang::RuleOption& option_;
  std::vector<std::string_view> seen_;
};

bool needs_buffer(RuleBuilder& builder, const lang::RuleOption& option) {
  if (builder.sticky >= 0) return true;
  builder
      .error_name(option, "dataset-without-buffer",
                  "`" + option.name + "` looks at a buffer, and none is named")
      .hint = "dns.query; " + option.name + ":...";
  return false;
}

std::shared_ptr<Dataset> open_set(RuleBuilder& builder, const lang::RuleOption& option, DatasetSpec& spec) {
  spec.directory = std::filesystem::path(builder.ast.position(0).file).parent_path().string();
  auto set = builder.resources.datasets.open(spec, builder.diagnostics);
  if (set) return *set;
  builder.error(option, "dataset", set.error().text);
  return nullptr;
}

// Rules that change a set come before those that ask it.
void add_use(RuleBuilder& builder, const std::string& name, bool writes) {
  builder.rule.state_uses.push_back({builder.resources.state_names.id_of("dataset:" + name), writes});
}

void apply_dataset(RuleBuilder& builder, const lang::RuleOption& option) {
  if (!needs_buffer(builder, option)) return;
  static const std::vector<std::string> kCommands = {"set", "unset", "isset", "isnotset"};
  const auto parts = split(option.value, ',');
  OptionReader reader(builder, option);
  const auto found = std::find(kCommands.begin(), kCommands.end(), parts[0].text);
  if (found == kCommands.end()) {
    reader.fail(parts[0], "unknown dataset command", core::did_you_mean(parts[0].text, kCommands));
    return;
  }
  const auto command = static_cast<SetCommand>(found - kCommands.begin());
  if (parts.size() < 2 || parts[1].text.empty()) {
    builder.error(option, "dataset-syntax", "dataset needs a command and a name").hint =
        "dataset:isset,name,type string,load file.lst;";
    return;
  }
  SetOptions options;
  options.spec.name = parts[1].text;
  for (std::size_t i = 2; i < parts.size(); ++i) {
    if (!reader.read(parts[i], options)) return;
  }
  const bool changes = command == SetCommand::set || command == SetCommand::unset;
  const bool asks_json = !options.context_key.empty() || options.spec.form.remove_key ||
                         !options.spec.form.value_key.empty() || !options.spec.form.array_key.empty();
  if (options.spec.json && changes) {
    reader.fail(parts[0], "a set in JSON cannot be changed by rules");
  } else if (!options.spec.json && options.has_format && asks_json) {
    builder.error(option, "dataset-syntax", "the keys of JSON need `format json` or `format ndjson`");
  } else if (options.subdomain &&
             (changes || (options.spec.type && *options.spec.type != DatasetType::string))) {
    builder.error(option, "dataset-syntax", "`match subdomain` is for tests of sets of type string");
  } else if (const auto set = open_set(builder, option, options.spec)) {
    add_use(builder, options.spec.name, changes);
    builder.add_test(std::make_shared<DatasetTest>(set, command, options.subdomain, options.context_key));
  }
}

void apply_datarep(RuleBuilder& builder, const lang::RuleOption& option) {
  if (!needs_buffer(builder, option)) return;
  const auto parts = split(option.value, ',');
  if (parts.size() < 3) {
    builder.error(option, "dataset-syntax", "datarep needs a name, an operator and a number").hint =
        "datarep:name,>,200,load file.rep,type string;";
    return;
  }
  static const std::pair<std::string_view, NumberTest::Op> kOps[] = {
      {">", NumberTest::Op::greater}, {"<", NumberTest::Op::less}, {"==", NumberTest::Op::equal}};
  OptionReader reader(builder, option);
  const auto op =
      std::find_if(std::begin(kOps), std::end(kOps), [&](const auto& o) { return o.first == parts[1].text; });
  if (op == std::end(kOps)) {
    reader.fail(parts[1], "unknown operator", "<, > or ==");
    return;
  }
  std::int64_t number = 0;
  if (!parse_bounded(builder, option, parts[2], 0, 65535, number)) return;
  SetOptions options;
  options.spec.name = parts[0].text;
  options.spec.needs_reputation = true;
  for (std::size_t i = 3; i < parts.size(); ++i) {
    if (!reader.read(parts[i], options)) return;
  }
  if (options.has_format || options.subdomain || !options.context_key.empty()) {
    builder.error(option, "dataset-syntax", "datarep takes type, load, state, save, memcap and hashsize");
    return;
  }
  if (const auto set = open_set(builder, option, options.spec)) {
    add_use(builder, options.spec.name, false);
    NumberTest test;
    test.op = op->second;
    test.first = static_cast<std::uint64_t>(number);
    builder.add_test(std::make_shared<DatarepTest>(set, test));
  }
}

constexpr KeywordDescriptor kKeywords[] = {
    {"dataset", ValueNeed::required, "tests whether the buffer is in a set of values, or changes the set",
     apply_dataset},
    {"datarep", ValueNeed::required, "compares the reputation of the buffer's value", apply_datarep},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_dataset() {
  return kKeywords;
}

}  // namespace gatehouse::ids
