#include "ids/keywords/file_tests.h"

#include <algorithm>
#include <filesystem>

namespace gatehouse::ids {
namespace {

enum class StoreScope : std::uint8_t { file, transaction, flow };

struct StoreWish {
  StoreScope scope = StoreScope::file;
  std::array<bool, 2> directions{};  // none: that of the match
  std::uint32_t sid = 0;
};

// All that one rule asks of files, of one and the same file: an op of a list of its own, on file.name.
// Every file that fits is stored, though one of them is enough for the rule to match.
class FileTests final : public BufferTest {
 public:
  bool holds(InspectContext& context, ByteView, std::size_t&) const override {
    if (context.tx == nullptr) return false;
    const TransferredFile* file = file_at(*context.tx, context.side, context.instance);
    if (file == nullptr || !fits(*file) || (wish && has_spoken(*file))) return false;
    if (wish && context.findings != nullptr)
      context.findings->push_back({this, context.side == Direction::to_client ? "c" : "s"});
    return true;
  }

  void commit(ActionContext& context, const std::string& side) const override {
    if (context.tx == nullptr || !wish) return;
    const Direction matched = side == "c" ? Direction::to_client : Direction::to_server;
    const auto wanted = [&](Direction d) {
      const bool stated = wish->directions[0] || wish->directions[1];
      return stated ? wish->directions[index(d)] : d == matched;
    };
    for (TransferredFile& file : context.tx->files) {
      const bool fitting = fits(file);
      if (wanted(file.direction) && (wish->scope != StoreScope::file || fitting)) file.store(wish->sid);
      if (file.direction == matched && fitting && !has_spoken(file)) file.sids.push_back(wish->sid);
    }
    for (const Direction d : {Direction::to_server, Direction::to_client}) {
      if (!wanted(d)) continue;
      if (wish->scope != StoreScope::file) context.tx->store_sids[index(d)] = wish->sid;
      if (wish->scope == StoreScope::flow) store_flow(context, d);
    }
  }

  std::vector<std::unique_ptr<const FileQuestion>> questions;
  std::optional<StoreWish> wish;

 private:
  // The rule is decided anew with each file that begins after it matched.
  bool has_spoken(const TransferredFile& file) const {
    return std::find(file.sids.begin(), file.sids.end(), wish->sid) != file.sids.end();
  }
  bool fits(const TransferredFile& file) const {
    return std::all_of(questions.begin(), questions.end(), [&](const auto& q) { return q->holds(file); });
  }

  // Every file that begins from now on in the flow.
  void store_flow(const ActionContext& context, Direction direction) const {
    const AppFlow* app = context.flow == nullptr ? nullptr : app_flow(*context.flow);
    if (app == nullptr || app->session == nullptr || app->session->file_policy == nullptr) return;
    auto policy = std::make_shared<FilePolicy>(*app->session->file_policy);
    policy->store_all[index(direction)] = true;
    policy->store_sid = wish->sid;
    app->session->file_policy = std::move(policy);
  }
};

class SizeIs final : public FileQuestion {
 public:
  explicit SizeIs(const NumberTest& test) : test_(test) {}
  // Of a file that was cut short only a lower bound is known.
  bool holds(const TransferredFile& file) const override {
    if (file.is_open()) return false;
    const bool lower_bound = test_.op == NumberTest::Op::greater || test_.op == NumberTest::Op::greater_equal;
    return (file.state == FileState::closed || lower_bound) && test_.holds(file.size);
  }

 private:
  NumberTest test_;
};

class DigestIn final : public FileQuestion {
 public:
  DigestIn(std::shared_ptr<const DigestList> list, FileHash hash, bool negated)
      : list_(std::move(list)), hash_(hash), negated_(negated) {}
  bool holds(const TransferredFile& file) const override {
    if (file.state != FileState::closed) return false;
    const auto digest = file.digest(hash_);
    return digest && list_->contains(*digest) != negated_;
  }

