// Attacks under way: one event when one begins, updates at growing intervals, one when it has ended.
#pragma once

#include <array>
#include <limits>
#include <memory>
#include <span>
#include <unordered_map>

#include "ids/anomaly/address_counts.h"
#include "ids/anomaly/detection.h"
#include "ids/anomaly/keyed_hash.h"
#include "ids/anomaly/state.h"

namespace gatehouse::ids::anomaly {

inline constexpr std::size_t kMostFigures = 8;
inline constexpr std::size_t kMostLimits = 4;
inline constexpr std::size_t kMostTargets = 64;

// What a detector says of an attack; fixed size, kept until the attack has ended.
struct Finding {
  Verdict verdict = Verdict::scan_vertical;
  std::int64_t time_us = 0, first_us = 0;
  IpAddress source, target;
  std::uint16_t target_port = 0;
  std::uint8_t protocol = 6;
  // All sources (targets) are of one network that has so many bits in common with `source` (`target`); 0:
  // each stands for itself.
  std::uint8_t source_bits = 0, target_bits = 0;
  std::array<IpAddress, AddressCounts::kMost> sources{};
  std::array<IpAddress, kMostTargets> targets{};
  std::size_t source_count = 0, target_count = 0;
  std::uint64_t sources_total = 0, targets_total = 0;
  std::array<Figure, kMostFigures> figures{};
  std::size_t figure_count = 0;
  std::array<Figure, kMostLimits> limits{};
  std::size_t limit_count = 0;
  std::int64_t window_us = 0;
  double confidence = 0;

  Finding() = default;
  // Rests on what came from `began_us` until `now_us`.
  Finding(Verdict what, std::int64_t began_us, std::int64_t now_us)
      : verdict(what), time_us(now_us), first_us(began_us), window_us(now_us - began_us) {}
  void figure(std::string_view name, std::uint64_t value) {
    if (figure_count < kMostFigures) figures[figure_count++] = {name, value};
  }
  // What the figure of that name had to reach (figures named *_percent are computed by who explains).
  void limit(std::string_view name, std::uint64_t value) {
    if (limit_count < kMostLimits) limits[limit_count++] = {name, value};
  }
  // The sources that were counted, unless they look forged: naming those would accuse the innocent.
  void name_sources(const AddressCounts& counts, std::uint32_t least);
  void name_source(const IpAddress& address);
  // Of `counts` those with `least`, who are no forgeries (they completed a handshake, or came again and again);
  // if nobody has, the event is about `otherwise`.
  void name_senders(const AddressCounts& counts, std::uint32_t least, const IpAddress& otherwise);
  // Some of `total`; the event is about `address`.
  void name_targets(const IpAddress& address, std::span<const IpAddress> some, std::uint64_t total);
  void name_target(const IpAddress& address, std::uint16_t port);
  // Addresses of one network, each of which may send only once.
  void name_network(std::span<const IpAddress> addresses, std::uint64_t total, std::uint8_t bits);
};

class AttackLog {
 public:
  AttackLog(const KeyedHash& hash, DetectionSink& sink) : hash_(hash), sink_(sink) {}

  // What an attack is about: its family and who it is by or against.
  std::uint64_t subject(Verdict family, const IpAddress& who, std::uint64_t extra = 0) const {
    return hash_(who, extra << 8U | static_cast<std::uint64_t>(family) | std::uint64_t{1} << 63U);
  }
  // The attack goes on. `amount`: its evidence so far. True: what is known of it is worth renewing, or an
  // event is due; report() must follow.
  bool due(std::uint64_t subject, std::int64_t now_us, std::uint64_t amount);
  void report(std::uint64_t subject, const Finding& finding);
  bool active(std::uint64_t subject) const { return attacks_.find(subject) != attacks_.end(); }

  // Is what `source` does at `target` part of a flood it is named in, or is the target being scanned by many
  // already?
  bool explained(const IpAddress& source, const IpAddress& target) const;
  // Is `target` being flooded: then strangers who do not complete there prove nothing about themselves.
  bool flooded(const IpAddress& target) const { return floods_ != 0 && find_flood(target); }
  // Is one host of the network being flooded?
  bool flooded_within(const IpAddress& prefix, unsigned bits) const;
  // Networks inside `wide` that are flooded host by host; and these made part of what is reported next.
  std::size_t carpets_within(const core::IpPrefix& wide) const;
  void merge_carpets(const core::IpPrefix& wide);
  // A reported scan by `source` of `target` turns out to be part of something else.
  void absorb(const Finding& finding);
  // What single addresses of `network` were reported for is part of what is reported next: any scan if
  // `verdict` is one, else the same at the same target.
  void absorb_network(const core::IpPrefix& network, Verdict verdict, const IpAddress& target);

  void archive(StateArchive& a);
  void at_packet(std::uint64_t number) { packet_ = number; }
  void tick(std::int64_t now_us);
  // No attack ends before this.
  std::int64_t due_us() const { return ends_us_; }
  void finish();
  std::size_t size() const { return attacks_.size(); }
  static std::size_t bytes() { return kMost * (sizeof(Attack) + 64); }
  std::uint64_t reported() const { return reported_; }

 private:
  static constexpr std::size_t kMost = 640;  // attacks at a time
  struct Attack {
    Finding finding;
    std::uint64_t id = 0;
    std::uint64_t reported_amount = 0, known_amount = 0, amount = 0;
    std::int64_t reported_us = 0, last_us = 0;
    std::int64_t took_us = 0;  // from the first evidence to the first event
    std::uint32_t updates = 0;
  };
  void archive(StateArchive& a, Attack& attack) const;
  static bool event_due(const Attack& attack, std::int64_t now_us, std::uint64_t amount);
  static std::int64_t quiet_us(const Attack& attack);
  bool find_flood(const IpAddress& target) const;
  void emit(const Attack& attack, Phase phase);
  void end(std::unordered_map<std::uint64_t, std::unique_ptr<Attack>>::iterator at);
  void make_room();

  const KeyedHash& hash_;
  DetectionSink& sink_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Attack>> attacks_;
  std::size_t floods_ = 0;
  std::int64_t ends_us_ = std::numeric_limits<std::int64_t>::max();
  std::uint64_t next_id_ = 0, inherited_id_ = 0;
  std::uint64_t packet_ = 0;
  std::uint64_t reported_ = 0;
};

}  // namespace gatehouse::ids::anomaly
