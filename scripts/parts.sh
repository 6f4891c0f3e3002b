# What quickstart and test share: where things are, and the tools that they install. Sourced, not run.
#
# Tools go into a folder below Cargo's target folder; only Debian packages go into the system, and only
# where this runs as root.
# shellcheck shell=sh

repository=$(cd "$(dirname "$0")/.." && pwd)
case "${CARGO_TARGET_DIR:=$repository/target}" in
/*) ;;
*) CARGO_TARGET_DIR=$(pwd)/$CARGO_TARGET_DIR ;;
esac
export CARGO_TARGET_DIR
tools=$CARGO_TARGET_DIR/test-tools

fail() {
    printf 'error: %s\n' "$1" >&2
    [ "$#" -lt 2 ] || printf 'help: %s\n' "$2" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# debian COMMAND=PACKAGE…: installs the packages whose command is not here.
debian() {
    missing=''
    for pair in "$@"; do
        has "${pair%%=*}" || missing="$missing ${pair#*=}"
    done
    [ -n "$missing" ] || return 0
    # Whoever downloads needs to know whom to believe; these are only recommended by curl.
    missing="$missing ca-certificates"
    if ! has apt-get || [ "$(id -u)" -ne 0 ]; then
        fail "these are needed and not here:$missing" \
            "install them, or run this as root on Debian, where it installs them itself"
    fi
    printf 'installing Debian packages:%s\n' "$missing"
    mkdir -p "$tools"
    # shellcheck disable=SC2086 # one package is one word
    if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } \
        >"$tools/apt-get.log" 2>&1; then
        tail -n 20 "$tools/apt-get.log" >&2
        fail "apt-get could not install:$missing" "the whole output is in $tools/apt-get.log"
    fi
}

# nushell VERSION: installs it below $tools once, and prints where the program is.
nushell() {
    folder=$tools/nushell-$1
    if [ ! -e "$folder/complete" ]; then
        printf 'installing nushell@%s from npm into %s\n' "$1" "$folder" >&2
        mkdir -p "$folder"
        if ! npm install --silent --no-fund --no-audit --prefix "$folder" "nushell@$1" >"$folder/npm.log" 2>&1; then
            tail -n 20 "$folder/npm.log" >&2
            fail "npm could not install nushell@$1" "the whole output is in $folder/npm.log"
        fi
        : >"$folder/complete"
    fi
    for program in "$folder"/node_modules/@nushell/*/bin/nu "$folder"/node_modules/nushell/node_modules/@nushell/*/bin/nu; do
        if [ -x "$program" ]; then
            printf '%s\n' "$program"
            return 0
        fi
    done
    fail "nushell@$1 has no program for this machine in $folder"
}

# start LOG COMMAND…: starts a server in the background, waits until it says where it listens, and
# leaves its process in $started and its address in $address.
start() {
    log=$1
    shift
    "$@" >"$log" 2>&1 &
    started=$!
    tries=0
    address=''
    while [ -z "$address" ]; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ] || ! kill -0 "$started" 2>/dev/null; then
            cat "$log" >&2
            fail "$1 did not start"
        fi
        sleep 0.1
        address=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' "$log")
    done
}

# stop PROCESS…: ends servers that were started here, and waits for their end.
stop() {
    for process in "$@"; do
        kill "$process" 2>/dev/null || continue
        wait "$process" 2>/dev/null || :
    done
}
