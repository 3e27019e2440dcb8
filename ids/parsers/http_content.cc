// Content decompression: which coding it is, and how much of it is reasonable.
#include <algorithm>
#include <array>
#include <span>

#include "ids/parsers/http_codec.h"
#include "ids/parsers/http_coding.h"
#include "ids/parsers/http_text.h"

namespace gatehouse::ids::http {
namespace {

// So many input bytes are kept until a format is proved right, so that the next one can be tried.
constexpr std::size_t kTrialBytes = 4096;
constexpr std::uint64_t kBombRatio = 2048;
constexpr std::size_t kOutputBlock = 16 * 1024;

enum class HeaderStatus : std::uint8_t { complete, incomplete, wrong };

struct HeaderResult {
  HeaderStatus status = HeaderStatus::wrong;
  std::size_t length = 0;
};

// RFC 1952 2.3. Reserved flags and the header checksum are ignored, as browsers do.
HeaderResult gzip_header(ByteView in) {
  constexpr HeaderResult kIncomplete{HeaderStatus::incomplete, 0};
  for (std::size_t i = 0; i < std::min<std::size_t>(in.size(), 3); ++i) {
    if (in[i] != std::array<std::uint8_t, 3>{0x1f, 0x8b, 8}[i]) return {};
  }
  if (in.size() < 10) return kIncomplete;
  const unsigned flags = in[3];
  std::size_t at = 10;
  if ((flags & 4U) != 0) {  // FEXTRA
    if (in.size() < at + 2) return kIncomplete;
    at += 2U + in[at] + 256U * in[at + 1];
  }
  for (const unsigned flag : {8U, 16U}) {  // FNAME, FCOMMENT: up to a NUL
    if ((flags & flag) == 0) continue;
    while (at < in.size() && in[at] != 0) ++at;
    ++at;
  }
  if ((flags & 2U) != 0) at += 2;  // FHCRC
  if (at > in.size()) return kIncomplete;
  return {HeaderStatus::complete, at};
}

// RFC 1950 2.2.
HeaderResult zlib_header(ByteView in) {
  if (in.size() < 2) return {HeaderStatus::incomplete, 0};
  if ((in[0] & 0x0fU) != 8 || (in[0] * 256U + in[1]) % 31 != 0 || (in[1] & 0x20U) != 0) return {};
  return {HeaderStatus::complete, 2};
}

}  // namespace

struct ContentDecoder::State {
  Limits limits;
  std::uint64_t in = 0, out = 0;
  Findings findings;
};

// One coding. The first bytes are kept in `trial_` until the format is proved.
class ContentDecoder::Layer {
 public:
  Layer(State& state, Format declared) : state_(state) {
    // Without a header to recognise it by, raw deflate comes after zlib, which has one.
    switch (declared) {
      case Format::gzip:
        formats_ = {Format::gzip, Format::zlib, Format::deflate};
        break;
      case Format::zlib:
      case Format::deflate:
        formats_ = {Format::zlib, Format::deflate, Format::gzip};
        break;
      case Format::brotli:
      case Format::lzma:
        // What looks like the other formats is more surely one of those: these have no mark.
        formats_ = {Format::gzip, Format::zlib, declared};
        break;
    }
  }

  void feed(ByteView in, ByteSink& out) {
    if (!decided_) {
      const std::size_t count = std::min(in.size(), kTrialBytes - trial_.size());
      trial_.insert(trial_.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(count));
      in = in.subspan(count);
      const bool full = trial_.size() == kTrialBytes;
      if (!full && trial_.size() < next_trial_) return;
      next_trial_ = 2 * trial_.size();  // so that byte-wise feeding costs no more than twice the work
      decide(out, full);
    }
    if (in.empty()) return;
    if (pass_through_) {
      out.take(in);
    } else {
      decode_some(in, out);
    }
  }

  void finish(ByteSink& out) {
    if (!decided_ && !trial_.empty()) decide(out, true);
  }

 private:
  // Keeps the output of a format under trial.
  class Held : public ByteSink {
   public:
    void take(ByteView bytes) override { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
    std::vector<std::uint8_t> bytes_;
  };

  enum class Verdict : std::uint8_t { yes, no, wait };

  // Tries the formats in turn on the kept bytes. `final`: no more bytes will be kept.
  void decide(ByteSink& out, bool final) {
    for (; next_ < formats_.size(); ++next_) {
      Held held;
      const Verdict verdict = attempt(formats_[next_], held, final);
      if (verdict == Verdict::wait) return;
      if (verdict == Verdict::yes) {
        decided_ = true;
        if (broken_) state_.findings.failed = true;
        out.take(held.bytes_);
        trial_ = {};
        return;
      }
    }
    decided_ = pass_through_ = true;
    state_.findings.failed = true;
    out.take(trial_);
    trial_ = {};
  }

  std::unique_ptr<Codec> make_codec(Format format) const {
    if (format == Format::brotli) return make_brotli_codec();
    if (format == Format::lzma) return make_lzma_codec(state_.limits.lzma_memory);
    return make_deflate_codec();
  }

