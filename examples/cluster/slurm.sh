#!/bin/sh
# Runs the shards of a plan as a Slurm array and joins them afterwards:  sh slurm.sh plan.json [options of sbatch]
# e.g. sh slurm.sh plan.json --gpus-per-task=1 --time=12:00:00
set -e
plan=$(realpath "$1")
shift
count=$(python3 -c 'import json, sys; print(len(json.load(open(sys.argv[1]))["shards"]))' "$plan")
array=$(sbatch --parsable --job-name=vsr --requeue --array=1-"$count" "$@" --wrap="exec vsr run -q '$plan'")
join=$(sbatch --parsable --job-name=vsr-join --requeue --dependency=afterok:"$array" --wrap="exec vsr join -q '$plan'")
echo "array $array of $count shards, then join $join"
