// What rules can look at in FTP commands, their replies and data connections.
#include "ids/keywords/buffers.h"
#include "ids/keywords/values.h"
#include "ids/parsers/ftp_transaction.h"

namespace gatehouse::ids {
namespace {

constexpr std::string_view kFtp[] = {"ftp"};
constexpr std::string_view kFtpData[] = {"ftp-data"};

const FtpTransaction& ftp_of(const Transaction& tx) {
  return static_cast<const FtpTransaction&>(tx);
}

bool command(const Transaction& tx, Direction /*direction*/, unsigned i, BufferView& out) {
  if (i != 0 || ftp_of(tx).command.empty()) return false;
  out = {core::as_bytes(ftp_of(tx).command), true};
  return true;
}

bool command_data(const Transaction& tx, Direction /*direction*/, unsigned i, BufferView& out) {
  if (i != 0 || !ftp_of(tx).has_argument) return false;
  out = {core::as_bytes(ftp_of(tx).argument), true};
  return true;
}

bool reply(const Transaction& tx, Direction /*direction*/, unsigned i, BufferView& out) {
  const auto& replies = ftp_of(tx).replies;
  if (i >= replies.size()) return false;
  out = {core::as_bytes(replies[i].text()), true};
  return true;
}

bool completion_code(const Transaction& tx, Direction /*direction*/, unsigned i, BufferView& out) {
  for (const FtpReplyLine& line : ftp_of(tx).replies) {
    if (line.code().empty() || i-- != 0) continue;
    out = {core::as_bytes(line.code()), true};
    return true;
  }
  return false;
}

constexpr BufferDescriptor row(std::string_view name, Direction direction, TransactionGetter get,
                               std::string_view summary) {
  const bool of_reply = direction == Direction::to_client;
  BufferDescriptor d;
  d.name = name;
  d.protocols = kFtp;
  d.direction = direction;
  d.get = get;
  d.min_progress = kFtpOpen;
  // Replies come while the transaction is open, one after the other.
  d.final_progress = of_reply ? kFtpComplete : kFtpOpen;
  d.multiple = of_reply;
  d.summary = summary;
  return d;
}

const BufferDescriptor kBuffers[] = {
    row("ftp.command", Direction::to_server, command, "the command, in capitals"),
    row("ftp.command_data", Direction::to_server, command_data, "what follows the command"),
    row("ftp.reply", Direction::to_client, reply, "each line of the replies, without its code"),
    row("ftp.completion_code", Direction::to_client, completion_code, "the code of each reply"),
};

// A statement about the transaction that has no bytes to look at.
class FtpCondition : public Condition {
 public:
  bool holds(const InspectContext& context) const final {
    return context.tx != nullptr && holds_for(ftp_of(*context.tx), context);
  }
  bool needs_packet() const final { return false; }
  bool needs_transaction() const final { return true; }

 protected:
  virtual bool holds_for(const FtpTransaction& tx, const InspectContext& context) const = 0;
};

class ModeIs final : public FtpCondition {
 public:
  explicit ModeIs(bool active) : active_(active) {}
  bool holds_for(const FtpTransaction& tx, const InspectContext&) const override {
    return tx.dynamic_port != 0 && tx.active == active_;
  }

 private:
  bool active_;
};

class DynamicPortIs final : public FtpCondition {
 public:
  explicit DynamicPortIs(const NumberTest& test) : test_(test) {}
  bool holds_for(const FtpTransaction& tx, const InspectContext&) const override {
    return tx.dynamic_port != 0 && test_.holds(tx.dynamic_port);
  }

 private:
  NumberTest test_;
};

// A greeting answers no command. That there is no reply is known when the flow is over.
class ReplyReceived final : public FtpCondition {
 public:
  explicit ReplyReceived(bool wanted) : wanted_(wanted) {}
  bool holds_for(const FtpTransaction& tx, const InspectContext& context) const override {
    if (tx.command.empty()) return false;
    return wanted_ ? tx.done() : !tx.done() && context.packet.origin == PacketOrigin::flow_end;
  }

