#!/bin/sh
# Installs the Debian packages that are missing, and nothing else; a second call changes nothing.
#     scripts/install-deps.sh --run            to build and run
#     scripts/install-deps.sh --run --test     ... and to test (adds npm's packages)
#     scripts/install-deps.sh --run --bench    ... and to measure
# As root or with sudo.
set -eu
cd -- "$(dirname -- "$0")/.."

run_packages='gcc libc6-dev make meson ninja-build pkg-config python3 libmicrohttpd-dev
    libjansson-dev libsqlite3-dev libssl-dev libjwt-dev libutf8proc-dev
    libuv1-dev libwslay-dev libpq-dev libmariadb-dev zlib1g-dev'
test_packages='clang lld libclang-rt-14-dev libcmocka-dev sqlite3 postgresql mariadb-server
    ca-certificates redis-server nginx-light haproxy openssl chromium-headless-shell
    fonts-noto-color-emoji'
bench_packages='wrk nginx-light strace'

has_node() {
    command -v npm >/dev/null 2>&1 &&
        node -e 'const [a, b] = process.versions.node.split(".").map(Number);
                 process.exit(a > 18 || (a === 18 && b >= 19) ? 0 : 1)' 2>/dev/null
}

wanted=
npm=no
for set in "$@"; do
    case $set in
    --run) wanted="$wanted $run_packages" ;;
    --test)
        wanted="$wanted $test_packages"
        npm=yes
        has_node || wanted="$wanted nodejs npm"
        ;;
    --bench) wanted="$wanted $bench_packages" ;;
    *)
        echo "install-deps.sh: unknown set '$set' (there are --run, --test and --bench)" >&2
        exit 2
        ;;
    esac
done

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "install-deps.sh knows Debian and Ubuntu only. Install what these are with you:" >&2
    echo $wanted >&2
    exit 1
fi

missing=
for package in $wanted; do
    status=$(dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null) || status=
    # a package of several architectures prints a line for each
    echo "$status" | grep -qx installed || missing="$missing $package"
done

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

if [ -n "$missing" ]; then
    echo "installing:$missing"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 update
    # shellcheck disable=SC2086 # the packages are words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 \
        install --no-install-recommends $missing >/dev/null
fi

# npm's packages: again only when the lock file is another than the one they were made from.
if [ $npm = yes ] && ! cmp -s package-lock.json node_modules/.installed-lock.json; then
    npm ci --loglevel=error
    cp package-lock.json node_modules/.installed-lock.json
fi
