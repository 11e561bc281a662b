#!/bin/sh
# Fetches what the tests of deploy/ need: prometheus with promtool, and nginx, into .cache/tools/; into .cache/wheels/
# the Python packages that Shipway's own images are built of.
#
# Nothing is installed: the Debian packages are unpacked into a folder and run from there.
# Does nothing when they are there. Exits 1 when they can't be had.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
target=$root/.cache/tools

wheels=$root/.cache/wheels
wanted=$(sha256sum < "$root/requirements.lock")
if [ "$(cat "$wheels/.of" 2> /dev/null)" != "$wanted" ]; then
    rm -rf "$wheels"
    "$root/.venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
        --only-binary :all: --requirement "$root/requirements.lock" --dest "$wheels"
    echo "$wanted" > "$wheels/.of"
fi

[ ! -x "$target/usr/bin/promtool" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root update
apt-get -qq -o APT::Sandbox::User=root download prometheus nginx
for package in *.deb; do
    dpkg -x "$package" "$work/root"
done
"$work/root/usr/bin/promtool" --version > /dev/null 2>&1 # it must run on this system's libraries

mkdir -p "$(dirname "$target")"
rm -rf "$target"
mv "$work/root" "$target"
