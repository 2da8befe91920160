"""Light: an environment probe or uniform light, and softboxes."""

from __future__ import annotations

import math

import bpy
import numpy as np
from mathutils import Vector

from training.studio.assets import Assets, choose
from training.studio.plan import Colour, Light, Scene
from training.studio.shapes import aim, link
from training.studio.surfaces import linear


def surround(scene: Scene, assets: Assets) -> None:
    """Environment light: a probe scaled to the requested mean radiance, or uniform light.

    With a flat backdrop, the camera and glass see the backdrop's colour instead.
    """
    light, backdrop = scene.light, scene.backdrop
    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    world.use_nodes = True
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 256  # automatic costs 2 CPU-s
    tree = world.node_tree
    background, output = tree.nodes["Background"], tree.nodes["World Output"]
    pick = light.hdri_pick if light.hdri_pick is not None or backdrop.kind != "room" else 0.5
    if pick is None:
        background.inputs["Color"].default_value = (*_tint(light.warmth), 1)
        background.inputs["Strength"].default_value = light.world
    else:
        probe = bpy.data.images.load(str(choose(assets.hdris, pick)))
        pixels = np.empty(probe.size[0] * probe.size[1] * 4, np.float32)
        probe.pixels.foreach_get(pixels)
        mean = float(np.minimum(pixels.reshape(-1, 4)[:, :3].mean(1), 20).mean())
        if backdrop.kind != "room":
            probe.scale(512, 256)  # the probe is invisible: its importance map costs a quarter
        texture = tree.nodes.new("ShaderNodeTexEnvironment")
        texture.image = probe
        turned = tree.nodes.new("ShaderNodeMapping")
        turned.inputs["Rotation"].default_value[2] = math.radians(light.turn_degrees)
        tree.links.new(tree.nodes.new("ShaderNodeTexCoord").outputs["Generated"], turned.inputs["Vector"])
        tree.links.new(turned.outputs[0], texture.inputs["Vector"])
        tree.links.new(texture.outputs["Color"], background.inputs["Color"])
        background.inputs["Strength"].default_value = light.world / max(mean, 1e-3)
    if backdrop.kind == "flat":
        _flat(tree, background, output, backdrop.colour)


def _flat(tree: bpy.types.NodeTree, light: bpy.types.Node, output: bpy.types.Node, colour: Colour) -> None:
    plain, mix, path = (tree.nodes.new(f"ShaderNode{kind}") for kind in ("Background", "MixShader", "LightPath"))
    either = tree.nodes.new("ShaderNodeMath")
    either.operation = "MAXIMUM"
    plain.inputs["Color"].default_value = linear(colour)
    tree.links.new(path.outputs["Is Camera Ray"], either.inputs[0])
    tree.links.new(path.outputs["Is Transmission Ray"], either.inputs[1])
    for source, target in ((either.outputs[0], 0), (light.outputs[0], 1), (plain.outputs[0], 2)):
        tree.links.new(source, mix.inputs[target])
    tree.links.new(mix.outputs[0], output.inputs["Surface"])


def _tint(warmth: float) -> tuple[float, float, float]:
    return (1 + 0.5 * max(0.0, warmth), 1.0, 1 + 0.7 * max(0.0, -warmth))


def softboxes(light: Light, centre: np.ndarray, radius: float) -> None:
    """Area lights round the product: P watts at distance d give a white surface the radiance P / (pi d)^2."""
    for strength, azimuth, elevation, size in light.boxes:
        a, e = math.radians(azimuth - 90), math.radians(elevation)
        distance = 4.5 * radius
        lamp = bpy.data.lights.new("softbox", "AREA")
        lamp.size, lamp.color = size * radius, _tint(light.warmth)
        lamp.energy = strength * (math.pi * distance) ** 2
        thing = link("softbox", lamp)
        way = Vector((math.cos(a) * math.cos(e), math.sin(a) * math.cos(e), math.sin(e)))
        thing.location = Vector(centre) + way * distance
        aim(thing, centre)
        thing.visible_camera = False
