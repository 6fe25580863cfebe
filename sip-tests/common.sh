# What sip-tests/run and sip-tests/load/run have in common; both source this.

say() { printf '\n== %s\n' "$*"; }

fail() {
  printf '%s: %s\n' "$0" "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "root is needed for \"$1\" and there is no sudo; run this as root"
  fi
}

# install PACKAGE…: by Debian names; nothing when there are none
install() {
  local log
  [ $# -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "please install $* (Debian names); there is no apt-get here"
  say "installing $*"
  log=$(mktemp)
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$log" ||
    {
      cat "$log"
      rm -f "$log"
      fail "apt-get could not install $*"
    }
  rm -f "$log"
}
