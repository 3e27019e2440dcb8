// Readers of dataset files. Every mistake is a diagnostic at its place; nothing is kept of a file
// with a mistake.
#pragma once

#include "core/diag.h"
#include "ids/state/dataset.h"

namespace gatehouse::ids {

// One value a line, `VALUE` or `VALUE,REPUTATION`; strings in base64, hashes in hexadecimal.
// `needs_reputation`: a line without one is a mistake.
bool read_dataset(const core::SourceText& source, bool needs_reputation, Dataset& out,
                  core::Diagnostics& diagnostics);

// Members of JSON objects. Keys are dotted paths.
struct DatasetJson {
  bool lines = false;       // one object a line; else one document
  std::string value_key;    // where the value stands in an object
  std::string array_key;    // where the objects stand in the document; empty: it is the array
  bool remove_key = false;  // the value itself is not kept with the object
};
bool read_json_dataset(const core::SourceText& source, const DatasetJson& form, Dataset& out,
                       core::Diagnostics& diagnostics);

}  // namespace gatehouse::ids
