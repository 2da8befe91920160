"""The shared studio of the example pictures: a room, its window, a camera, the shutter and the darkroom.

Run with Blender as a Python module (`pip install bpy==4.5.15 pillow`, Python 3.11). Everything is procedural, so no
third party has rights in the pictures: no scans, no light probes, no photographs.
"""

import argparse
import math
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from PIL import Image, ImageFilter
from shapes import box

EXAMPLES = Path(__file__).resolve().parent.parent
SEED = 7  # of Cycles, of the grain and of every random placement

Build = Callable[[], list[bpy.types.Object]]


def dice() -> random.Random:
    """The scene's seeded random generator: the same picture every time."""
    return random.Random(SEED)  # noqa: S311


def room(size: tuple[float, float, float], wall: bpy.types.Material, floor: bpy.types.Material) -> None:
    """Close a box of `size` metres round the origin, floor at z = 0, so that light bounces as it does indoors."""
    width, depth, height = size
    thick = 0.1
    for sign in (-1, 1):
        box((thick, depth + 2, height), (sign * (width + thick) / 2, 0, height / 2), wall, bevel=0)
        box((width + 2, thick, height), (0, sign * (depth + thick) / 2, height / 2), wall, bevel=0)
    box((width + 2, depth + 2, thick), (0, 0, height + thick / 2), wall, bevel=0)
    box((width + 2, depth + 2, thick), (0, 0, -thick / 2), floor, bevel=0)


def window(
    at: tuple[float, float, float],
    towards: tuple[float, float, float],
    size: tuple[float, float],
    watts: float,
    *,
    tint: tuple[float, float, float] = (0.86, 0.93, 1.0),
    bars: bpy.types.Material | None = None,
) -> None:
    """Hang a window of diffuse daylight; `bars` adds a cross of glazing bars, visible in reflections."""
    light = bpy.data.lights.new("window", "AREA")
    light.shape, (light.size, light.size_y) = "RECTANGLE", size
    light.energy, light.color = watts, tint
    lamp = _add("window", light, at)
    look_at(lamp, towards)
    lamp.visible_camera = False
    if bars is None:
        return
    width, height = size
    frame = [((0.05, height, 0.04), (0, 0, -0.04)), ((width, 0.05, 0.04), (0, height * 0.12, -0.04))]
    frame += [((0.07, height, 0.05), (side * width / 2, 0, -0.04)) for side in (-1, 1)]
    frame += [((width, 0.07, 0.05), (0, side * height / 2, -0.04)) for side in (-1, 1)]
    for extent, offset in frame:
        bar = box(extent, (0, 0, 0), bars, bevel=0.004)
        bar.matrix_world = lamp.matrix_world @ bar.matrix_world
        bar.location = lamp.matrix_world @ Vector(offset)
        bar.visible_camera = False


def sun(direction: tuple[float, float, float], strength: float, *, degrees: float = 1.5) -> None:
    """Add direct sun along `direction`; `degrees` is its apparent width, larger through haze."""
    light = bpy.data.lights.new("sun", "SUN")
    light.energy, light.angle, light.color = strength, math.radians(degrees), (1.0, 0.87, 0.7)
    look_at(_add("sun", light, (0, 0, 0)), direction)


def camera(
    at: tuple[float, float, float],
    towards: tuple[float, float, float],
    *,
    focal_mm: float,
    f_number: float,
    focus_at: tuple[float, float, float] | None = None,
) -> None:
    """Set up a full-frame camera with a seven-bladed lens; it focuses on `focus_at`, or else on its target."""
    data = bpy.data.cameras.new("camera")
    data.lens, data.sensor_width, data.clip_start = focal_mm, 36, 0.01
    data.dof.use_dof, data.dof.aperture_fstop, data.dof.aperture_blades = True, f_number, 7
    data.dof.focus_distance = (Vector(focus_at or towards) - Vector(at)).length
    body = _add("camera", data, at)
    look_at(body, towards)
    bpy.context.scene.camera = body


def look_at(thing: bpy.types.Object, point: tuple[float, float, float]) -> None:
    """Rotate a camera or a lamp, which look along -z, towards `point`."""
    thing.rotation_euler = (Vector(point) - thing.location).to_track_quat("-Z", "Y").to_euler()
    bpy.context.view_layer.update()


