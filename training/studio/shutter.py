"""Render a scene twice: the product's coverage of each pixel, then the light in linear values."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
import numpy as np

from training.studio.shapes import Thing


def load(size: tuple[int, int], threads: int) -> None:
    """Set up the renderer for pictures of `size` (width, height)."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.exr_codec = "NONE"
    scene.render.hair_type = "STRIP"
    cycles = scene.cycles
    cycles.seed, cycles.use_light_tree = 7, False  # with so few lamps the tree costs a fifth of the time
    cycles.use_adaptive_sampling = True
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 7, 1, 3
    cycles.transmission_bounces, cycles.transparent_max_bounces = 7, 6
    cycles.use_fast_gi, cycles.ao_bounces_render = True, 1
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect, cycles.blur_glossy = 3.0, 0.5


def coverage(product: list[Thing], samples: int) -> np.ndarray:
    """The matte (H, W) float32 in [0, 1]: everything but the product is a hole, and glass counts as opaque."""
    scene, cycles = bpy.context.scene, bpy.context.scene.cycles
    mine = set(product)
    for thing in scene.objects:
        thing.is_holdout = thing not in mine
    bounces, cycles.max_bounces = cycles.max_bounces, 0
    scene.render.film_transparent, scene.render.image_settings.color_mode = True, "RGBA"
    cycles.use_denoising = False
    cycles.samples, cycles.adaptive_min_samples, cycles.adaptive_threshold = samples, 8, 0.005
    sampling, scene.world.cycles.sampling_method = scene.world.cycles.sampling_method, "NONE"
    bpy.context.view_layer.material_override = _white()
    alpha = _expose()[..., 3]
    bpy.context.view_layer.material_override = None
    for thing in scene.objects:
        thing.is_holdout = False
    scene.render.film_transparent, cycles.max_bounces = False, bounces
    scene.world.cycles.sampling_method = sampling
    return alpha.clip(0, 1)


def light(samples: int) -> np.ndarray:
    """The picture (H, W, 3) float32, linear, denoised."""
    scene, cycles = bpy.context.scene, bpy.context.scene.cycles
    scene.render.image_settings.color_mode = "RGB"
    cycles.samples, cycles.adaptive_min_samples, cycles.adaptive_threshold = samples, max(4, samples // 2), 0.03
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_input_passes, cycles.denoising_prefilter = "RGB_ALBEDO_NORMAL", "FAST"
    return _expose()[..., :3]


def _white() -> bpy.types.Material:
    material = bpy.data.materials.new("white")
    material.use_nodes = True
    material.cycles.emission_sampling = "NONE"  # otherwise every surface counts as a lamp
    glow = material.node_tree.nodes.new("ShaderNodeEmission")
    material.node_tree.links.new(glow.outputs[0], material.node_tree.nodes["Material Output"].inputs["Surface"])
    return material


def _expose() -> np.ndarray:
    scene = bpy.context.scene
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = str(Path(folder) / "frame.exr")
        bpy.ops.render.render(write_still=True)
        frame = bpy.data.images.load(scene.render.filepath)
        width, height = frame.size
        pixels = np.empty(width * height * 4, np.float32)
        frame.pixels.foreach_get(pixels)
        bpy.data.images.remove(frame)
    return pixels.reshape(height, width, 4)[::-1]
