#!/usr/bin/env bash
# What a person does for one service: has it been deployed in the last half hour, which version, and is it healthy?
# `benches/pass` times this next to a pass for all services.
#
#   by-hand.sh <clone> <path of its values.yaml> <service> <address of the metric server>
set -euo pipefail
clone=$1 path=$2 service=$3 metrics=$4

for program in git yq jq curl; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is not installed"
        exit 127
    fi
done

git -C "$clone" fetch --quiet origin '+main:main'
commit=$(git -C "$clone" log --first-parent --since='30 minutes ago' --max-count=1 --format='%H' main -- "$path")
if [ -z "$commit" ]; then
    echo "$service: no deployment"
    exit 0
fi
# mikefarah's yq and the one that wraps jq understand the same here.
new=$(git -C "$clone" show "$commit:$path" | yq -r '.image.tag')
old=$(git -C "$clone" show "$commit^:$path" | yq -r '.image.tag')
echo "$service: $old -> $new"

deployed=$(git -C "$clone" show --no-patch --format='%ct' "$commit")
start=$(((deployed - 3600) / 60 * 60))
end=$(($(date +%s) / 60 * 60))
for signal in errors latency cpu; do
    curl --silent --fail --data-urlencode "query=sum by (app) ($signal{app=\"$service\"})" \
        --data "start=$start&end=$end&step=60" "$metrics/api/v1/query_range" |
        jq --raw-output --arg signal "$signal" --argjson at "$deployed" '
            def mean: if length == 0 then null else add / length end;
            .data.result[0].values
            | [ (map(select(.[0] <= $at) | .[1] | tonumber) | mean),
                (map(select(.[0] > $at) | .[1] | tonumber) | mean) ]
            | "\($signal): \(.[0]) before, \(.[1]) since"'
done
