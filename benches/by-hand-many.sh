#!/usr/bin/env bash
# What a script of a user does for many environment repos: fetch each, find what was deployed in the last half hour, and ask the metric
# server for three signals of each of these services. It says what it found and reverts nothing. `benches/scale` times it next to a pass.
#
#   by-hand-many.sh <directory of bare clones> <address of the metric server>
set -euo pipefail
clones=$1 metrics=$2

for program in git jq curl; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is not installed"
        exit 127
    fi
done

now=$(date +%s)
deployed=0
for clone in "$clones"/*.git; do
    git -C "$clone" fetch --quiet origin '+main:main'
    files=$(git -C "$clone" log --first-parent --since='30 minutes ago' --format= --name-only main -- apps)
    for file in $files; do
        service=${file#apps/}
        service=${service%%/*}
        deployed=$((deployed + 1))
        for signal in errors latency cpu; do
            curl --silent --fail --data-urlencode "query=sum by (app) ($signal{app=\"$service\"})" \
                --data "start=$(((now - 5400) / 60 * 60))&end=$((now / 60 * 60))&step=60" "$metrics/api/v1/query_range" |
                jq --raw-output --arg name "$service $signal" \
                    '.data.result[0].values | "\($name): \(first[1]) before, \(last[1]) now"'
        done
    done
done
echo "deployments: $deployed"