def ambient(strength: float, tint: tuple[float, float, float] = (0.9, 0.95, 1.0)) -> None:
    """Set a uniform light that replaces all light after more than one bounce."""
    world = bpy.data.worlds.new("world")
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value, background.inputs["Strength"].default_value = (*tint, 1), strength
    bpy.context.scene.world = world


def shoot(name: str, build: Build, size: tuple[int, int], *, samples: int = 20, exposure: float = 0.0) -> None:
    """Build the scene, render the picture, and save NAME.jpg and truth/NAME.png; `--preview PATH` only saves a sketch.

    `build` returns the objects of the product: the truth is their coverage of each pixel through the same lens.
    """
    arguments = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    arguments.add_argument("--preview", type=Path, help="save a quick small PNG here instead")
    arguments.add_argument("--width", type=int, default=360, help="width of the preview, in pixels")
    arguments.add_argument("--samples", type=int, help="paths per pixel")
    arguments.add_argument("--truth", action="store_true", help="only render the truth again")
    options = arguments.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    product = set(build())
    if options.preview:
        scale = options.width / size[0]
        small = (options.width, round(size[1] * scale))
        _expose(small, options.samples or 16, exposure)
        developed(_render()).save(options.preview)
        return
    _expose(size, options.samples or samples, exposure)
    if not options.truth:
        developed(_render()).save(EXAMPLES / f"{name}.jpg", quality=90, subsampling="4:2:0", optimize=True)
    _coverage(product).save(EXAMPLES / "truth" / f"{name}.png", optimize=True)


def developed(frame: Image.Image) -> Image.Image:
    """Add a camera's effects to a clean render: slight sharpening, vignetting and luminance grain."""
    crisp = frame.filter(ImageFilter.UnsharpMask(radius=1.2, percent=45, threshold=1))
    pixels = np.asarray(crisp, np.float32) / 255
    height, width = pixels.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    pixels *= (1 - 0.05 * (x * x + y * y))[..., None]
    noise = np.random.default_rng(SEED).normal(0, 1, (height, width, 4)).astype(np.float32)
    shared, chroma = noise[..., :1], noise[..., 1:]
    strength = 0.005 + 0.006 * (1 - pixels.mean(-1, keepdims=True))  # shadows are noisier, as on a phone
    pixels += strength * (shared + 0.3 * chroma)
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))


def _expose(size: tuple[int, int], samples: int, exposure: float) -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    cycles = scene.cycles
    cycles.samples, cycles.seed = samples, SEED
    cycles.use_adaptive_sampling, cycles.adaptive_threshold, cycles.adaptive_min_samples = True, 0.05, 8
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 8, 2, 3
    cycles.use_fast_gi, cycles.ao_bounces_render = True, 1  # ambient() replaces later bounces: half the time
    scene.world.light_settings.distance = 0.6
    cycles.transmission_bounces, cycles.transparent_max_bounces = 8, 8
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0  # fireflies
    scene.view_settings.view_transform, scene.view_settings.look = "AgX", "AgX - Medium High Contrast"
    scene.view_settings.exposure = exposure


def _render() -> Image.Image:
    scene = bpy.context.scene
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "frame.png")
        scene.render.image_settings.file_format = "PNG"
        scene.render.image_settings.color_mode = "RGBA" if scene.render.film_transparent else "RGB"
        bpy.ops.render.render(write_still=True)
        with Image.open(scene.render.filepath) as frame:
            return frame.copy()


def _coverage(product: set[bpy.types.Object]) -> Image.Image:
    """Render again with everything else as a holdout: the alpha is the product's share of each pixel."""
    scene = bpy.context.scene
    for thing in scene.objects:
        thing.is_holdout = thing not in product
    scene.render.film_transparent = True
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.cycles.samples, scene.cycles.max_bounces = 64, 0
    opaque = bpy.data.materials.new("opaque")  # glass counts as product: the shop sells the bottle, not its refraction
    opaque.use_nodes = True
    opaque.cycles.emission_sampling = "NONE"  # otherwise every surface counts as a lamp
    glow = opaque.node_tree.nodes.new("ShaderNodeEmission")
    opaque.node_tree.links.new(glow.outputs[0], opaque.node_tree.nodes["Material Output"].inputs["Surface"])
    bpy.context.view_layer.material_override = opaque
    return _render().getchannel("A")


def _add(name: str, data: bpy.types.ID, at: tuple[float, float, float]) -> bpy.types.Object:
    thing = bpy.data.objects.new(name, data)
    bpy.context.collection.objects.link(thing)
    thing.location = at
    return thing
