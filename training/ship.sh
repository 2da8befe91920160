#!/bin/sh
# From a run that has ended to the two networks of the package, with scores and calibrations on their cards:
#   training/ship.sh DATA RUN NAME SIDE        e.g. training/ship.sh DATA runs/second packshot-coarse-2 320
# About ten minutes on two quiet cores. Stops where a gate fails: parity, float16, or eight bits as the default.
set -eu
data=$1 run=$2 name=$3 side=$4
models=src/packshot/models
training=.venv-training/bin/python project=.venv/bin/python

$training -m training.export --run "$run" --out $models --name "$name" --side "$side"
$project -m evaluation --pairs "$data" --model "$models/$name.onnx" \
    --out "$run/report.json" --page "$run/report.html" --sheet "$run/worst.png"
$training -m training.export --run "$run" --out $models --name "$name" --side "$side" --scores "$run/report.json"
$project -m evaluation.confidence --pairs "$data" --model "$models/$name.onnx" --write

small=$name-int8
$training -m training.quantize --data "$data" --run "$run" --out $models --name "$small" --side "$side"
$project -m evaluation --pairs "$data" --model "$models/$small.onnx" --out "$run/report-int8.json"
$training -m training.gate "$run/report.json" "$run/report-int8.json"
$training -m training.quantize --data "$data" --run "$run" --out $models --name "$small" --side "$side" \
    --scores "$run/report-int8.json"
$project -m evaluation.confidence --pairs "$data" --model "$models/$small.onnx" --write
