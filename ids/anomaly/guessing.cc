// Password guessing, per client and server: connections that end before anybody is logged in.
#include <algorithm>

#include "ids/anomaly/address_list.h"
#include "ids/anomaly/detector.h"
#include "ids/anomaly/majority.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kWindowUs = 60'000'000;
// People mistype three times; a minute of ten connections that all end at the door is a program.
constexpr std::uint32_t kAttempts = 10;
// RFC 4252: key exchange and refused passwords fit into 3,000 bytes to the client; a session that opened
// has had more (host keys, channel, what was asked for).
constexpr std::uint64_t kDoorBytes = 3'000;
constexpr std::uint64_t kMostAtOnce = 64;  // answers in one packet
constexpr std::uint64_t kUnauthorised = 401, kForbidden = 403;

struct Knocks {
  std::uint64_t tag = 0;
  std::int64_t first_us = 0, last_us = 0;
  std::uint32_t bad = 0, good = 0;
  // Of a network: its senders, and the one most failures are of.
  Distinct<1> senders;
  Majority sender;
  bool sound() const { return sound_time(first_us) && sound_time(last_us) && senders.sound(); }
  std::int64_t worth() const { return last_us + std::int64_t{bad} * 1'000'000; }
  bool is_shared() const { return senders.bits_set() >= 2 && std::uint64_t{sender.votes} * 3 <= bad; }
};

static_assert(sizeof(Knocks) <= kPairBytes);

// What is guessed at.
struct Door {
  Verdict verdict;
  bool bad;
};

class Guessing : public AnomalyDetector {
 public:
  Guessing(const Context& context, std::size_t pairs)
      : c_(context), table_(pairs), lists_(context.sizes.lists) {}

  void archive(StateArchive& a) override {
    table_.archive(a);
    lists_.archive(a);
  }

  void on_contact(const Sighting& o) override {
    switch (o.contact) {
      case Contact::tcp_closed:
        if (o.service == Service::ssh) knock(o, {Verdict::ssh_guessing, o.value < kDoorBytes});
        return;
      case Contact::http_response:
        return knock(o, {Verdict::http_guessing, o.value == kUnauthorised || o.value == kForbidden});
      case Contact::login:
        for (std::uint64_t i = 0; i < std::min(o.value, kMostAtOnce); ++i)
          knock(o, {Verdict::smtp_guessing, true});
        for (std::uint64_t i = 0; i < std::min(o.detail, kMostAtOnce); ++i)
          knock(o, {Verdict::smtp_guessing, false});
        return;
      default:
        return;
    }
  }

 private:
  void knock(const Sighting& o, const Door& door) {
    const std::uint64_t what = static_cast<std::uint64_t>(door.verdict);
    if (o.client.is_v6()) {
      const core::IpPrefix network = network_of(o.client, kSenderBits);
      Knocks* k = count(c_.hash.join(c_.hash.pair(c_.hash(network.address), o.server_key), what), o, door);
      if (k != nullptr && door.bad) {
        count_sender(*k, o);
        judge(*k, o, door, network);
      }
      if (c_.log.active(c_.log.subject(door.verdict, network.address, o.server_key))) return;
    }
    Knocks* k = count(c_.hash.join(o.pair_key, what), o, door);
    if (k != nullptr && door.bad) judge(*k, o, door, {o.client, 0});
  }

  // Null: nothing bad is known.
  Knocks* count(std::uint64_t hash, const Sighting& o, const Door& door) {
    bool fresh = false;
    Knocks* k = table_.find(hash);
    if (k == nullptr) {
      if (!door.bad) return nullptr;
      k = &table_.get(hash, fresh);
    }
    if (fresh || o.time_us - k->first_us > kWindowUs) {
      renew(*k);
      k->first_us = o.time_us;
    }
    k->last_us = o.time_us;
    ++(door.bad ? k->bad : k->good);
    return k;
  }

  void count_sender(Knocks& k, const Sighting& o) {
    bool fresh = false;
    if (k.senders.add(o.client_key)) lists_.get(k.tag, fresh).add(o.client, o.time_us);
    k.sender.add(o.client_key);
  }

  // `who`: a network, or with length 0 one address.
  void judge(const Knocks& k, const Sighting& o, const Door& door, const core::IpPrefix& who) {
    const bool network = who.length != 0;
    if (network && !k.is_shared()) return;
    const std::uint32_t least = c_.config.scaled(kAttempts, o.server);
    if (k.bad < least || k.good * 4 > k.bad) return;
    const std::uint64_t subject = c_.log.subject(door.verdict, who.address, o.server_key);
    const bool goes_on = c_.log.active(subject);
    if (!c_.log.due(subject, o.time_us, k.bad)) return;
    if (network && !goes_on) c_.log.absorb_network(who, door.verdict, o.server);
    Finding f(door.verdict, k.first_us, o.time_us);
    f.name_source(o.client);
    if (network) {
      if (const AddressList* list = lists_.find(k.tag))
        f.name_network(list->list(), k.senders.estimate(), who.length);
    }
    f.name_target(o.server, o.server_port);
    f.figure("failed", k.bad);
    f.figure("opened", k.good);
    f.limit("failed", least);
    f.confidence = std::min(0.99, 1.0 - 2.0 / k.bad);
    c_.log.report(subject, f);
  }

  Context c_;
  BucketTable<Knocks> table_;
  BucketTable<AddressList> lists_;
};

std::unique_ptr<AnomalyDetector> make(const Context& context) {
  if (!context.config.scan) return nullptr;
  return std::make_unique<Guessing>(context, context.sizes.pairs);
}

}  // namespace

extern const AnomalyDescriptor detector_guessing;
const AnomalyDescriptor detector_guessing = {
    "guessing",
    "passwords guessed over SSH, HTTP and SMTP",
    contact_bit(Contact::tcp_closed) | contact_bit(Contact::http_response) | contact_bit(Contact::login),
    0,
    false,
    false,
    false,
    make};

}  // namespace gatehouse::ids::anomaly
