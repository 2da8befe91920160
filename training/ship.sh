#!/bin/sh
# From a run to the two networks of the package, with scores and calibrations on their cards:
#   training/ship.sh DATA RUN NAME SIDE FOLDER ...   e.g. training/ship.sh DATA runs/p3 packshot-3 384 runs/val/pascal_s runs/composites
# Each FOLDER of pairs is scored. The gate and the calibration pool them all. Stops if a gate fails: parity, float16, or
# eight bits as the default. RUN gets the reports and the sheets of the worst pictures.
# ABOUT=FILE is the text of the cards. FLOAT_ONLY=1 makes only the full network.
set -eu
data=$1 run=$2 name=$3 side=$4
shift 4
models=${MODELS:-src/packshot/models}
about=${ABOUT:-training/configs/packshot-3.card.toml}
training=${TRAINING:-.venv-training/bin/python} project=${PROJECT:-.venv/bin/python}

score() { # model, folders...: sets $reports
  model=$1
  shift
  reports=
  for folder in "$@"; do
    report=$run/$model-$(basename "$folder")
    $project -m evaluation "$folder" --model "$models/$model.onnx" --out "$report.json" --sheet "$report.png"
    reports="$reports $report.json"
  done
}

$training -m training.export --run "$run" --out "$models" --name "$name" --side "$side" --about "$about"
score "$name" "$@"
exact=$reports
$training -m training.export --run "$run" --out "$models" --name "$name" --side "$side" --about "$about" --scores $exact
$project -m evaluation.confidence $exact --model "$models/$name.onnx" --write
test -z "${FLOAT_ONLY:-}" || exit 0

small=$name-int8
$training -m training.quantize --data "$data" --run "$run" --out "$models" --name "$small" --side "$side" --about "$about"
score "$small" "$@"
$training -m training.gate --float $exact --int8 $reports
$training -m training.quantize --data "$data" --run "$run" --out "$models" --name "$small" --side "$side" --about "$about" --scores $reports
$project -m evaluation.confidence $reports --model "$models/$small.onnx" --write
