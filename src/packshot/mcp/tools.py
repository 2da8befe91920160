"""The tools that an agent can call: their names, arguments and work. Independent of the protocol."""

from __future__ import annotations

import difflib
import io
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from packshot.batch.printable import printable
from packshot.batch.process import made, shared_network
from packshot.batch.review import Review
from packshot.batch.review.photos import Shown, described
from packshot.core.codecs.formats import BY_SUFFIX, FORMATS
from packshot.core.codecs.software import PACKSHOT
from packshot.core.options import OPTIONS, Option, Options
from packshot.core.recipe import Recipe
from packshot.core.rules import Report
from packshot.engine.job import Cancellation, make_job
from packshot.engine.judging import check_all
from packshot.engine.network import Network
from packshot.engine.pipeline import run_all
from packshot.engine.presets import Preset, find_preset, preset_names, recipes_for
from packshot.engine.result import Result
from packshot.errors import FileMissing, InvalidOption, StorageRefused
from packshot.mcp.folders import Folders, check_target, write
from packshot.storage.blocking import open_storage

PREVIEW_PX = 512
_BEHIND = (190, 190, 190)
"""Background of a cutout's preview, as RGB: white and dark products are both visible on it."""
_LISTED = 20

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """The result of a call. facts: JSON values. previews: JPEG files."""

    facts: Json
    previews: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Call:
    """One call of a tool. arguments: the given ones, without nulls."""

    arguments: Mapping[str, Any]
    folders: Folders
    cancellation: Cancellation
    model: str | None = None
    device: Literal["cpu", "cuda"] = "cpu"

    def text(self, name: str) -> str:
        return str(self.arguments.get(name, ""))

    def path(self, name: str) -> Path:
        return self.folders.path(self.text(name))

    def is_on(self, name: str) -> bool:
        return self.arguments.get(name) is True

    def network(self) -> Network:
        """The shared network, loaded by the first call. It uses all processors for one photo."""
        return shared_network(self.model, self.device, os.cpu_count() or 1)


