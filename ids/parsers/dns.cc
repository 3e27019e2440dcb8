// DNS: RFC 1035 messages over UDP, and over TCP behind a length (RFC 7766).
#include <algorithm>
#include <array>

#include "ids/parsers/dns_log.h"
#include "ids/parsers/dns_message.h"

namespace gatehouse::ids {
namespace {

constexpr std::array<std::uint16_t, 1> kPorts = {53};

enum DnsEvent : AppEvent {
  kMalformedData,
  kNotRequest,
  kNotResponse,
  kZFlagSet,
  kInvalidOpcode,
  kNameTooLong,
  kInfiniteLoop,
  kTooManyLabels,
  kInvalidAuthorities,
  kInvalidAdditionals,
  kTooManyTransactions,
  kDnsEventCount,
};
constexpr std::array<std::string_view, kDnsEventCount> kEventNames = {
    "dns.malformed_data",      "dns.not_request",         "dns.not_response",         "dns.z_flag_set",
    "dns.invalid_opcode",      "dns.name_too_long",       "dns.infinite_loop",        "dns.too_many_labels",
    "dns.invalid_authorities", "dns.invalid_additionals", "dns.too_many_transactions"};

// Every message is a transaction of its own and complete at once.
class DnsSession final : public Session {
 public:
  DnsSession(const DnsConfig& config, AppTransport transport) : config_(config), transport_(transport) {}

  bool on_data(Direction direction, ByteView data, std::int64_t /*time_us*/) override {
    if (transport_ == AppTransport::udp) {
      message(direction, data);
      return true;
    }
    auto& pending = pending_[index(direction)];
    pending.insert(pending.end(), data.begin(), data.end());
    std::size_t at = 0;
    while (pending.size() - at >= 2) {
      const std::size_t length = pending[at] * 256U + pending[at + 1];
      if (pending.size() - at - 2 < length) break;
      if (length > 0) message(direction, ByteView(pending).subspan(at + 2, length));
      at += 2 + length;
    }
    pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(at));
    return true;
  }

  // Where the next message begins is unknown behind a hole.
  bool on_gap(Direction direction, std::uint64_t /*bytes*/) override {
    pending_[index(direction)].clear();
    return false;
  }

  void on_end(Direction direction) override { pending_[index(direction)].clear(); }

 private:
  void message(Direction direction, ByteView data) {
    dns::Message parsed;
    const dns::ParseStatus status = dns::parse_message(data, parsed);
    if (status != dns::ParseStatus::ok) return trouble(kMalformedData, direction);
    const bool response = direction == Direction::to_client;
    if (((parsed.flags & 0x8000U) != 0) != response)
      return trouble(response ? kNotResponse : kNotRequest, direction);
    auto tx = open(direction);
    if (tx == nullptr) return;
    tx->message_id = parsed.id;
    tx->flags = parsed.flags;
    if ((parsed.flags & 0x0040U) != 0) tx->events.push_back(kZFlagSet);
    if (tx->opcode() >= 7) tx->events.push_back(kInvalidOpcode);
    if (parsed.names.too_long) tx->events.push_back(kNameTooLong);
    if (parsed.names.loop) tx->events.push_back(kInfiniteLoop);
    if (parsed.names.too_many_labels) tx->events.push_back(kTooManyLabels);
    if (parsed.invalid_authorities) tx->events.push_back(kInvalidAuthorities);
    if (parsed.invalid_additionals) tx->events.push_back(kInvalidAdditionals);
    tx->queries = std::move(parsed.queries);
    tx->answers = std::move(parsed.answers);
    tx->authorities = std::move(parsed.authorities);
    tx->additionals = std::move(parsed.additionals);
  }

  DnsTransaction* open(Direction direction) {
    if (transactions_.size() >= config_.max_transactions) {
      trouble(kTooManyTransactions, direction);
      return nullptr;
    }
    auto tx = std::make_unique<DnsTransaction>();
    tx->id = next_id_++;
    tx->is_response = direction == Direction::to_client;
    tx->progress = {kDnsComplete, kDnsComplete};
    tx->skip_inspect[index(opposite(direction))] = true;
    auto* raw = tx.get();
    transactions_.push_back(std::move(tx));
    return raw;
  }

  // What cannot be read is not logged as a message. The newest transaction carries the event; when
  // there is none, a blank one does, which takes no number of its own.
  void trouble(DnsEvent event, Direction direction) {
    if (transactions_.empty()) {
      const std::uint64_t next = next_id_;
      open(direction)->logged = true;
      next_id_ = next;
    }
    auto& events = transactions_.back()->events;
    if (std::find(events.begin(), events.end(), event) == events.end()) events.push_back(event);
  }

  const DnsConfig config_;
  const AppTransport transport_;
  std::array<std::vector<std::uint8_t>, 2> pending_;
};

ProbeVerdict verdict(dns::Plausible plausible) {
  if (plausible == dns::Plausible::undecided) return ProbeVerdict::maybe;
  return plausible == dns::Plausible::yes ? ProbeVerdict::yes : ProbeVerdict::no;
}

ProbeVerdict probe(ByteView data, Direction /*direction*/, AppTransport transport) {
  if (transport == AppTransport::udp) return verdict(dns::plausible_message(data, data.size()));
  if (data.size() < 2) return ProbeVerdict::maybe;
  const std::size_t length = data[0] * 256U + data[1];
  const ByteView rest = data.subspan(2);
  return verdict(dns::plausible_message(rest.first(std::min(rest.size(), length)), length));
}

std::unique_ptr<Session> make_session(const ParserConfig& config, AppTransport transport) {
  return std::make_unique<DnsSession>(config.dns, transport);
}

bool ready_to_log(const Transaction& /*tx*/) {
  return true;
}

}  // namespace

extern const ParserDescriptor parser_dns;
const ParserDescriptor parser_dns = {
    .name = "dns",
    .event_type = "dns",
    .spec = "RFC 1035",
    .transport = AppTransport::both,
    .default_ports = kPorts,
    .probe = probe,
    .make_session = make_session,
    .complete = {kDnsComplete, kDnsComplete},
    .event_names = kEventNames,
    .upper_case_events = false,
    .first_data = std::nullopt,
    .ports_only = true,
    .write_log = dns::write_dns_log,
    .log_records = dns::dns_log_records,
    .ready_to_log = ready_to_log,
};

}  // namespace gatehouse::ids
