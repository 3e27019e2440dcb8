// What rules can look at before an SSH connection is encrypted.
#include "ids/keywords/buffers.h"
#include "ids/keywords/values.h"
#include "ids/parsers/ssh_transaction.h"

namespace gatehouse::ids {
namespace {

constexpr std::string_view kSsh[] = {"ssh"};

template <auto Member>
bool get(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  const std::string& text = static_cast<const SshTransaction&>(tx).sides[index(direction)].*Member;
  if (i != 0 || text.empty()) return false;
  out = {core::as_bytes(text), true};
  return true;
}

constexpr BufferDescriptor row(std::string_view name, std::string_view alias,
                               std::optional<Direction> direction, std::uint8_t progress,
                               TransactionGetter getter, std::string_view summary) {
  BufferDescriptor d;
  d.name = name;
  d.alias = alias;
  d.protocols = kSsh;
  d.direction = direction;
  d.get = getter;
  d.min_progress = progress;
  d.final_progress = progress;
  d.summary = summary;
  return d;
}

using Side = SshTransaction::Side;
const BufferDescriptor kBuffers[] = {
    row("ssh.proto", "ssh_proto", std::nullopt, kSshBanner, get<&Side::protocol>,
        "the protocol version of the banner"),
    row("ssh.software", "ssh_software", std::nullopt, kSshBanner, get<&Side::software>,
        "the software of the banner"),
    row("ssh.hassh", "", Direction::to_server, kSshKeyExchange, get<&Side::hassh>,
        "MD5 of the algorithms the client offers"),
    row("ssh.hassh.string", "", Direction::to_server, kSshKeyExchange, get<&Side::hassh_string>,
        "the algorithms the client offers"),
    row("ssh.hassh.server", "", Direction::to_client, kSshKeyExchange, get<&Side::hassh>,
        "MD5 of the algorithms the server offers"),
    row("ssh.hassh.server.string", "", Direction::to_client, kSshKeyExchange, get<&Side::hassh_string>,
        "the algorithms the server offers"),
};

// Gone from the language; named so that the way out can be told.
template <bool Software>
void apply_obsolete(RuleBuilder& builder, const lang::RuleOption& option) {
  builder.error_name(option, "keyword-obsolete", "`" + option.name + "` is obsolete").hint =
      Software ? "ssh.software; content:\"...\";" : "ssh.proto; content:\"...\";";
}

constexpr KeywordDescriptor kKeywords[] = {
    {"ssh.protoversion", ValueNeed::optional, "obsolete: ssh.proto", apply_obsolete<false>},
    {"ssh.softwareversion", ValueNeed::optional, "obsolete: ssh.software", apply_obsolete<true>},
};

}  // namespace

std::span<const BufferDescriptor> buffer_family_ssh_buffers() {
  return kBuffers;
}
std::span<const KeywordDescriptor> keyword_family_ssh_buffers() {
  return kKeywords;
}

}  // namespace gatehouse::ids
