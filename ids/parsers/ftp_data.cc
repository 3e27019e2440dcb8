// FTP data connections, recognised by what their control connection announced.
#include "ids/parsers/ftp_transaction.h"

namespace gatehouse::ids {
namespace ftp {
namespace {

// One transaction with at most one file: a connection carries one transfer.
class FtpDataSession final : public Session {
 public:
  explicit FtpDataSession(const FtpConfig& config) : keep_limit_(config.file_limit) {
    auto tx = std::make_unique<FtpDataTransaction>();
    tx->id = next_id_++;
    tx->progress = {kFtpOpen, kFtpOpen};
    transactions_.push_back(std::move(tx));
  }

  void on_expected(const std::shared_ptr<const FlowNote>& note) override {
    const auto* transfer = dynamic_cast<const TransferNote*>(note.get());
    if (transfer == nullptr) return;
    FtpDataTransaction* tx = transaction();
    tx->command = transfer->command;
    file_name_ = transfer->file_name;
    is_file_ = !file_name_.empty() || transfer->command == "STOU";
  }

  bool on_data(Direction direction, ByteView data, std::int64_t /*time_us*/) override {
    if (TransferredFile* open = file(direction)) open->append(data);
    return transaction() != nullptr;
  }

  bool on_gap(Direction direction, std::uint64_t bytes) override {
    if (TransferredFile* open = file(direction)) open->skip(bytes);
    return transaction() != nullptr;
  }

  // The end of the connection is the end of the file; nothing else tells its length.
  void on_end(Direction direction) override {
    FtpDataTransaction* tx = transaction();
    if (tx == nullptr) return;
    if (!tx->files.empty() && tx->files.front().direction != direction) return;
    if (!tx->files.empty() && tx->files.front().is_open()) tx->files.front().close(FileState::closed);
    tx->progress = {kFtpComplete, kFtpComplete};
  }

 private:
  FtpDataTransaction* transaction() {
    return transactions_.empty() ? nullptr : static_cast<FtpDataTransaction*>(transactions_.front().get());
  }

  // The file that travels in `direction`; null when there is none, or nothing is added any more.
  TransferredFile* file(Direction direction) {
    FtpDataTransaction* tx = transaction();
    if (tx == nullptr || !is_file_) return nullptr;
    if (tx->files.empty()) tx->open_file(file_name_, direction, keep_limit_, file_policy.get());
    TransferredFile& only = tx->files.front();
    return only.direction == direction && only.is_open() ? &only : nullptr;
  }

  std::uint64_t keep_limit_;
  std::string file_name_;
  bool is_file_ = true;
};

// Never found by content.
ProbeVerdict probe(ByteView /*data*/, Direction /*direction*/, AppTransport /*transport*/) {
  return ProbeVerdict::no;
}

std::unique_ptr<Session> make_data_session(const ParserConfig& config, AppTransport /*transport*/) {
  return std::make_unique<FtpDataSession>(config.ftp);
}

bool ready_to_log(const Transaction& tx) {
  return tx.progress[0] == kFtpComplete;
}

}  // namespace
}  // namespace ftp

extern const ParserDescriptor parser_ftp_data;
const ParserDescriptor parser_ftp_data = {
    .name = "ftp-data",
    .event_type = "ftp_data",
    .spec = "RFC 959",
    .transport = AppTransport::tcp,
    .default_ports = {},
    .probe = ftp::probe,
    .confirm = nullptr,
    .make_session = ftp::make_data_session,
    .complete = {kFtpComplete, kFtpComplete},
    .event_names = {},
    .upper_case_events = false,
    .first_data = std::nullopt,
    .ports_only = false,
    .write_log = ftp::write_ftp_data_log,
    .log_records = nullptr,
    .ready_to_log = ftp::ready_to_log,
};

}  // namespace gatehouse::ids
