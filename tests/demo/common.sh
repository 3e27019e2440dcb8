# What the tests of the demo share. Sourced; wants the build's bin folder as $1.
bin=$(readlink -e "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_dir=$(cd "$here/../.." && pwd)
lab="$source_dir/site/drill/lab/lab"
servers="$source_dir/build/demo-servers"
readonly skip=77  # ctest's SKIP_RETURN_CODE

if [ "$(id -u)" != 0 ]; then
  echo "needs root: the lab makes namespaces"
  exit $skip
fi
"$source_dir/tools/deps" --unpack "$servers" demo-unpacked

fail() {
  echo "FAILED: $*"
  exit 1
}
