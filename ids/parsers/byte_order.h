// Transactions whose numbers come in the byte order their own header names (DCE/RPC).
#pragma once

namespace gatehouse::ids {

class ByteOrdered {
 public:
  virtual ~ByteOrdered() = default;
  virtual bool little_endian() const = 0;
};

}  // namespace gatehouse::ids
