#!/bin/sh
# Draws the pictures of docs/judging.md from the CSV files beside it: the same files and the same judge give the same
# bytes. From the root of the repo:
#     cargo build --release && BACKOUT=target/release/backout docs/judging/make.sh
set -eu
backout=$(realpath "$(command -v "${BACKOUT:-backout}")")
cd "$(dirname "$0")"

draw() {
    name=$1
    shift
    echo "$name"
    "$backout" judge --series "$name.csv" --deployed-at 2026-11-20T03:12:30Z --at 2026-11-20T03:42:30Z \
        --svg "$name.svg" "$@" >"$name.out" || [ $? -eq 4 ] # 4: it regressed
    sed -n 1p "$name.out"
    rm "$name.out"
}

draw step
draw before
draw recurring
draw noise
draw season
draw controls --service checkout
draw healthy
