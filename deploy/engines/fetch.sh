#!/bin/sh
# Fetches the current Docker Engine of Debian unstable beside the installed one, into .cache/engine28/.
#
# Nothing is installed: the packages are unpacked into a folder and run from there (with this machine's runc).
# Does nothing when the engine is there; `--force` fetches it again. Exits 1 when it can't be had.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
target=$root/.cache/engine28

say() { echo "engine 28: $*"; }

if [ -x "$target/usr/sbin/dockerd" ] && [ "${1:-}" != --force ]; then
    say "$("$target/usr/sbin/dockerd" --version) (already fetched)"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sh "$root/deploy/unstable.sh" "$work/root" docker.io docker-cli docker-buildx docker-compose containerd
"$work/root/usr/sbin/dockerd" --version > /dev/null # it must run on this system's libraries

rm -rf "$target"
mkdir -p "$(dirname "$target")"
mv "$work/root" "$target"
say "$("$target/usr/sbin/dockerd" --version)"
