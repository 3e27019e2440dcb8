// Rules about transactions: one side of one transaction at a time, as its progress allows.
#pragma once

#include "ids/match/flow_state.h"
#include "ids/match/inspection.h"
#include "ids/match/stream_window.h"

namespace gatehouse::ids {

class TransactionInspector {
 public:
  explicit TransactionInspector(Inspection& shared) : shared_(shared) {}

  // All open transactions of the flow, in `direction`.
  void inspect(const Packet& packet, Flow& flow, Direction direction, const StreamView& stream);

 private:
  // never: the header cannot hold in this direction of this flow; nothing to remember.
  enum class Verdict : std::uint8_t { match, reject, undecided, never };
  // One side of one transaction while it is inspected.
  struct Side {
    const Packet& packet;
    Flow& flow;
    Direction direction;
    const StreamView& stream;
    Transaction& tx;
    TransactionDetect& state;
    TransactionDetect::Side& kept;
    const TransactionGroup& group;
    std::uint8_t complete;
  };

  static void restart(TransactionDetect::Side& kept, AppProto proto);
  TransactionDetect& state_of(Transaction& tx) const;
  void inspect_side(const Side& side);
  void wake_pending(const Side& side, bool changed);
  bool hidden(const BufferDescriptor& descriptor, const BufferView& view, bool settled,
              std::uint32_t seen) const;
  bool scan_buffers(const Side& side, bool finished);
  bool scan_joined(const Side& side, const TransactionBuffer& buffer);
  void scan_instance(const Packet& packet, const TransactionBuffer& buffer, const BufferView& view,
                     std::uint32_t before);
  bool transformed(const std::vector<std::shared_ptr<const Transform>>& chain, ByteView& data);
  void evaluate(const Side& side);
  void prefetch(std::span<const PlanId> candidates, std::size_t at) const;
  Verdict judge(const RulePlan& plan, const Side& side);
  Verdict judge_list(const ListPlan& list, InspectContext& context, const StreamView& stream);
  Verdict judge_instances(const ListPlan& list, const BufferDescriptor& buffer, InspectContext& context,
                          Direction side);

  Inspection& shared_;
  std::array<std::vector<std::uint8_t>, 2> transform_room_;
  const AppProto http_ = find_parser("http");
  bool steps_ = false;  // this flow's bodies are looked at in steps
  ScanView body_view_;  // the body or file scanned last, of the transaction being inspected
};

}  // namespace gatehouse::ids
