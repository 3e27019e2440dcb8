// What rules can look at in a DNS message.
#include "ids/keywords/buffers.h"
#include "ids/keywords/values.h"
#include "ids/parsers/dns_transaction.h"

namespace gatehouse::ids {
namespace {

constexpr std::string_view kDns[] = {"dns", "doh2"};

// The message of this direction, on its own or in a stream of HTTP/2; null: there is none.
const DnsTransaction* dns(const Transaction& tx, Direction direction) {
  return static_cast<const DnsTransaction*>(tx.carried(direction));
}

bool name_at(std::string_view name, BufferView& out) {
  out = {core::as_bytes(name), true};
  return true;
}

bool query(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  const DnsTransaction* message = dns(tx, direction);
  if (message == nullptr || i >= message->queries.size()) return false;
  return name_at(message->queries[i].name, out);
}

template <auto Section>
bool record(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  const DnsTransaction* message = dns(tx, direction);
  if (message == nullptr) return false;
  const auto& records = message->*Section;
  if (i >= records.size()) return false;
  return name_at(records[i].name, out);
}

// Every name of a response: questions, answers, authorities, additionals, and names in rdata.
bool response_name(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  const DnsTransaction* found = dns(tx, direction);
  if (found == nullptr || !found->is_response) return false;
  const DnsTransaction& message = *found;
  if (i < message.queries.size()) return name_at(message.queries[i].name, out);
  i -= static_cast<unsigned>(message.queries.size());
  for (const auto* section : {&message.answers, &message.authorities, &message.additionals}) {
    for (const DnsRecord& r : *section) {
      if (i-- == 0) return name_at(r.name, out);
      if (r.is_name && i-- == 0) return name_at(r.text, out);
    }
  }
  return false;
}

constexpr BufferDescriptor row(std::string_view name, std::string_view alias,
                               std::optional<Direction> direction, TransactionGetter get,
                               std::string_view summary) {
  BufferDescriptor d;
  d.name = name;
  d.alias = alias;
  d.protocols = kDns;
  d.direction = direction;
  d.get = get;
  d.min_progress = kDnsComplete;
  d.final_progress = kDnsComplete;
  d.multiple = true;
  d.summary = summary;
  return d;
}

const BufferDescriptor kBuffers[] = {
    row("dns.query", "dns_query", Direction::to_server, query, "each name asked for"),
    row("dns.queries.rrname", "dns.query.name", std::nullopt, query,
        "each name of the question section, both directions"),
    row("dns.answers.rrname", "dns.answer.name", std::nullopt, record<&DnsTransaction::answers>,
        "each name of the answer section"),
    row("dns.authorities.rrname", "", std::nullopt, record<&DnsTransaction::authorities>,
        "each name of the authority section"),
    row("dns.additionals.rrname", "", std::nullopt, record<&DnsTransaction::additionals>,
        "each name of the additional section"),
    row("dns.response.rrname", "", Direction::to_client, response_name, "each name in a response"),
};

class MessageNumber : public Condition {
 public:
  using Read = bool (*)(const DnsTransaction& message, const NumberTest& test);
  MessageNumber(const NumberTest& test, Read read) : test_(test), read_(read) {}
  bool holds(const InspectContext& context) const override {
    if (context.tx == nullptr) return false;
    const DnsTransaction* message = dns(*context.tx, context.direction);
    return message != nullptr && read_(*message, test_);
  }
  bool needs_packet() const override { return false; }
  bool needs_transaction() const override { return true; }

 private:
  NumberTest test_;
  Read read_;
};

bool opcode(const DnsTransaction& m, const NumberTest& test) {
  return test.holds(m.opcode());
}
bool rcode(const DnsTransaction& m, const NumberTest& test) {
  return test.holds(m.rcode());
}
bool rrtype(const DnsTransaction& m, const NumberTest& test) {
  for (const DnsQuestion& q : m.queries) {
    if (test.holds(q.type)) return true;
  }
  for (const DnsRecord& r : m.answers) {
    if (test.holds(r.type)) return true;
  }
  return false;
}

// The number a name stands for, upper or lower case: REFUSED, aaaa.
using NameOf = std::string (*)(unsigned number);
std::string type_name(unsigned number) {
  return dns_type_text(static_cast<std::uint16_t>(number));
}
std::string rcode_name(unsigned number) {
  return dns_rcode_text(number);
}
std::optional<unsigned> number_named(std::string_view name, NameOf name_of) {
  constexpr unsigned kNamed = 260;  // above, no number has a name
  std::string wanted(name);
  for (char& c : wanted) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  for (unsigned number = 0; number < kNamed; ++number) {
    if (name_of(number) == wanted) return number;
  }
  return std::nullopt;
}

bool parse_named(const Part& part, NameOf name_of, NumberTest& test) {
  const bool negated = part.text.starts_with('!');
  const std::string_view name = trim({part.text.substr(negated ? 1 : 0), part.at}).text;
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  const auto number = number_named(name, name_of);
  if (!number) return false;
  test.op = negated ? NumberTest::Op::not_equal : NumberTest::Op::equal;
  test.first = *number;
  return true;
}

template <MessageNumber::Read Read, std::uint64_t Largest, NameOf Names>
void apply_number(RuleBuilder& builder, const lang::RuleOption& option) {
  if (!builder.require_protocols(kDns, option)) return;
  const Part part = trim(whole(option));
  NumberTest test;
  bool named = false;
  if constexpr (Names != nullptr) named = parse_named(part, Names, test);
  if (!named && !parse_number_test(builder, option, part, Largest, test)) return;
  builder.add_condition(std::make_unique<MessageNumber>(test, Read));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"dns.opcode", ValueNeed::required, "the operation code", apply_number<opcode, 255, nullptr>},
    {"dns.rcode", ValueNeed::required, "the response code", apply_number<rcode, 65535, rcode_name>},
    {"dns.rrtype", ValueNeed::required, "a record type asked for or answered",
     apply_number<rrtype, 65535, type_name>},
};

}  // namespace

std::span<const BufferDescriptor> buffer_family_dns_buffers() {
  return kBuffers;
}
std::span<const KeywordDescriptor> keyword_family_dns_buffers() {
  return kKeywords;
}

}  // namespace gatehouse::ids
