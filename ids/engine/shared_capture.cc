#include "ids/engine/shared_capture.h"

#include <algorithm>

namespace gatehouse::ids::engine {

SharedCapture::SharedCapture(Source& source, std::size_t workers)
    : source_(source), choice_(workers), taken_(workers) {}

// Nobody holds the batch whose place the next one takes.
bool SharedCapture::has_room() const {
  return std::all_of(taken_.begin(), taken_.end(),
                     [this](std::uint64_t taken) { return taken + kAhead >= read_ + 2; });
}

const SharedCapture::Batch* SharedCapture::next(std::size_t worker) {
  std::unique_lock lock(mutex_);
  std::uint64_t& taken = taken_[worker];
  for (;;) {
    if (taken < read_) {
      // Who waits for room waits for the last one.
      if (waiting_ != 0) changed_.notify_all();
      return &batches_[taken++ % kAhead];
    }
    if (ended_) return nullptr;
    if (!reading_ && has_room()) {
      reading_ = true;
      Batch& batch = batches_[read_ % kAhead];
      lock.unlock();
      const bool more = read(batch);
      lock.lock();
      reading_ = false;
      ended_ = !more;
      if (!batch.workers.empty()) ++read_;
      if (waiting_ != 0) changed_.notify_all();
      continue;
    }
    ++waiting_;
    changed_.wait(lock);
    --waiting_;
  }
}

// False: nothing comes after it.
bool SharedCapture::read(Batch& batch) {
  const core::Result<SourceState> state = source_.read(batch.frames);
  if (!state) status_ = tl::make_unexpected(state.error());
  const std::size_t frames = batch.frames.size();
  batch.workers.resize(frames);
  for (std::size_t i = 0; i < frames; ++i) {
    const RawPacket packet = batch.frames[i];
    now_us_ = std::max(now_us_, packet.time_us);
    batch.workers[i] = static_cast<std::uint8_t>(choice_.of(packet));
  }
  in_stretch_ += frames;
  const bool stretch_ends = in_stretch_ >= kStretch;
  if (stretch_ends) in_stretch_ = 0;
  batch.stretch_end_us = stretch_ends ? std::max<std::int64_t>(now_us_, 1) : 0;
  return state && *state != SourceState::end;
}

}  // namespace gatehouse::ids::engine
