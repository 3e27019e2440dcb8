#include "ids/triage/responder.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace gatehouse::ids::triage {
namespace {

// Who was banned is remembered this long after the ban, so that the next one is longer.
constexpr std::int64_t kMemoryUs = 7LL * 86'400 * 1'000'000;

}  // namespace

std::string_view to_string(Ruling ruling) {
  constexpr std::string_view kNames[] = {"asked", "dry-run", "withheld"};
  return kNames[static_cast<std::size_t>(ruling)];
}

std::size_t Responder::AddressHash::operator()(const IpAddress& address) const {
  return std::hash<std::string_view>{}(
      {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()});
}

Responder::Known& Responder::known(const IpAddress& address, std::int64_t now_us) {
  if (known_.size() >= kMostKnown && known_.find(address) == known_.end())
    known_.erase(std::min_element(known_.begin(), known_.end(), [](const auto& a, const auto& b) {
      return a.second.seen_us != b.second.seen_us ? a.second.seen_us < b.second.seen_us : a.first < b.first;
    }));
  Known& k = known_[address];
  if (k.bans != 0 && now_us - k.until_us > kMemoryUs) k.bans = 0;
  k.seen_us = now_us;
  return k;
}

std::int64_t Responder::length_us(std::uint32_t bans) const {
  std::int64_t length = policy_.ban_us;
  for (std::uint32_t i = 0; i < bans && length < policy_.longest_us; ++i) length *= policy_.escalation;
  return std::min(length, policy_.longest_us);
}

std::string Responder::forbidden(const anomaly::Detection& d, const IpAddress& source) const {
  if (d.confidence < policy_.confidence)
    return fmt::format("confidence {:.2f} is below {:.2f}", d.confidence, policy_.confidence);
  if (core::is_never_banned(source)) return "it is no address of a host";
  const auto mine = std::find_if(policy_.never.begin(), policy_.never.end(),
                                 [&](const IpPrefix& network) { return network.contains(source); });
  if (mine != policy_.never.end()) return fmt::format("{} is never banned", mine->to_string());
  return {};
}

const std::vector<Ban>& Responder::rule(const anomaly::Detection& d) {
  bans_.clear();
  const anomaly::AttackClass& attack = anomaly::attack_class(d.verdict);
  if (!policy_.on || d.phase == anomaly::Phase::end) return bans_;
  // Whatever the policy says, nobody is banned for what others could have sent in his name.
  if (!may_be_banned(attack)) return bans_;
  if (std::none_of(policy_.classes.begin(), policy_.classes.end(),
                   [&](const std::string& pattern) { return class_fits(pattern, attack.klass); }))
    return bans_;
  for (const IpAddress& source : d.sources) {
    Known& k = known(source, d.time_us);
    if (d.time_us < k.until_us) continue;  // it is banned
    std::string why = forbidden(d, source);
    // Told once; evidence that grows may still change it.
    if (!why.empty() && k.attack == d.id) continue;
    k.attack = d.id;
    Ban ban;
    ban.request.address = source;
    ban.request.reason = fmt::format("{}, confidence {:.2f}", attack.klass, d.confidence);
    ban.request.event = std::to_string(d.id);
    ban.repeat = k.bans;
    const std::int64_t length = length_us(k.bans);
    ban.request.seconds = static_cast<std::uint32_t>(length / 1'000'000);
    if (!why.empty()) {
      ban.why = std::move(why);
      ++counters_.withheld;
    } else {
      ban.ruling = enforce_ ? Ruling::ask : Ruling::dry_run;
      ++(enforce_ ? counters_.asked : counters_.dry_run);
      k.until_us = d.time_us + length;
      ++k.bans;
    }
    bans_.push_back(std::move(ban));
  }
  return bans_;
}

}  // namespace gatehouse::ids::triage
