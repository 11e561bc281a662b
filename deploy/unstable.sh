#!/bin/sh
# Unpacks packages of Debian unstable into a folder: deploy/unstable.sh FOLDER PACKAGE…
#
# Nothing is installed. Where to fetch from is this machine's own apt configuration with another suite; apt's lists
# stay private. Exits 1 when they can't be had, and then leaves no folder.
set -eu

target=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/parts" "$work/lists/partial" "$work/cache/archives/partial" "$work/root"

# The first Debian source that is not the security one, in either of apt's two formats, moved to unstable.
for file in /etc/apt/sources.list.d/*.sources; do
    [ -s "$file" ] && [ ! -s "$work/parts/unstable.sources" ] || continue
    awk 'BEGIN { RS = ""; ORS = "\n" }
         /Types:[^\n]*deb/ && /debian/ && !/-security/ {
             gsub(/Suites:[^\n]*/, "Suites: unstable"); print; exit }' "$file" > "$work/parts/unstable.sources"
done
if [ ! -s "$work/parts/unstable.sources" ]; then
    rm -f "$work/parts/unstable.sources"
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2> /dev/null |
        awk '/^deb[ \t]/ && /debian/ && !/-security/ {
                 for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { $(i + 1) = "unstable"; print; exit } }' \
            > "$work/parts/unstable.list"
    if [ ! -s "$work/parts/unstable.list" ]; then
        echo "unstable: this machine has no Debian source to fetch from"
        exit 1
    fi
fi

# An empty status file: what is installed here must not win over what unstable has.
: > "$work/status"
apt() {
    apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/parts" \
        -o Dir::Etc::preferencesparts=/dev/null -o Dir::State::status="$work/status" \
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" \
        -o Acquire::Languages=none -o APT::Sandbox::User=root "$@"
}

if ! { apt update && (cd "$work" && apt download "$@"); }; then
    echo "unstable: $* could not be fetched"
    exit 1
fi
for package in "$work"/*.deb; do
    dpkg -x "$package" "$work/root"
done

rm -rf "$target"
mkdir -p "$(dirname "$target")"
mv "$work/root" "$target"