@dataclass(frozen=True)
class Tool:
    """A tool. about: its description for the agent. properties: JSON schemas of the arguments.

    reads_only: whether it never writes a file.
    """

    name: str
    title: str
    about: str
    properties: Mapping[str, Json]
    required: tuple[str, ...]
    work: Callable[[Call], Answer]
    reads_only: bool = False

    @property
    def schema(self) -> Json:
        """The JSON schema of all arguments."""
        return {
            "type": "object",
            "properties": dict(self.properties),
            "required": list(self.required),
            "additionalProperties": False,
        }

    def check(self, arguments: Mapping[str, Any]) -> Json:
        """Check names and types, and drop nulls. Options.from_fields checks the options' values later.

        Raises: InvalidOption.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        for name, value in given.items():
            if name not in self.properties:
                near = difflib.get_close_matches(name, self.properties, 1)
                hint = f"Did you mean {near[0]}?" if near else f"Allowed: {', '.join(self.properties)}."
                raise InvalidOption(f"{self.name} has no argument {name[:40]!r}.", hint=hint, field=name[:40])
            if name not in OPTIONS and not isinstance(value, _PYTHON[self.properties[name]["type"]]):
                kind = self.properties[name]["type"]
                raise InvalidOption(f"{name} is {value!r:.60}.", hint=f"Give a {kind}.", field=name)
        for name in self.required:
            if not given.get(name):
                raise InvalidOption(f"{self.name} needs {name}.", hint=self.properties[name]["description"], field=name)
        return given


_PYTHON = {"string": str, "boolean": bool}
_JSON = {"text": "string", "switch": "boolean", "whole number": "integer", "number": "number", "file": "string"}


def _string(about: str) -> Json:
    return {"type": "string", "description": about}


def _switch(about: str) -> Json:
    return {"type": "boolean", "description": about, "default": False}


def option_schema(option: Option) -> Json:
    """The JSON schema of an option. A file option takes a path."""
    takes = "The path of a picture file." if option.kind == "file" else f"Takes {option.accepts}."
    found: Json = {"type": _JSON[option.kind], "description": f"{option.about} {takes}"}
    if option.choices:
        found["enum"] = list(option.choices)
    elif option.kind == "text":
        found["examples"] = list(option.examples)
    return found


_PHOTO = _string("Path of the photo, in an allowed folder. Relative paths start at the first allowed folder.")
_WRITING = {
    "overwrite": _switch("Replace an existing output. The photo itself is never replaced."),
    "preview": _switch(
        f"Also return a preview of each picture, at most {PREVIEW_PX} px, so that you can see it. Cutouts are on gray."
    ),
}


def _remove_background(call: Call) -> Answer:
    said = call.text("output")
    row = BY_SUFFIX.get(Path(said).suffix.lower()) if said else FORMATS["png"]
    options = Options(form="cutout", format=row.name if row is not None and row.written else None)
    return _make(call, options)


def _make_packshot(call: Call) -> Answer:
    given = {name: value for name, value in call.arguments.items() if name in OPTIONS}
    for name, value in given.items():
        if OPTIONS[name].kind == "file":
            given[name] = call.folders.read(call.folders.path(str(value)))
    options = Options.from_fields(given)
    said = call.text("output")
    row = BY_SUFFIX.get(Path(said).suffix.lower()) if said else None
    if row is not None and row.written and options.format is None:
        options = Options(format=row.name).over(options)
    return _make(call, options)


def _make(call: Call, options: Options) -> Answer:
    """Make the pictures of one photo. Writes them after all are made."""
    photo, recipes, overwrite = call.path("photo"), recipes_for(options), call.is_on("overwrite")
    data = call.folders.read(photo)
    targets = [call.folders.path(str(each)) for each in _targets(call, photo, recipes)]
    for target in targets:
        check_target(target, photo, overwrite=overwrite)
    results = run_all(make_job(data, recipes), call.network(), cancellation=call.cancellation, software=PACKSHOT)
    call.cancellation.check()
    for target, result in zip(targets, results, strict=True):
        write(target, result.data, overwrite=overwrite)
    rows = [_row(target, result) for target, result in zip(targets, results, strict=True)]
    previews = tuple(preview(result) for result in results) if call.is_on("preview") else ()
    return Answer({"photo": str(photo), "pictures": rows}, previews)


def _targets(call: Call, photo: Path, recipes: tuple[Recipe, ...]) -> list[Path]:
    """The output files: the given file, else files in the given folder, else next to the photo."""
    said = call.text("output")
    names = [f"{photo.stem}-{recipe.word or 'cutout'}{FORMATS[recipe.format].suffix}" for recipe in recipes]
    if not said:
        return [photo.parent / name for name in names]
    output = call.folders.path(said)
    if output.is_dir() or not output.suffix:
        return [output / name for name in names]
    if len(recipes) > 1:
        raise InvalidOption(
            f"{len(recipes)} pictures do not fit in one file, {said}.", hint="Give a folder as output.", field="output"
        )
    suffixes = FORMATS[recipes[0].format].suffixes
    if output.suffix.lower() not in suffixes and output.suffix.lower() in BY_SUFFIX:
        raise InvalidOption(
            f"output ends in {output.suffix}, but the picture's format is {recipes[0].format}.",
            hint=f"Use the suffix {suffixes[0]}, or change `format`.",
            field="output",
        )
    return [output]


def _row(target: Path, result: Result) -> Json:
    """The facts of a picture for an agent, without the figures of each rule."""
    row = {"file": str(target), **made(result)}
    row["preset"] = None if result.report is None else report_facts(result.report)
    return row


def report_facts(report: Report) -> Json:
    """A preset's report for an agent, without the figures of each rule."""
    return {
        "name": report.preset,
        "title": report.title,
        "passed": report.passed,
        "checks": [
            {"rule": each.rule, "passed": each.passed, "required": each.required, "message": each.message}
            for each in report.checks
        ],
        "repairs": [str(repair) for repair in report.repairs],
        "look_yourself": list(find_preset(report.preset).hints),
    }


def preview(result: Result) -> bytes:
    """A small JPEG of a picture, at most PREVIEW_PX on its longest side."""
    small = result.image.copy()
    small.thumbnail((PREVIEW_PX, PREVIEW_PX), Image.Resampling.LANCZOS)
    if small.mode == "RGBA":
        ground = Image.new("RGB", small.size, _BEHIND)
        ground.paste(small, mask=small.getchannel("A"))
        small = ground
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85)
    return out.getvalue()


def _check_picture(call: Call) -> Answer:
    picture = call.path("picture")
    job = make_job(call.folders.read(picture), recipes_for(Options(preset=call.text("preset"))))
    reports = check_all(job, call.network(), cancellation=call.cancellation)
    return Answer(
        {
            "picture": str(picture),
            "passed": all(report.passed for report in reports),
            "presets": [report_facts(report) for report in reports],
        }
    )


