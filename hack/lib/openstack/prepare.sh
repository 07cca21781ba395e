# What a bed needs of the machine. Source it.

# The settings make sense together.
check_services() {
  local name
  for name in ${services//,/ }; do
    [[ ,$all_services, == *,$name,* ]] || die "no service $name: there are $all_services"
  done
  wants keystone || die "nothing works without keystone"
  if wants nova && ! wants cinder; then die "nova needs cinder"; fi
}

# Runs the rest inside the network namespace; returns when it is there. What was left by a namespace that is gone can
# still be taken down.
enter_netns() {
  [ -n "$netns" ] || return 0
  if [ "${words[0]}" = down ] && [ ! -e "/run/netns/$netns" ]; then return 0; fi
  if [ "$(ip netns identify $$)" != "$netns" ]; then
    # It takes the lock anew.
    exec ip netns exec "$netns" "$here/hack/openstack" "$@" 9>&-
  fi
  ip link set lo up
}

# The packages' own services must never run: not now, by Debian's rule for what may start while packages are installed,
# and not at the next boot.
need_packages_without_daemons() {
  local rule=/usr/sbin/policy-rc.d made=no package missing=no as_root=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing=yes
  done
  [ $missing = yes ] || return 0
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  if [ ! -e $rule ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $rule >/dev/null
    "${as_root[@]}" chmod +x $rule
    made=yes
  fi
  (need_packages "$@") || { [ $made = no ] || "${as_root[@]}" rm -f $rule; exit 1; }
  [ $made = no ] || "${as_root[@]}" rm -f $rule
  if command -v systemctl >/dev/null; then
    "${as_root[@]}" systemctl --quiet disable rabbitmq-server.service epmd.service epmd.socket 2>/dev/null || true
  fi
}

# Packages of Debian, and those of Python in an environment of the bed's own.
prepare() {
  local wanted=$here/hack/lib/openstack/requirements.txt stamp=$bed/venv/complete
  # shellcheck disable=SC2086
  need_packages_without_daemons $OPENSTACK_PACKAGES
  cmp -s "$wanted" "$stamp" && return 0
  is_up && die "the bed is up with other packages: first hack/openstack down"
  say "installing OpenStack into $bed/venv"
  rm -rf "$bed/venv"
  # They were resolved together.
  need_python "$bed/venv" --no-deps -r "$wanted"
  cp "$wanted" "$stamp"
  told "Python packages"
}
