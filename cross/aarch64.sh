#!/usr/bin/env bash
# Builds jamzd and jamzctl for a 64-bit Raspberry Pi OS (Debian 12) on a Debian 12 amd64 machine, in a chroot of its own, so
# that no package of this machine changes. Takes about 15 minutes and 3 GB.   usage: sudo cross/aarch64.sh CHROOT_DIR
#
# Debian's own Rust is used, cargo and rustc together, as it brings a standard library for arm64 (rustup's cannot be mixed
# with it). It comes from bookworm-security; bookworm alone has one that is too old.
set -euo pipefail

if [ $# -ne 1 ] || [ "$(id -u)" != 0 ]; then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi
chroot_dir=$1
here=$(cd "$(dirname "$0")/.." && pwd)
target=aarch64-unknown-linux-gnu

if [ ! -e "$chroot_dir/etc/debian_version" ]; then
    apt-get install -y --no-install-recommends debootstrap
    debootstrap --variant=minbase bookworm "$chroot_dir" http://deb.debian.org/debian
    echo "deb http://deb.debian.org/debian-security bookworm-security main" >>"$chroot_dir/etc/apt/sources.list"
    chroot "$chroot_dir" dpkg --add-architecture arm64
fi
chroot "$chroot_dir" apt-get update
chroot "$chroot_dir" apt-get install -y --no-install-recommends \
    rustc-web cargo-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross \
    build-essential pkgconf:arm64 ca-certificates perl make file \
    libasound2-dev:arm64 libssl-dev:arm64 libopus-dev:arm64

mkdir -p "$chroot_dir/src"
mount --bind "$here" "$chroot_dir/src"
trap 'umount "$chroot_dir/src"' EXIT
chroot "$chroot_dir" env --chdir=/src CARGO_TARGET_DIR=/src/target/cross \
    cargo --config cross/config.toml build --release --locked --target "$target" --no-default-features --features car,ctl
ls -l "$here/target/cross/$target/release/jamzd" "$here/target/cross/$target/release/jamzctl"