def _list_presets(call: Call) -> Answer:
    if name := call.text("preset"):
        preset = find_preset(name)
        rules = [{"rule": rule.name, "required": rule.required, "asked": rule.asked} for rule in preset.rules]
        more = {"options": preset.options.given(), "rules": rules, "look_yourself": list(preset.hints)}
        return Answer({**_about(preset), **more})
    return Answer({"presets": [_about(find_preset(each)) for each in preset_names()]})


def _about(preset: Preset) -> Json:
    return {
        "name": preset.name,
        "title": preset.title,
        "about": preset.about,
        "source": preset.source,
        "checked": str(preset.checked),
    }


def _batch_status(call: Call) -> Answer:
    folder = call.path("folder")
    if not folder.exists():
        raise FileMissing(f"The folder {folder} does not exist.", hint="Check the path.")
    if not folder.is_dir():
        raise StorageRefused(f"{folder} is a file.", hint="Give the output folder of `packshot batch`.")
    photos = Review(open_storage(str(folder))).photos()
    open_ones = [shown for shown in photos if shown.states != ("fine",) and not shown.is_decided]
    counts = Counter(state for shown in open_ones for state in shown.states)
    return Answer(
        {
            "folder": str(folder),
            "photos": len(photos),
            "fine": len(photos) - len(open_ones),
            "failed": counts["failed"],
            "break_a_rule": counts["broken"],
            "to_look_at": counts["review"],
            "decided": sum(shown.is_decided for shown in photos),
            "worst_first": [_needs(shown) for shown in open_ones[:_LISTED]],
        }
    )


def _needs(shown: Shown) -> Json:
    """A photo that a person should check, with the reasons."""
    outputs = described(shown)["outputs"]
    reasons = [
        text
        for output in outputs
        for text in (
            *([output["error"]["message"]] if output["error"] else ()),
            *(check["message"] for check in output["checks"] if check["required"]),
            *output["notes"],
        )
    ]
    return {
        "photo": printable(shown.source),
        "states": list(shown.states),
        "confidence": shown.confidence,
        "reasons": list(dict.fromkeys(reasons)),
        "outputs": [output["name"] for output in outputs if output["ok"]],
    }


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            "remove_background",
            "Remove a photo's background",
            "Cuts the product out of a photo, and writes a picture with a transparent background. "
            "`review` true means that a person should check it.",
            {
                "photo": _PHOTO,
                "output": _string("File or folder to write to. Default: PHOTO-cutout.png next to the photo."),
                **_WRITING,
            },
            ("photo",),
            _remove_background,
        ),
        Tool(
            "make_packshot",
            "Make a packshot",
            "Makes a product picture from a photo, with a marketplace's preset or your own options, and writes it as "
            "a file. Several presets make one picture each. The result lists the rules that each picture passes or "
            "fails, repairs, and notes. `review` true means that a person should check it.",
            {
                "photo": _PHOTO,
                "output": _string(
                    "File or folder to write to. A file's suffix sets the format. Default: next to the photo, with "
                    "names such as PHOTO-amazon.jpg."
                ),
                **{name: option_schema(option) for name, option in OPTIONS.items()},
                **_WRITING,
            },
            ("photo",),
            _make_packshot,
        ),
        Tool(
            "check_picture",
            "Check a picture against a marketplace's rules",
            "Checks a finished picture from any source against the rules of one or several presets. Changes nothing.",
            {
                "picture": _string("Path of the picture, in an allowed folder."),
                "preset": _string("Name of a preset, or several names separated by commas."),
            },
            ("picture", "preset"),
            _check_picture,
            reads_only=True,
        ),
        Tool(
            "list_presets",
            "List the presets",
            "Lists the presets of all marketplaces. With a preset's name, shows its rules and options.",
            {"preset": _string("Name of the preset to show. Default: a short list of all.")},
            (),
            _list_presets,
            reads_only=True,
        ),
        Tool(
            "batch_status",
            "Show the status of a batch",
            "Reads the journal of a `packshot batch`: how many photos are made, failed or break a rule, and the "
            f"{_LISTED} photos that need a person most. Works while the batch runs.",
            {"folder": _string("The output folder of the batch (OUT), in an allowed folder.")},
            ("folder",),
            _batch_status,
            reads_only=True,
        ),
    )
}
