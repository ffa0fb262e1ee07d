#!/bin/sh
# Installs what is missing and nothing else. Usage: setup.sh build|test [torture|lighthouse]
#
# Cargo cannot do this: it needs a linker before it can build the first line. System packages come
# from apt, as root or through sudo; anyone else is told the one line to run.
set -eu
cd "$(dirname "$0")/.."

purpose=${1:-build}

say() { printf '==> %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

postgres_found() {
  if [ -n "${PG_BIN_DIR:-}" ]; then
    [ -x "$PG_BIN_DIR/initdb" ] && [ -x "$PG_BIN_DIR/postgres" ]
    return
  fi
  if has pg_config && [ -x "$(pg_config --bindir)/initdb" ]; then return 0; fi
  for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin; do
    if [ -x "$dir/initdb" ]; then return 0; fi
  done
  has initdb
}

# Debian 12 names its version; elsewhere it is whatever the system has, 14 or later.
postgres_package() {
  if grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release; then echo postgresql-15; else echo postgresql; fi
}

chromium_found() { [ -x "${CHROMIUM:-/usr/bin/chromium}" ]; }

# Debian's python3 comes without what makes a virtual environment whole.
python_found() { has python3 && python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

# Clocks that can be set, for the torture.
faketime_found() {
  for lib in /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1 /usr/lib64/faketime/libfaketimeMT.so.1; do
    if [ -e "$lib" ]; then return 0; fi
  done
  false
}

apt_install() {
  if ! has apt-get; then
    fail "missing: $*. Install them with your system's package manager, then run this again."
  fi
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    if has sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
      as_root=sudo
    else
      fail "missing: $*. As root, run: apt-get install --no-install-recommends -y $*"
    fi
  fi
  say "Installing $*"
  if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y "$@" </dev/null >/dev/null 2>&1; then
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y "$@" </dev/null >/dev/null
  fi
}

npm_install() {
  # The stamp is newer than the list of packages once they are installed.
  if [ ! -e "$1/node_modules/.installed" ] || [ "$1/package-lock.json" -nt "$1/node_modules/.installed" ]; then
    say "Installing the pinned npm packages of $1"
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm_config_update_notifier=false \
      npm ci --prefix "$1" --no-audit --no-fund --loglevel=error </dev/null
    touch "$1/node_modules/.installed"
  fi
}

pip_install() {
  if [ ! -e target/python/.installed ] || [ "$1" -nt target/python/.installed ]; then
    say "Installing the pinned Python packages of $1"
    rm -rf target/python
    python3 -m venv target/python
    target/python/bin/python -m pip install --quiet --disable-pip-version-check --requirement "$1" </dev/null
    touch target/python/.installed
  fi
}

has cargo || fail "Rust is missing: install it with rustup (https://rustup.rs), then run this again."
has node && has npm || fail "Node.js 18 or later is missing: apt-get install nodejs npm"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ] || fail "Node.js 18 or later is needed; this is $(node --version)."

missing=
if ! has cc || ! printf '#include <stdlib.h>\n' | cc -E - >/dev/null 2>&1; then missing="$missing gcc libc6-dev"; fi
if ! postgres_found; then missing="$missing $(postgres_package)"; fi
if [ "$purpose" = test ] && ! chromium_found; then missing="$missing chromium"; fi
if [ "$purpose" = test ] && ! python_found; then missing="$missing python3 python3-venv"; fi
if [ "${2:-}" = torture ] && ! faketime_found; then missing="$missing libfaketime"; fi
# shellcheck disable=SC2086 # a list of words
if [ -n "$missing" ]; then apt_install $missing; fi
# The tests go without their shortened torture where it can't be had.
if [ "$purpose" = test ] && [ "${2:-}" != torture ] && ! faketime_found; then
  (apt_install libfaketime) || say "Going on without libfaketime, and so without the torture"
fi

# The toolchain file names the version and the target; rustup fetches both at the first use.
if ! cargo --version >/dev/null 2>&1; then
  say "Installing the Rust toolchain"
  rustup toolchain install || fail "the Rust toolchain of rust-toolchain.toml could not be installed."
fi
if [ ! -d "$(rustc --print target-libdir --target wasm32-unknown-unknown)" ]; then
  say "Installing the WebAssembly target"
  has rustup || fail "the Rust target wasm32-unknown-unknown is missing and there is no rustup to add it."
  rustup target add wasm32-unknown-unknown || fail "rustup could not add the target wasm32-unknown-unknown."
fi

npm_install xtask
if [ "$purpose" = test ]; then
  npm_install end2end
  pip_install end2end/requirements.txt
fi
if [ "${2:-}" = lighthouse ]; then npm_install end2end/lighthouse; fi
