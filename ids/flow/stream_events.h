// The vocabulary of stream events: what is odd about a TCP session, under the names the field uses
// (`stream-event:est_packet_out_of_window`, EVE anomaly events with the prefix "stream.").
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

// Rows are prefixed, because several names begin with a digit.
#define GATEHOUSE_STREAM_EVENTS(X)                                                                           \
  X(3whs_ack_in_wrong_dir)                                                                                   \
  X(3whs_async_wrong_seq)                                                                                    \
  X(3whs_right_seq_wrong_ack_evasion) X(3whs_synack_in_wrong_direction) X(                                   \
      3whs_synack_resend_with_different_ack) X(3whs_synack_resend_with_diff_seq)                             \
      X(3whs_synack_toserver_on_syn_recv) X(3whs_synack_with_wrong_ack) X(3whs_synack_flood) X(              \
          3whs_syn_flood) X(3whs_synack_tfo_data_ignored) X(3whs_syn_resend_diff_seq_on_syn_recv)            \
          X(3whs_syn_toclient_on_syn_recv) X(3whs_wrong_seq_wrong_ack) X(3whs_ack_data_inject) X(            \
              4whs_synack_with_wrong_ack) X(4whs_synack_with_wrong_syn) X(4whs_wrong_seq)                    \
              X(4whs_invalid_ack) X(closewait_ack_out_of_window) X(closewait_fin_out_of_window) X(           \
                  closewait_pkt_before_last_ack) X(closewait_invalid_ack) X(closing_ack_wrong_seq)           \
                  X(closing_invalid_ack) X(est_packet_out_of_window) X(est_pkt_before_last_ack) X(           \
                      est_synack_resend) X(est_synack_resend_with_different_ack)                             \
                      X(est_synack_resend_with_diff_seq) X(est_synack_toserver) X(est_syn_resend) X(         \
                          est_syn_resend_diff_seq) X(est_syn_toclient) X(est_invalid_ack) X(fin_invalid_ack) \
                          X(fin1_ack_wrong_seq) X(fin1_fin_wrong_seq) X(fin1_invalid_ack) X(                 \
                              fin2_ack_wrong_seq) X(fin2_fin_wrong_seq) X(fin2_invalid_ack)                  \
                              X(fin_but_no_session) X(fin_out_of_window) X(fin_syn) X(lastack_ack_wrong_seq) \
                                  X(lastack_invalid_ack) X(rst_but_no_session) X(timewait_ack_wrong_seq) X(  \
                                      timewait_invalid_ack) X(shutdown_syn_resend) X(pkt_invalid_timestamp)  \
                                      X(pkt_invalid_ack) X(pkt_broken_ack) X(rst_invalid_ack)                \
                                          X(pkt_retransmission) X(pkt_spurious_retransmission) X(            \
                                              pkt_bad_window_update) X(suspected_rst_inject) X(wrong_thread) \
                                              X(reassembly_segment_before_base_seq) X(reassembly_no_segment) \
                                                  X(reassembly_seq_gap) X(reassembly_overlap_different_data) \
                                                      X(reassembly_depth_reached)                            \
                                                          X(reassembly_insert_memcap)                        \
                                                              X(reassembly_insert_limit)                     \
                                                                  X(reassembly_insert_invalid)               \
                                                                      X(reassembly_urgent_oob_limit_reached)

namespace gatehouse::ids {

namespace stream_event {
#define GATEHOUSE_ENUMERATOR(name) k_##name,
enum Id : std::uint16_t { GATEHOUSE_STREAM_EVENTS(GATEHOUSE_ENUMERATOR) kCount };
#undef GATEHOUSE_ENUMERATOR
}  // namespace stream_event

// Without the prefix: "est_packet_out_of_window". `event` must be below stream_event::kCount.
std::string_view stream_event_name(std::uint16_t event);
// With or without "stream."; none when there is no such event.
std::optional<std::uint16_t> find_stream_event(std::string_view name);

}  // namespace gatehouse::ids
