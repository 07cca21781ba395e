# Processes of a bed: each leads a session of its own, has a record run/NAME.pid ("PID CLOCK", the clock being when the
# kernel started it, so that a later process with the same number is never taken for it), a log logs/NAME.log, and the
# bed's directory in its environment as STOWAGE_OPENSTACK_BED. Source it; it needs $bed.

# Clock ticks after boot at which a process started; nothing when it is gone or only waits to be reaped.
clock_of() {
  local stat fields
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
  read -ra fields <<<"${stat##*) }"
  [[ ${fields[0]} == [ZX] ]] || printf '%s' "${fields[19]}"
}

# The recorded process if it still runs.
pid_of() {
  local pid clock
  { read -r pid clock <"$bed/run/$1.pid"; } 2>/dev/null || return 1
  [ -n "$pid" ] && [ "$(clock_of "$pid")" = "$clock" ] && printf '%s' "$pid"
}

# Those that live of the session that NAME began, its children included.
members_of() {
  local pid clock now
  { read -r pid clock <"$bed/run/$1.pid"; } 2>/dev/null || return 0
  now=$(clock_of "$pid")
  # The number of a session that has members is not given to anybody else; without a leader it is still ours.
  [ -z "$now" ] || [ "$now" = "$clock" ] || return 0
  pgrep --runstates D,R,S,T,I --session "$pid" || true
}

# start_process NAME COMMAND...: returns when it leads its session, so that a signal to this script's group spares it.
start_process() {
  local name=$1 pid fields
  shift
  # Recorded by the process itself, before it becomes the command: there is no moment at which it runs unknown. The lock
  # of this script must not live on in it.
  (
    pid=$BASHPID
    printf '%s %s\n' "$pid" "$(clock_of "$pid")" >"$bed/run/$name.pid"
    STOWAGE_OPENSTACK_BED=$bed exec setsid "$@"
  ) </dev/null >>"$bed/logs/$name.log" 2>&1 9>&- &
  pid=$!
  disown "$pid"
  while fields=$(<"/proc/$pid/stat") && read -ra fields <<<"${fields##*) }" && [ "${fields[3]}" != "$pid" ]; do
    sleep 0.01
  done 2>/dev/null
}

# stop_process NAME SECONDS: asks its whole session to end, and ends what has not after that time.
stop_process() {
  local name=$1 end=$(($(milliseconds) + $2 * 1000)) members
  # The leader first: it knows best how to end its children.
  members=$(pid_of "$name") && kill -TERM "$members" 2>/dev/null || true
  while members=$(members_of "$name") && [ -n "$members" ]; do
    if [ "$(milliseconds)" -gt "$end" ]; then
      # shellcheck disable=SC2086
      kill -KILL $members 2>/dev/null || true
    elif [ -z "$(pid_of "$name")" ]; then
      # shellcheck disable=SC2086
      kill -TERM $members 2>/dev/null || true
    fi
    sleep 0.05
  done
  rm -f "$bed/run/$name.pid"
}

# kill_process NAME: no warning.
kill_process() {
  local members
  while members=$(members_of "$1") && [ -n "$members" ]; do
    # shellcheck disable=SC2086
    kill -KILL $members 2>/dev/null || true
    sleep 0.02
  done
  rm -f "$bed/run/$1.pid"
}

# Everything that bears this bed in its environment, wherever it went.
left_over() {
  { grep -lzsx -F "STOWAGE_OPENSTACK_BED=$bed" /proc/[0-9]*/environ || true; } | cut -d / -f 3
}

# Memory that the members of NAME hold, in MiB: shared pages are divided among those who share them.
memory_of() {
  local pid
  for pid in $(members_of "$1"); do
    sed -n 's/^Pss: *\([0-9]*\).*/\1/p' "/proc/$pid/smaps_rollup" 2>/dev/null || true
  done | awk '{ sum += $1 } END { printf "%d", sum / 1024 }'
}
