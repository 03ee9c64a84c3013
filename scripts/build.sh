#!/bin/sh
# Configures (when needed) and builds one variant into build/VARIANT. CONFAB_BUILD_ROOT puts the
# variants elsewhere.
#     scripts/build.sh release|gcc-asan|tsan|fuzz
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
variant=$1
dir=${CONFAB_BUILD_ROOT:-$root/build}/$variant

cc=gcc
# Where it is installed, the linker that takes half as long for the many programs of the tests.
lld=
! command -v ld.lld >/dev/null || lld=-Dc_link_args=-fuse-ld=lld
# Of what sanitizers show, lines (-g1) are enough: quicker to compile and to link.
sanitized="-Doptimization=1 -Ddebug=false -Dc_args=-g1 $lld"
case $variant in
release) options='-Doptimization=2 -Ddebug=true -Dtests=disabled' ;;
gcc-asan) options="$sanitized -Db_sanitize=address,undefined -Dtests=enabled" ;;
tsan)
    cc=clang
    options="$sanitized -Db_sanitize=thread -Dtests=enabled"
    # the unit tests of what has threads
    options="$options -Dsuites=base,crypto,db,http,jobs,live,serve,sync"
    ;;
fuzz)
    cc=clang
    options="$sanitized -Db_sanitize=address,undefined -Dtests=disabled -Dfuzz=true"
    ;;
*)
    echo "build.sh: unknown variant '$variant'" >&2
    exit 2
    ;;
esac

# Meson lists the sources while it configures, so it has to do so again when a file comes or goes.
want=$(
    echo "$cc $options"
    for folder in src tests/unit tests/fuzz; do "$root/scripts/sources.sh" $folder '*.c'; done
    "$root/scripts/sources.sh" migrations '*.sql'
    "$root/scripts/sources.sh" web '*'
    ls "$root/node_modules/swagger-ui-dist/swagger-ui-bundle.js" 2>/dev/null || true
    [ ! -f "$root/src/main.c" ] || echo main.c
)
stamp=$dir/sources.stamp
if [ ! -f "$dir/build.ninja" ]; then
    mkdir -p "$dir"
    # shellcheck disable=SC2086 # the options are words
    CC=$cc meson setup $options "$dir" "$root" >"$dir/setup.log" 2>&1 || {
        cat "$dir/setup.log" >&2
        exit 1
    }
    echo "$want" >"$stamp"
elif [ "$want" != "$(cat "$stamp" 2>/dev/null)" ]; then
    # shellcheck disable=SC2086
    CC=$cc meson setup --reconfigure $options "$dir" "$root" >"$dir/setup.log" 2>&1 || {
        cat "$dir/setup.log" >&2
        exit 1
    }
    echo "$want" >"$stamp"
fi
ninja -C "$dir" --quiet -k 20
