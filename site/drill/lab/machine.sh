# Lab machines: one set of namespaces each, held by one process. Sourced by `lab`.
#
# A machine lives exactly as long as its first process. That process dies with the lab
# (parent-death signal, also when the lab is killed by SIGKILL), and with it dies everything that
# ever ran in the machine, its mounts and its interfaces: cleaning up is the kernel's work.

declare -A machine_pid=() machine_holder=()

# machine_start NAME: needs $run/NAME with etc, var, srv, root.
machine_start() {
  local name=$1 root="$run/$1"
  setpriv --pdeathsig KILL \
    unshare --mount --pid --net --uts --ipc --fork --kill-child=KILL \
    "$lab_dir/machine-init" "$name" "$root" "$servers" "$bin" "$rules" \
    </dev/null >"$run/$name.init.log" 2>&1 &
  machine_holder[$name]=$!
  disown $!
}

# Waits until the machine can be entered.
machine_ready() {
  local name=$1 tries
  for ((tries = 0; tries < 200; tries++)); do
    if [ -s "$run/$name/.pid" ]; then
      machine_pid[$name]=$(cat "$run/$name/.pid")
      return
    fi
    kill -0 "${machine_holder[$name]}" 2>/dev/null || break
    sleep 0.05
  done
  cat "$run/$name.init.log" >&2
  die 3 "machine $name did not start"
}

# The command line that enters a machine, one word a line.
machine_enter() {
  printf '%s\n' nsenter -t "${machine_pid[$1]}" -m -n -p -u -i -r -w --
}

# in_machine NAME COMMAND...: runs it there, with a clean environment.
in_machine() {
  local name=$1
  shift
  nsenter -t "${machine_pid[$name]}" -m -n -p -u -i -r -w -- \
    env -i PATH="$machine_path" HOME=/root LC_ALL=C.UTF-8 "$@"
}

# start_in NAME LOG COMMAND...: runs it there in the background; its output goes to $run/NAME/var/log/LOG.
start_in() {
  local name=$1 log="$run/$1/var/log/$2"
  shift 2
  # Not through in_machine: a subshell would stay behind and report the kill at the end.
  nsenter -t "${machine_pid[$name]}" -m -n -p -u -i -r -w -- \
    env -i PATH="$machine_path" HOME=/root LC_ALL=C.UTF-8 "$@" </dev/null >>"$log" 2>&1 &
  disown $!
}

machines_stop() {
  local name
  for name in "${!machine_holder[@]}"; do
    kill -KILL "${machine_pid[$name]:-${machine_holder[$name]}}" 2>/dev/null || true
  done
  for name in "${!machine_holder[@]}"; do
    while kill -0 "${machine_holder[$name]}" 2>/dev/null; do sleep 0.02; done
  done
}
