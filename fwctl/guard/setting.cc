#include "fwctl/guard/setting.h"

namespace gatehouse::fwctl {

void SettingWatch::open() {
  // Where connection tracking has not been loaded yet it is opened later, to be read.
  if (auto opened = PickUpSetting::open()) setting_.emplace(std::move(*opened));
}

bool SettingWatch::is_wrong() const {
  const auto on = setting_->is_on();
  return on && *on && keeper_.desired() && answers_handshakes(*keeper_.desired());
}

void SettingWatch::tick() {
  if (!setting_) open();
  if (!setting_) return;
  if (!is_wrong()) {
    told_ = false;
    return;
  }
  if (told_) return;  // it was left so, or could not be made right
  ++counters_.settings;
  report_.event("setting", kPicksUp, {{"setting", "net.netfilter.nf_conntrack_tcp_loose"}});
  const core::Status done = policy_.repair ? setting_->turn_off() : core::Status();
  if (!done) report_.event("repair-failed", done.error().to_string(), {});
  told_ = is_wrong();
  if (!told_) report_.event("repaired", "net.netfilter.nf_conntrack_tcp_loose is 0 again", {});
}

}  // namespace gatehouse::fwctl
