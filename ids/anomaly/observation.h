// What the scan and flood detectors see of the traffic: contacts and their outcome, never payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "core/ip.h"
#include "core/lazy_array.h"

namespace gatehouse::ids::anomaly {

using core::IpAddress;

enum class Contact : std::uint8_t {
  tcp_attempt,      // first SYN of a connection
  tcp_retry,        // the same SYN again
  tcp_answered,     // SYN/ACK of the server
  tcp_completed,    // three-way handshake done
  tcp_refused,      // RST instead of a SYN/ACK
  tcp_abandoned,    // the client resets after the SYN/ACK
  tcp_stray,        // the first packet of a connection is no SYN: FIN, NULL, XMAS, ACK
  tcp_backscatter,  // an answer (SYN/ACK, RST) to somebody who used this address
  tcp_data,     // the client's first bytes, value: their kind, unless they are a whole head; again when they
                // prove to be HTTP, value: 0
  tcp_busy,     // the client's eighth packet, when it sent kBusyBytes by then
  tcp_starved,  // the client's window lets no full segment through; value: not 0: though an answer is due to
                // it
  tcp_closed,   // the first FIN or RST of an established connection; value: bytes to the client, detail: from
                // it. Of a brief one only if its end says_more()
  udp_attempt,  // first datagram
  udp_answered,  // first datagram back
  more,          // further packets of a contact that was not answered; count says how many
  unreachable,   // an ICMP error that quotes the contact
  ping,          // echo requests; count: since the last; value: so far
  ping_answered,
  fragment,       // first fragment of a datagram; client: source, server: destination
  fragment_rest,  // another fragment
  defragmented,   // the datagram became whole
  ip_attempt,     // first packet of a protocol that is none of the above
  ip_answered,
  http_head,        // headers of a request are complete, its body is not
  http_request,     // a request is complete, head and body; value: keyed hash of host and path
  http_response,    // a response is complete; value: status
  dns_query,        // value: hash of the name, detail: hash of the parent domain
  dns_response,     // value: rcode, detail as above
  login,            // over SMTP; value: how many were refused, detail: how many were granted
  http2_streams,    // value: streams the client reset, detail: those it opened
  http2_continued,  // value: CONTINUATION frames of the client
  tls_keys,         // the client changed keys; value: how often so far. The first ends the handshake
  udp_amplified,    // a service that may answer much to little did so; count: datagrams since it last spoke,
                    // bytes: of them on the wire, value: of what was asked for them, detail: tells questions
                    // apart
  count_,
};
inline constexpr std::uint64_t kBusyBytes = 4'000;  // in eight packets: somebody means it
inline constexpr std::size_t kContacts = static_cast<std::size_t>(Contact::count_);

// Nobody answers what is sent to a group, and nobody is its victim: what has one for its server need not be
// told.
inline bool is_group(const IpAddress& address) {
  const auto& b = address.bytes;
  if (b[0] < 0xe0U) return false;
  if (address.is_v6()) return b[0] == 0xff;
  return (b[0] & 0xf0U) == 0xe0U || (b[0] & b[1] & b[2] & b[3]) == 0xffU;
}

// Who holds one address of a /64 has them all (RFC 4291 2.5.1): where senders are counted, it is one of them.
inline constexpr std::uint8_t kSenderBits = 64;
inline core::IpPrefix network_of(const IpAddress& address, unsigned bits) {
  core::IpPrefix network{address, static_cast<std::uint8_t>(bits)};
  for (std::size_t i = 0; i < address.size(); ++i) {
    const unsigned kept = bits > i * 8 ? bits - static_cast<unsigned>(i) * 8 : 0;
    if (kept < 8) network.address.bytes[i] &= static_cast<std::uint8_t>(0xff00U >> kept);
  }
  return network;
}

// What a client says first, coarsely: whoever speaks one protocol has one kind.
enum class FirstWords : std::uint8_t {
  unknown,
  none,          // the connection ended without a word of the client's
  after_banner,  // the server spoke first
  http,
  tls,
  blank,  // an empty line
  word,   // printable, one of two kinds
  other_word,
  opaque,  // binary without zeros
  zeros,   // 15 kinds: which of the first four bytes are zero
  count_ = zeros + 15,
};

// What was spoken on a connection, as far as detectors care.
enum class Service : std::uint8_t { unknown, ssh, http, tls, smtp, dns, other };

// What the teller knows of a contact beyond the packet, because observations wait until there is a batch of
// them: of most connections beginning and answer are told together, and nobody has to wait for anything.
enum class Known : std::uint8_t {
  nothing,
  answered,  // tcp_attempt: the SYN/ACK has come; it is not told
  settled,   // tcp_attempt, udp_attempt: what came of it is told as whole
  whole,     // tcp_completed, udp_answered: of an attempt that was told as settled
  brief,     // tcp_completed: whole, and within kBriefUs the connection was over; tcp_closed: of such a one
};
inline constexpr std::int64_t kBriefUs = 400'000;

// How a connection ended says something besides that it did: of sessions behind a door (SSH), of mail, and of
// clients without a word (SYN and FIN count as a byte each).
inline constexpr std::uint64_t kMuteBytes = 2;
inline bool says_more(Service service, std::uint64_t from_client) {
  return service == Service::ssh || service == Service::smtp || from_client <= kMuteBytes;
}

// One contact. client is who began it. Plain data: may be copied to another thread. Thousands wait at a time:
// the members stand so that none takes more room than it needs.
struct Observation {
  std::int64_t time_us = 0;
  std::uint64_t packet = 0;  // its number in the capture: the order among several workers
  std::uint64_t value = 0, detail = 0;
  IpAddress client, server;
  std::uint16_t client_port = 0, server_port = 0;
  Contact contact = Contact::tcp_attempt;
  std::uint8_t tcp_flags = 0;
  std::uint8_t protocol = 6;
  Service service : 4 = Service::unknown;
  Known known : 3 = Known::nothing;
  bool cut : 1 = false;     // the capture has only the headers
  std::uint16_t count = 1;  // packets it stands for
  std::uint32_t bytes = 0;  // of payload, of one of them
};
static_assert(sizeof(Observation) == 80);

// As detectors see it: with the hashes of the addresses, of both, of both with ports and protocol, and of the
// server's network.
struct Sighting : Observation {
  std::uint64_t client_key = 0, server_key = 0, pair_key = 0, contact_key = 0, network_key = 0;
};

// Takes observations by the batch. They are written in place: whoever tells one fills in all of open(), and
// calls keep().
class ObservationSink {
 public:
  ObservationSink() : batch_(kBatch) {}
  ObservationSink(const ObservationSink&) = delete;
  ObservationSink& operator=(const ObservationSink&) = delete;
  virtual ~ObservationSink() = default;

  Observation& open() { return batch_[count_]; }
  void keep() {
    if (++count_ == kBatch) pass_on();
  }
  void on_observation(const Observation& observation) {
    open() = observation;
    keep();
  }
  // One that waits since the last batch; null: there is none with this number.
  Observation* waiting(std::size_t number) { return number < count_ ? &batch_[number] : nullptr; }
  // How many wait: the number of the one that open() gives.
  std::size_t count() const { return count_; }
  // Those that wait go on now.
  void pass_on() {
    if (count_ == 0) return;
    take({batch_.begin(), std::exchange(count_, 0)});
  }

 protected:
  // So many are looked at in one go: their code and the tables come into the cache once for all of them, and
  // what one needs comes while those before it are looked at.
  static constexpr std::size_t kBatch = 2048;
  virtual void take(std::span<const Observation> batch) = 0;

 private:
  core::LazyArray<Observation> batch_;
  std::size_t count_ = 0;
};

}  // namespace gatehouse::ids::anomaly
