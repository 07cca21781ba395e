# Functions that the scripts in hack/ share; sourced by bash. They install only what is missing.

build_packages=(
  build-essential pkg-config git
  libgrpc-dev libprotobuf-c-dev libcurl4-openssl-dev liblvm2-dev libblkid-dev uuid-dev libyaml-dev
  protobuf-compiler libprotobuf-dev protobuf-c-compiler
)
run_packages=(e2fsprogs xfsprogs btrfs-progs util-linux kmod)
test_packages=(python3 python3-venv)
python_packages=(grpcio grpcio-tools pytest)

die() { printf '%s\n' "$*" >&2; exit 1; }

require_root() {
  [[ $(id -u) == 0 ]] || die "Stowage mounts file systems and attaches loop devices: run this as root."
}

require_swift() {
  command -v swift >/dev/null || die "The Swift 6.3 tool chain is missing: put its bin directory on PATH."
}

# install_packages PACKAGE...: with apt-get, and only those that are not there.
install_packages() {
  local package missing=()
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  printf 'installing %s\n' "${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# What hack/run needs.
prepare_to_run() {
  require_swift
  install_packages "${build_packages[@]}" "${run_packages[@]}"
}

# What hack/test needs besides: Python with gRPC, in .venv.
prepare_to_test() {
  prepare_to_run
  install_packages "${test_packages[@]}"
  [[ -x .venv/bin/python ]] || python3 -m venv .venv
  .venv/bin/python -c 'import grpc, grpc_tools, pytest' 2>/dev/null \
    || .venv/bin/pip install --quiet --disable-pip-version-check "${python_packages[@]}"
}

# in_venv COMMAND...: with the Python of .venv first on PATH.
in_venv() { PATH="$PWD/.venv/bin:$PATH" "$@"; }
