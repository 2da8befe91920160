#!/bin/sh
# Train on a GPU machine that is borrowed for minutes: torch, OpenCV and Pillow are there, nothing else can be installed.
#   training/gpu.sh keep FOLDER             copies the files of a call (zips, pairs.csv, scenes.zip, a .pth) to $KEPT
#   training/gpu.sh train OUT MINUTES [...]  decodes on all cores, trains, writes average.pt and log.jsonl to OUT
# Further options go to training.train, such as --init FILE. A call carries 64 MB, so the data arrives in pieces:
#   1. pairs.csv duts-00.zip   2. duts-01.zip   3. duts-02.zip   4. duts-03.zip other-00.zip white-00.zip cutouts-0*.zip
#   5. backgrounds-00.zip rooms-00.zip validation-00.zip scenes.zip   6. the backbone's .pth, with `train`
# scenes.zip holds im/ and gt/ of the studio; without it that share is skipped. CONFIG names another configuration.
# Rehearse on a CPU:  KEPT=/tmp/kept CONFIG=training/configs/packshot-3.toml training/gpu.sh train /tmp/out 2 --batch 4
set -eu
kept=${KEPT:-/tmp/packshot-data} config=${CONFIG:-training/configs/gpu.toml} python=${PYTHON:-python3}
mkdir -p "$kept"
case ${1:-} in
keep)
  cp "$2"/* "$kept"/
  ls -l "$kept"
  ;;
train)
  out=$2 minutes=$3
  shift 3
  if [ -f "$kept/scenes.zip" ] && [ ! -d "$kept/scenes" ]; then
    "$python" -c "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])" "$kept/scenes.zip" "$kept/scenes"
  fi
  [ -d "$kept/scenes" ] && set -- --studio "$kept/scenes" "$@"
  weights=$(ls "$kept"/*.pth 2>/dev/null | head -n 1)
  [ -n "$weights" ] && set -- --weights "$weights" "$@"
  mkdir -p "$out"
  # Validation runs once, at the end. A checkpoint exists at any time, so that an aborted run is not lost.
  PYTHONPATH=src:. "$python" -u -m training.train "$config" --data "$kept" --run "$kept/runs/gpu" --minutes "$minutes" \
    --save-every-s 60 --validate-every-s 100000 --copy-to "$out" "$@"
  ;;
*)
  sed -n '2,10p' "$0"
  exit 2
  ;;
esac
