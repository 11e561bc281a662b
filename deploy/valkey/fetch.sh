#!/bin/sh
# Fetches Debian unstable's Valkey into .cache/valkey/: Debian 12 has none. `.cache/valkey/valkey-server` runs it.
#
# Nothing is installed: it is run from its folder, with unstable's own libraries.
# Does nothing when it is there. Exits 1 when it can't be had.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
target=$root/.cache/valkey

[ ! -x "$target/valkey-server" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sh "$root/deploy/unstable.sh" "$work/root" valkey-server valkey-tools libc6 libgcc-s1 libstdc++6 libatomic1 \
    libjemalloc2 liblzf1 libssl3t64 libsystemd0 libcap2 libzstd1
cat > "$work/root/valkey-server" <<'SCRIPT'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
loader=$(echo "$here"/usr/lib/*/ld-linux-*.so.* | cut -d ' ' -f 1)
exec "$loader" --library-path "$(dirname "$loader")" "$here/usr/bin/valkey-server" "$@"
SCRIPT
chmod +x "$work/root/valkey-server"
"$work/root/valkey-server" --version > /dev/null

rm -rf "$target"
mkdir -p "$(dirname "$target")"
mv "$work/root" "$target"