 private:
  std::shared_ptr<const DigestList> list_;
  FileHash hash_;
  bool negated_;
};

// The FileTests of the rule, made on demand. Shared while the rule is built only.
FileTests& tests_of(RuleBuilder& builder, std::optional<Direction> side) {
  const BufferId id = find_buffer("file.name")->id;
  for (BufferMatch& list : builder.rule.buffers) {
    if (list.buffer != id || list.direction != side || list.ops.size() != 1 ||
        list.ops[0].kind() != BufferOp::Kind::test) {
      continue;
    }
    const auto* known = dynamic_cast<const FileTests*>(&list.ops[0].test());
    if (known != nullptr) return const_cast<FileTests&>(*known);
  }
  auto made = std::make_shared<FileTests>();
  FileTests& tests = *made;
  BufferMatch list;
  list.buffer = id;
  list.direction = side;
  list.ops.emplace_back();
  list.ops.back().other = std::move(made);
  builder.rule.buffers.push_back(std::move(list));
  builder.header_like = false;
  return tests;
}

// "to_client, <100" in rules with `=>`: takes the side away.
std::optional<Direction> take_side(const RuleBuilder& builder, Part& part) {
  if (!builder.rule.transactional) return std::nullopt;
  for (const auto& [name, side] : {std::pair<std::string_view, Direction>{"to_server", Direction::to_server},
                                   {"to_client", Direction::to_client}}) {
    if (!part.text.starts_with(name)) continue;
    Part rest = trim({part.text.substr(name.size()), part.at + name.size()});
    if (!rest.text.starts_with(',')) continue;
    part = trim({rest.text.substr(1), rest.at + 1});
    return side;
  }
  return std::nullopt;
}

void apply_filesize(RuleBuilder& builder, const lang::RuleOption& option) {
  if (!builder.require_protocols(kFileCarriers, option)) return;
  Part part = trim(whole(option));
  const auto side = take_side(builder, part);
  NumberTest test;
  if (!parse_number_test(builder, option, part, std::uint64_t{1} << 62U, test)) return;
  tests_of(builder, side).questions.push_back(std::make_unique<SizeIs>(test));
}

template <FileHash Hash>
void apply_digest(RuleBuilder& builder, const lang::RuleOption& option) {
  constexpr std::size_t kBytes[] = {16, 20, 32};
  if (!builder.require_protocols(kFileCarriers, option)) return;
  Part part = trim(whole(option));
  const auto side = take_side(builder, part);
  const bool negated = part.text.starts_with('!');
  if (negated) part = trim({part.text.substr(1), part.at + 1});
  if (part.text.empty()) {
    builder.error(option, "file-missing", "`" + option.name + "` needs the name of a list");
    return;
  }
  // Lists stand beside the rules, or below.
  const std::filesystem::path beside =
      std::filesystem::path(builder.ast.position(0).file).parent_path() / std::string(part.text);
  auto list = DigestList::read(beside.string(), kBytes[static_cast<std::size_t>(Hash)]);
  if (!list) {
    builder.error_at(option, part.at, part.text.size(), "digest-list", list.error().to_string());
    return;
  }
  builder.rule.file_needs.hashes[static_cast<std::size_t>(Hash)] = true;
  tests_of(builder, side).questions.push_back(std::make_unique<DigestIn>(*list, Hash, negated));
}

std::uint32_t sid_of(const lang::RuleAst& ast) {
  for (const lang::RuleOption& option : ast.options) {
    if (option.name != "sid") continue;
    const auto number = parse_number(option.value);
    if (number && *number > 0 && *number <= 0xffff'ffff) return static_cast<std::uint32_t>(*number);
  }
  return 0;  // the rule is refused for it
}

// filestore; filestore:DIRECTION; filestore:DIRECTION,SCOPE
bool parse_wish(RuleBuilder& builder, const lang::RuleOption& option, StoreWish& wish) {
  const auto parts = split(option.value, ',');
  const auto wrong = [&](const Part& part, std::string_view what, const std::vector<std::string>& known) {
    builder
        .error_at(option, part.at, std::max<std::size_t>(part.text.size(), 1), "filestore-argument",
                  "unknown " + std::string(what) + " `" + std::string(part.text) + "`")
        .hint = core::did_you_mean(part.text, known);
    return false;
  };
  if (parts.size() > 2) return wrong(parts[2], "argument", {});
  const std::string_view direction = parts[0].text;
  if (direction == "request" || direction == "to_server") {
    wish.directions = {true, false};
  } else if (direction == "response" || direction == "to_client") {
    wish.directions = {false, true};
  } else if (direction == "both") {
    wish.directions = {true, true};
  } else {
    return wrong(parts[0], "direction", {"request", "response", "both", "to_server", "to_client"});
  }
  if (parts.size() == 1) return true;
  const std::string_view scope = parts[1].text;
  if (scope == "tx") {
    wish.scope = StoreScope::transaction;
  } else if (scope == "ssn" || scope == "flow") {
    wish.scope = StoreScope::flow;
  } else if (scope != "file") {
    return wrong(parts[1], "scope", {"file", "tx", "ssn", "flow"});
  }
  return true;
}

void apply_filestore(RuleBuilder& builder, const lang::RuleOption& option) {
  if (!builder.require_protocols(kFileCarriers, option)) return;
  FileTests& tests = tests_of(builder, std::nullopt);
  if (tests.wish) {
    builder.error_name(option, "keyword-twice", "a rule has one `filestore`");
    return;
  }
  StoreWish wish;
  wish.sid = sid_of(builder.ast);
  if (option.has_value && !parse_wish(builder, option, wish)) return;
  tests.wish = wish;
  builder.rule.file_needs.store = true;
}

constexpr KeywordDescriptor kKeywords[] = {
    {"filesize", ValueNeed::required, "the size of a file", apply_filesize},
    {"filemd5", ValueNeed::required, "the MD5 of a file is in this list", apply_digest<FileHash::md5>},
    {"filesha1", ValueNeed::required, "the SHA-1 of a file is in this list", apply_digest<FileHash::sha1>},
    {"filesha256", ValueNeed::required, "the SHA-256 of a file is in this list",
     apply_digest<FileHash::sha256>},
    {"filestore", ValueNeed::optional, "keep the files: request, response or both; file, tx, ssn or flow",
     apply_filestore},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_file_tests() {
  return kKeywords;
}

}  // namespace gatehouse::ids
