#include "fwctl/guard/ban_desk.h"

#include <fmt/format.h>

namespace gatehouse::fwctl {
namespace {

using core::Errc;
using core::fail;

Transaction transaction() {
  Transaction out;
  out.table = std::string(kTableName);
  return out;
}
KernelSet of_one(const KernelSet& set, const core::IpAddress& a) {
  KernelSet out = set;
  KernelElement e;
  e.first.assign(a.view().begin(), a.view().end());
  e.last = e.first;
  out.elements = {e};
  return out;
}
}  // namespace

void BanDesk::spare() {
  std::vector<Spared> all = spared_by(site_);
  for (Spared& s : spared_here()) all.push_back(std::move(s));
  bans_.spare(std::move(all));
}

const KernelSet* BanDesk::set_for(const core::IpAddress& a) const {
  return keeper_.desired() ? keeper_.desired()->find_set(a.is_v4() ? kBanned4 : kBanned6) : nullptr;
}
core::Status BanDesk::lift(const core::IpAddress& a) {
  const KernelSet* set = set_for(a);
  if (set == nullptr) return fail(Errc::not_found, "the ruleset has no set of bans");
  Transaction all = transaction();
  all.operations.emplace_back(DeleteElements{of_one(*set, a)});
  GH_CHECK(keeper_.writer().commit(all, std::nullopt));
  bans_.remove(a);
  return {};
}
core::Status BanDesk::ban(const core::BanRequest& request, const std::string& who) {
  const std::int64_t now = core::monotonic_us();
  GH_CHECK(bans_.allowed(request.address, now));
  const KernelSet* set = set_for(request.address);
  if (set == nullptr) return fail(Errc::not_found, "the ruleset in force has no set of bans");
  const auto order = bans_.order(request, now);
  if (!order) return {};
  const core::ByteView bytes = request.address.view();
  const AddTimed add{*set, Bytes(bytes.begin(), bytes.end()), order->time_ms, who};
  Transaction all = transaction();
  if (order->is_there) all.operations.emplace_back(DeleteElements{of_one(*set, request.address)});
  all.operations.emplace_back(add);
  core::Status done = keeper_.writer().commit(all, std::nullopt);
  if (!done) {
    // The kernel's set and our memory differ: of a guard before us, or somebody has emptied it.
    all.operations.clear();
    if (!order->is_there) all.operations.emplace_back(DeleteElements{of_one(*set, request.address)});
    all.operations.emplace_back(add);
    done = keeper_.writer().commit(all, std::nullopt);
  }
  if (!done) return done;
  bans_.add({request.address, now + std::int64_t{request.seconds} * 1'000'000, request.reason, who});
  ++counters_.bans;
  report_.event("ban",
                fmt::format("{} is banned for {} s, asked by {}: {}", request.address.to_string(),
                            request.seconds, who, request.reason),
                {{"address", request.address.to_string()},
                 {"by", who},
                 {"reason", request.reason},
                 {"event", request.event}});
  return {};
}
}  // namespace gatehouse::fwctl
