# Functions that bring a fresh Debian 12 to where the scripts of hack/ can work. Source it; it changes nothing itself.

# What the build links against, and what the driver starts at run time.
BUILD_PACKAGES="libgrpc-dev libprotobuf-c-dev libblkid-dev uuid-dev libyaml-dev liblvm2-dev libdevmapper-dev libcryptsetup-dev libcurl4-openssl-dev"
# Servers of TLS and HTTP/2 for the tests of the HTTP client.
HTTP_TEST_PACKAGES="openssl nghttp2-server"
GENERATE_PACKAGES="protobuf-compiler libprotobuf-dev protobuf-c-compiler"
RUNTIME_PACKAGES="e2fsprogs xfsprogs btrfs-progs util-linux mount"
# The LVM backend and its tests; a guest kernel where this machine's has no device-mapper.
LVM_PACKAGES="lvm2 dmsetup thin-provisioning-tools cryptsetup-bin udev"
GUEST_PACKAGES="user-mode-linux kmod iproute2 procps"
# The OpenStack of the tests. Not mariadb-server: that would bring an account and a service of the system.
OPENSTACK_PACKAGES="mariadb-server-core mariadb-client-core rabbitmq-server iproute2 procps util-linux"

# The Swift test targets that need root: they block threads in the kernel, so they run one test after another.
SYSTEM_TESTS='^(HostTests|FileBackendTests|DriverTests|Conformance)\.'

# Those that need device-mapper as well: hack/guest runs them.
GUEST_TESTS='^DeviceMapperTests\.'

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# Mounts and loop devices are root's.
need_root() {
  [ "$(id -u)" = 0 ] || die "$0 mounts file systems and attaches loop devices: run it as root (sudo $0)"
}

# Installs those of the given Debian packages that are missing; asks nobody.
need_packages() {
  local package missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "please install: ${missing[*]}"
  say "installing ${missing[*]}"
  local sudo=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "please install, as root: apt-get install ${missing[*]}"
    sudo=(sudo)
  fi
  "${sudo[@]}" apt-get -qq update
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# The tool chain: the one in PATH, or where swift.org's archives are usually unpacked to.
need_swift() {
  local place
  command -v swift >/dev/null && return
  for place in /opt/swift/usr/bin /usr/local/swift/usr/bin "$HOME/.local/share/swiftly/bin"; do
    if [ -x "$place/swift" ]; then
      PATH=$place:$PATH
      export PATH
      return
    fi
  done
  die "no Swift tool chain: install Swift 6.2 or later (https://swift.org/install) and put it into PATH"
}

# need_python DIRECTORY PACKAGE...: a virtual environment with these packages, made when it is not there.
need_python() {
  local directory=$1
  shift
  need_packages python3 python3-venv
  [ -x "$directory/bin/python" ] || python3 -m venv "$directory"
  "$directory/bin/python" -m pip --quiet --disable-pip-version-check install "$@"
}

# Loop devices: in the kernel or as a module, with a control node.
need_loop() {
  [ -e /dev/loop-control ] || modprobe loop 2>/dev/null || true
  [ -e /dev/loop-control ] || die "the kernel has no loop devices (/dev/loop-control)"
}

# Whether the kernel here can make thin pools; loads the modules if it has them.
has_device_mapper() {
  modprobe -aq dm_mod dm_thin_pool 2>/dev/null || true
  dmsetup targets 2>/dev/null | grep -q '^thin-pool'
}

# Milliseconds of a clock.
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# built_stowage: builds the release binary with the Swift libraries inside and prints its path.
built_stowage() {
  swift build -c release --static-swift-stdlib --product stowage >&2
  echo "$(swift build -c release --static-swift-stdlib --show-bin-path)/stowage"
}