 private:
  bool wanted_;
};

// PORT or EPRT names another host than the one that sends it (RFC 2577 3).
class Bounces final : public FtpCondition {
 public:
  bool holds_for(const FtpTransaction& tx, const InspectContext& context) const override {
    return context.flow != nullptr && tx.port_address && tx.port_address->version != 0 &&
           *tx.port_address != context.flow->key.client;
  }
};

class TransferIs final : public Condition {
 public:
  explicit TransferIs(std::string_view wanted) : wanted_(wanted) {}
  bool holds(const InspectContext& context) const override {
    return context.tx != nullptr && static_cast<const FtpDataTransaction*>(context.tx)->command == wanted_;
  }
  bool needs_packet() const override { return false; }
  bool needs_transaction() const override { return true; }

 private:
  std::string_view wanted_;
};

// The index of the option's value among `names`, case ignored; reports when it is none of them.
std::optional<std::size_t> choice(RuleBuilder& builder, const lang::RuleOption& option,
                                  std::span<const std::string_view> names) {
  const Part part = trim(whole(option));
  std::string word(part.text);
  for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (word == names[i]) return i;
  }
  const std::vector<std::string> known(names.begin(), names.end());
  builder.error(option, "unknown-value", "`" + option.name + "` does not know `" + option.value + "`").hint =
      core::did_you_mean(word, known);
  return std::nullopt;
}

void apply_mode(RuleBuilder& builder, const lang::RuleOption& option) {
  constexpr std::string_view kModes[] = {"active", "passive"};
  if (!builder.require_protocols(kFtp, option)) return;
  if (const auto mode = choice(builder, option, kModes))
    builder.add_condition(std::make_unique<ModeIs>(*mode == 0));
}

void apply_dynamic_port(RuleBuilder& builder, const lang::RuleOption& option) {
  NumberTest test;
  if (!builder.require_protocols(kFtp, option)) return;
  if (!parse_number_test(builder, option, trim(whole(option)), 65535, test)) return;
  builder.add_condition(std::make_unique<DynamicPortIs>(test));
}

void apply_reply_received(RuleBuilder& builder, const lang::RuleOption& option) {
  constexpr std::string_view kWords[] = {"yes", "on", "true", "1", "no", "off", "false", "0"};
  if (!builder.require_protocols(kFtp, option)) return;
  if (!builder.require_direction(Direction::to_client, option)) return;
  if (const auto word = choice(builder, option, kWords))
    builder.add_condition(std::make_unique<ReplyReceived>(*word < 4));
}

void apply_bounce(RuleBuilder& builder, const lang::RuleOption& option) {
  if (!builder.require_protocols(kFtp, option)) return;
  if (!builder.require_direction(Direction::to_server, option)) return;
  builder.add_condition(std::make_unique<Bounces>());
}

void apply_transfer(RuleBuilder& builder, const lang::RuleOption& option) {
  constexpr std::string_view kWords[] = {"retr", "stor", "appe", "stou", "list", "nlst", "mlsd"};
  constexpr std::string_view kCommands[] = {"RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD"};
  if (!builder.require_protocols(kFtpData, option)) return;
  if (const auto word = choice(builder, option, kWords))
    builder.add_condition(std::make_unique<TransferIs>(kCommands[*word]));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"ftp.mode", ValueNeed::required, "which side opens the data connection: active or passive", apply_mode},
    {"ftp.dynamic_port", ValueNeed::required, "the port agreed upon for the data connection",
     apply_dynamic_port},
    {"ftp.reply_received", ValueNeed::required, "the command has had its last reply: yes or no",
     apply_reply_received},
    {"ftpbounce", ValueNeed::none, "PORT or EPRT names another host than the client", apply_bounce},
    {"ftpdata_command", ValueNeed::required, "the command a data connection serves: retr, stor ...",
     apply_transfer},
};

}  // namespace

std::span<const BufferDescriptor> buffer_family_ftp_buffers() {
  return kBuffers;
}
std::span<const KeywordDescriptor> keyword_family_ftp_buffers() {
  return kKeywords;
}

}  // namespace gatehouse::ids
