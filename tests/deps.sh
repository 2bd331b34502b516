#!/bin/sh
# Installs the Debian packages named that are missing. Asks nothing; uses sudo where not root; does nothing, and needs no network, when all are there.
set -eu
missing=
for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "deps: not root and no sudo; as root run: apt-get install$missing" >&2; exit 2; }
    as_root=sudo
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
install() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1; }
{ $as_root apt-get update -q >"$log" 2>&1 && install; } || { sleep 5; $as_root apt-get update -q >"$log" 2>&1 && install; } || {
    tail -n 20 "$log" >&2
    rm -f "$log"
    exit 2
}
rm -f "$log"
