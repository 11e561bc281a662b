#!/bin/sh
# Makes this machine and this checkout ready: the Debian packages that are missing, and .venv from the lock file.
#
# May be run as often as you like: it changes nothing when nothing is missing, and takes a fraction of a second then.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*"; }

have() { command -v "$1" > /dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }

# The newest Python named below that is at least 3.11 and can make virtual environments; nothing if there is none.
find_python() {
    for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

missing_packages() {
    have dockerd || echo docker.io
    have redis-server || echo redis-server
    have docker-registry || echo docker-registry
    # The base image is this one file: it has to run without libraries.
    { [ -x /bin/busybox ] && LC_ALL=C ldd /bin/busybox 2>&1 | grep -q 'not a dynamic'; } || echo busybox-static
    have ip || echo iproute2
    have iptables || echo iptables
    have setpriv || echo util-linux
    have git || echo git
    have ssh-keygen || echo openssh-client
    have chromium || echo chromium # drives the console in the tests
    [ -n "$(find_python)" ] || echo python3-venv
}

install_packages() {
    if [ "$(id -u)" != 0 ] || ! have apt-get; then
        say "these are missing and can only be installed by root on Debian:" "$@"
        exit 1
    fi
    say "installing" "$@"
    # Packages must not start daemons of their own (a Redis on 6379, a system dockerd): Debian asks this script.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        trap 'exit 1' INT TERM
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod +x "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -qq -y --no-install-recommends install "$@" > /dev/null
}

missing=$(missing_packages)
# shellcheck disable=SC2086 # one word per package
[ -z "$missing" ] || install_packages $missing

python=$(find_python)
if [ -z "$python" ]; then
    say "no Python 3.11 or newer with the venv module"
    exit 1
fi

wanted=$(cat deploy/bootstrap.lock requirements-dev.lock pyproject.toml | sha256sum)
stamp=.venv/.shipway-setup
if [ "$(cat "$stamp" 2> /dev/null)" = "$wanted" ] && .venv/bin/python -c '' 2> /dev/null; then
    exit 0
fi

.venv/bin/python -c '' 2> /dev/null || "$python" -m venv --clear .venv
say "installing Python packages from the lock file"
export UV_SYSTEM_CERTS=1 # a machine's own certificate authority counts, as it does for pip
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/bootstrap.lock
# Compiled now, once: where Python may not write later, every start of a worker would compile Celery anew.
.venv/bin/uv pip sync --quiet --compile-bytecode --python .venv/bin/python --require-hashes requirements-dev.lock
# Its build tools are in the lock, so nothing unlocked is fetched to build it.
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
echo "$wanted" > "$stamp"
