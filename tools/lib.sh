# Shared by tools/lab, tools/crash, tools/demo and tools/test: what the machine must have, and the build. Sourced, not run.

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
# Debian keeps keepalived and ip where a plain user's PATH does not look.
export PATH="$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin"

talk() { printf '%s\n' "$*" >&2; }
die() {
    talk "${0##*/}: $*"
    exit 1
}

# Commands that a world needs, each with the Debian package that has it; and those that only a world with a quorum, or a
# test, needs.
commands=(
    keepalived:keepalived redis-server:redis-server redis-cli:redis-tools ip:iproute2
    unshare:util-linux nsenter:util-linux mount:mount timeout:coreutils
)
for_quorum=(etcd:etcd-server)
for_tests=("${for_quorum[@]}" strace:strace python3:python3 pip3:python3-pip chromium:chromium)

# Prints the packages whose commands are not here, one a line; also those of the commands named.
missing_packages() {
    local entry
    for entry in "${commands[@]}" "$@"; do
        command -v "${entry%%:*}" >/dev/null || printf '%s\n' "${entry##*:}"
    done | sort -u
}

# Installs what is missing, also of the commands named, where that is allowed: as root, or by sudo on CI. Else says what to
# install.
need_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -eq 0 ] && return
    local -a as_root=()
    if [ "$(id -u)" != 0 ]; then
        if [ "${CI:-}" = true ] && sudo -n true 2>/dev/null; then
            as_root=(sudo -n)
        else
            die "missing here: ${missing[*]}. Install with: apt-get install ${missing[*]}"
        fi
    fi
    command -v apt-get >/dev/null || die "missing here: ${missing[*]} (Debian's names of the packages)"
    talk "installing ${missing[*]}"
    install_packages "${missing[@]}" >&2 || die "apt-get could not install ${missing[*]}"
}

# In a subshell, so that the policy goes however this ends. The packages' own services must not start: exit code
# 101 of policy-rc.d forbids it. Uses `as_root` of its caller.
install_packages() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap '"${as_root[@]}" rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null || exit 1
        "${as_root[@]}" chmod 755 "$policy" || exit 1
    fi
    "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "$@"
)

need_cargo() {
    command -v cargo >/dev/null || die "cargo is missing: install Rust from https://rustup.rs"
}

# Builds the binaries and a tool, the laboratory unless another is named; silent without a terminal unless it fails,
# or takes long.
build() {
    local tool=${1:-lab}
    need_cargo
    [ -x "$target/release/examples/$tool" ] || talk "building rha and tools/$tool: some minutes, this first time"
    local -a quiet=(--quiet)
    [ -t 2 ] && quiet=()
    cargo build --manifest-path "$root/Cargo.toml" --locked --release --bins --example "$tool" "${quiet[@]}" >&2
}

# Can a world be made with these options of unshare?
can_unshare() {
    unshare "$@" --pid --fork --mount-proc mount -t tmpfs lab /run 2>/dev/null
}

# Sets `unshare_command`: how a world's namespaces are made here. Root needs no user namespace, and its
# keepalived gets the real-time priority that it has on a real host. Fails where neither way is allowed.
find_unshare() {
    if [ "$(id -u)" = 0 ] && can_unshare --net --mount; then
        unshare_command=(unshare --net --mount --pid)
    elif can_unshare --user --map-root-user --net --mount; then
        unshare_command=(unshare --user --map-root-user --net --mount --pid)
    elif [ "${CI:-}" = true ] && sudo -n true 2>/dev/null; then
        unshare_command=(sudo -n --preserve-env=PATH env "PATH=$PATH" unshare --net --mount --pid)
    else
        return 1
    fi
}