  Verdict attempt(Format format, Held& held, bool final) {
    const bool raw = format == Format::deflate;
    if (raw && !final) return Verdict::wait;
    HeaderResult header{HeaderStatus::complete, 0};
    if (format == Format::gzip) header = gzip_header(trial_);
    if (format == Format::zlib) header = zlib_header(trial_);
    if (header.status == HeaderStatus::incomplete) return final ? Verdict::no : Verdict::wait;
    if (header.status == HeaderStatus::wrong) return Verdict::no;
    codec_ = make_codec(format);
    if (codec_ == nullptr) return Verdict::no;
    ended_ = broken_ = false;
    const std::size_t left = decode_some(ByteView(trial_).subspan(header.length), held);
    // Text can look like a short deflate stream: raw data must be used up but for a checksum.
    if (raw) return !broken_ && (!ended_ || left <= 8) ? Verdict::yes : Verdict::no;
    // Behind a right header, data that breaks off is still this format: receivers show its start.
    if (ended_ || !held.bytes_.empty()) return Verdict::yes;
    if (broken_) return Verdict::no;
    return final ? Verdict::yes : Verdict::wait;
  }

  // How many bytes of `in` are not of this coding.
  std::size_t decode_some(ByteView in, ByteSink& out) {
    while (!broken_ && !ended_ && !state_.findings.bomb) {
      std::array<std::uint8_t, kOutputBlock> block;
      std::size_t made = 0;
      const CodecStatus status = codec_->decode(in, block, made);
      if (made > 0) {
        if (decided_) count_output(made);
        out.take(ByteView(block).first(made));
      }
      ended_ = status == CodecStatus::end;
      broken_ = status == CodecStatus::broken;
      if (broken_ && decided_) state_.findings.failed = true;
      if (status == CodecStatus::more) break;
    }
    return in.size();
  }

  void count_output(std::size_t count) {
    state_.out += count;
    if (state_.out > state_.limits.output && state_.out / kBombRatio > state_.in) state_.findings.bomb = true;
  }

  State& state_;
  std::array<Format, 3> formats_{};
  std::size_t next_ = 0;
  std::unique_ptr<Codec> codec_;
  std::vector<std::uint8_t> trial_;
  std::size_t next_trial_ = 1;
  bool decided_ = false, pass_through_ = false, ended_ = false, broken_ = false;
};

namespace {

// Feeds one layer with what the layer before it puts out.
template <class LayerPointer>
class Chain : public ByteSink {
 public:
  Chain(std::span<LayerPointer> layers, ByteSink& last) : layers_(layers), last_(last) {}
  void take(ByteView bytes) override {
    if (layers_.empty()) return last_.take(bytes);
    Chain next(layers_.subspan(1), last_);
    layers_.front()->feed(bytes, next);
  }

 private:
  std::span<LayerPointer> layers_;
  ByteSink& last_;
};

}  // namespace

ContentDecoder::ContentDecoder() = default;
ContentDecoder::~ContentDecoder() = default;
ContentDecoder::ContentDecoder(ContentDecoder&&) noexcept = default;
ContentDecoder& ContentDecoder::operator=(ContentDecoder&&) noexcept = default;

void ContentDecoder::start(std::string_view value, unsigned layer_limit, const Limits& limits) {
  layers_.clear();
  state_ = std::make_unique<State>();
  state_->limits = limits;
  Findings& findings = state_->findings;
  std::vector<Format> formats;
  const std::string clean = without_nul(value);
  for (const std::string_view item : split_list(clean)) {
    const bool gzip = find_nocase(item, "gzip") != std::string_view::npos;
    const bool deflate = find_nocase(item, "deflate") != std::string_view::npos;
    if (gzip || deflate) {
      formats.push_back(gzip ? Format::gzip : Format::deflate);
      const std::string_view plain = gzip ? "gzip" : "deflate";
      findings.abnormal_header |=
          !equal_nocase(item, plain) && !equal_nocase(item, std::string("x-") + std::string(plain));
    } else if (equal_nocase(item, "br")) {
      formats.push_back(Format::brotli);
    } else if (equal_nocase(item, "lzma") && limits.lzma_memory > 0) {
      formats.push_back(Format::lzma);
    } else if (equal_nocase(item, "lzma") || equal_nocase(item, "zstd") || equal_nocase(item, "compress") ||
               equal_nocase(item, "x-compress")) {
      findings.unsupported = true;
    } else if (!equal_nocase(item, "identity") && !equal_nocase(item, "none")) {
      findings.abnormal_header = true;
    }
  }
  if (formats.size() > layer_limit) {
    findings.too_many_layers = true;
    formats.erase(formats.begin(), formats.end() - layer_limit);
  }
  // RFC 9110 8.4: listed in the order they were applied, so the last one comes off first.
  for (auto format = formats.rbegin(); format != formats.rend(); ++format) {
    layers_.push_back(std::make_unique<Layer>(*state_, *format));
  }
}

void ContentDecoder::feed(ByteView in, ByteSink& out) {
  if (layers_.empty()) return out.take(in);
  state_->in += in.size();
  Chain<std::unique_ptr<Layer>>(layers_, out).take(in);
}

void ContentDecoder::finish(ByteSink& out) {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Chain<std::unique_ptr<Layer>> next({layers_.data() + i + 1, layers_.size() - i - 1}, out);
    layers_[i]->finish(next);
  }
}

const ContentDecoder::Findings& ContentDecoder::findings() const {
  static const Findings kNone;
  return state_ ? state_->findings : kNone;
}

}  // namespace gatehouse::ids::http
