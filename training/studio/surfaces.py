"""Materials. Each is slightly uneven, because evenness reveals a render, with one or two noises, which cost time."""

from __future__ import annotations

import random

import bpy
import numpy as np

from training.studio.plan import Colour, paint

Socket = bpy.types.NodeSocket
Material = bpy.types.Material


def linear(colour: Colour) -> tuple[float, float, float, float]:
    """sRGB in 0..1 to linear RGBA."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return (red, green, blue, 1.0)


class Surface:
    """A material under construction: each method adds a node and returns the socket to plug in next."""

    def __init__(self) -> None:
        self.material = bpy.data.materials.new("surface")
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.remove(self.tree.nodes["Principled BSDF"])
        self.output = self.tree.nodes["Material Output"]

    def node(self, kind: str, out: int | str = 0, settings: dict | None = None, **inputs: object) -> Socket:
        """Add a node; inputs are sockets or values. Underscores in names mean spaces, `_3` means input number 3."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for name, value in (settings or {}).items():
            setattr(node, name, value)
        self.plug(node, inputs)
        return node.outputs[out]

    def plug(self, node: bpy.types.Node, inputs: dict[str, object]) -> None:
        """Link sockets to the inputs of a node, or set their values; three numbers for a colour are sRGB."""
        for name, value in inputs.items():
            socket = node.inputs[int(name[1:]) if name[0] == "_" else name.replace("_", " ")]
            if isinstance(value, Socket):
                self.tree.links.new(value, socket)
            else:
                socket.default_value = linear(value) if socket.type == "RGBA" else value

    def finish(self, colour: object, rough: object = 0.5, normal: Socket | None = None) -> Material:
        """Finish as a dielectric: a diffuse base under a reflection that grows at grazing angles, or diffuse alone.

        The principled shader would cost twice as much for the whole picture.
        """
        bent = {"Normal": normal} if normal else {}
        base = self.node("BsdfDiffuse", Color=colour, **bent)
        if isinstance(rough, float) and rough >= 0.75:
            return self.close(base)
        gloss = self.node("BsdfGlossy", Color=(1, 1, 1), Roughness=rough, **bent)
        return self.close(self.node("MixShader", _0=self.node("Fresnel", IOR=1.45, **bent), _1=base, _2=gloss))

    def close(self, shader: Socket) -> Material:
        """Connect a shader to the output and return the material."""
        self.tree.links.new(shader, self.output.inputs["Surface"])
        return self.material

    def noise(self, scale: float, detail: float = 2.0, *, stretch: Colour = (1, 1, 1), out: str = "Fac") -> Socket:
        """Noise in object space; `stretch` scales the axes."""
        at = self.node("TexCoord", "Object")
        if stretch != (1, 1, 1):
            at = self.node("Mapping", Vector=at, Scale=stretch)
        return self.node("TexNoise", out, Vector=at, Scale=scale, Detail=detail)

    def between(self, value: Socket, low: float, high: float, to: tuple[float, float] = (0.0, 1.0)) -> Socket:
        """Map low..high to `to`, clamped."""
        return self.node("MapRange", _0=value, _1=low, _2=high, _3=to[0], _4=to[1])

    def blend(self, share: Socket | float, first: object, second: object, how: str = "MIX") -> Socket:
        """Mix the second colour into the first."""
        return self.node("Mix", 2, {"data_type": "RGBA", "blend_type": how}, _0=share, _6=first, _7=second)

    def bump(self, height: Socket, depth: float) -> Socket:
        """Tilt the normal like a relief of `depth` units."""
        return self.node("Bump", Height=height, Distance=depth)

    def picture(self, image: bpy.types.Image, *, scale: float | None = None) -> Socket:
        """An image on the UVs. With `scale` repeats per unit: on object space from above, mirrored at its edges."""
        settings = {"image": image, "extension": "MIRROR" if scale else "EXTEND"}
        if scale is None:
            return self.node("TexImage", 0, settings)
        at = self.node("Mapping", Vector=self.node("TexCoord", "Object"), Scale=(scale, scale, scale))
        return self.node("TexImage", 0, settings, Vector=at)


def image(pixels: np.ndarray) -> bpy.types.Image:
    """Pass uint8 RGB (H, W, 3), top row first, to Blender."""
    height, width = pixels.shape[:2]
    made = bpy.data.images.new("print", width, height)
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = pixels[::-1].astype(np.float32) / 255
    made.pixels.foreach_set(rgba.ravel())
    return made


def shade(colour: Colour, factor: float) -> Colour:
    """Darken or lighten."""
    red, green, blue = (min(1.0, c * factor) for c in colour)
    return (red, green, blue)


def solid(chance: random.Random, tone: Colour | None = None) -> Material:
    """Plastic, glazed or bare clay, lacquer, rubber: one colour, some gloss, uneven."""
    colour = tone or paint(chance)
    rough = chance.choice((0.08, 0.2, 0.35, 0.5, 0.8))
    s = Surface()
    patch = s.noise(chance.uniform(1.5, 6), 3)
    tint = s.blend(s.between(patch, 0.35, 0.7, (0, chance.choice((0.05, 0.15, 0.4)))), colour, shade(colour, 0.75))
    relief = s.bump(s.noise(chance.uniform(8, 90), 2), 0.004) if chance.random() < 0.4 else None
    return s.finish(tint, rough if rough >= 0.75 else s.between(patch, 0.3, 0.7, (rough * 0.7, rough)), relief)


def speckled(chance: random.Random, tone: Colour | None = None) -> Material:
    """Glaze, stone, terrazzo, marble or wood: two colours in a pattern."""
    colour = tone or paint(chance)
    other = shade(colour, chance.uniform(0.6, 0.9)) if tone else paint(chance)
    s = Surface()
    stretch = chance.choice(((1, 1, 1), (1, 1, 8), (8, 8, 0.7), (1, 1, 0.3)))
    edge = chance.uniform(0.40, 0.60)
    share = s.between(
        s.noise(chance.uniform(2, 30), 4, stretch=stretch), edge - 0.05, edge + chance.choice((0.02, 0.2))
    )
    return s.finish(s.blend(share, colour, other), chance.uniform(0.1, 0.9))


def metal(chance: random.Random, tone: Colour | None = None) -> Material:
    """Chrome, steel, gold, copper, black iron or anodised colour, polished or brushed."""
    alloys = [
        (0.95, 0.95, 0.95),
        (0.80, 0.80, 0.82),
        (0.93, 0.78, 0.45),
        (0.90, 0.60, 0.45),
        (0.12, 0.12, 0.13),
        paint(chance),
    ]
    rough = chance.choice((0.03, 0.08, 0.18, 0.3, 0.45))
    s = Surface()
    scratch = s.noise(chance.uniform(4, 20), 3, stretch=chance.choice(((1, 1, 1), (1, 1, 12), (12, 1, 1))))
    colour = tone or chance.choices(alloys, (3, 4, 3, 2, 2, 2))[0]
    uneven = s.between(scratch, 0.3, 0.7, (max(0.02, rough - 0.06), rough + 0.06))
    return s.close(s.node("BsdfGlossy", Color=colour, Roughness=uneven))


def glass(colour: Colour = (1, 1, 1), rough: float = 0.0) -> Material:
    """Glass that lets light through to its shadow; caustics would do this at a hundred times the cost."""
    s = Surface()
    clear = s.node("BsdfGlass", Color=colour, Roughness=rough, IOR=1.45)
    through = s.node("BsdfTransparent", Color=shade(colour, 0.9))
    shadow = s.node("LightPath", "Is Shadow Ray")
    return s.close(s.node("MixShader", _0=shadow, _1=clear, _2=through))


def fabric(chance: random.Random, tone: Colour | None = None, *, threads: float = 90) -> Material:
    """A weave: two crossed waves for relief, plain, striped or checked in colour."""
    colour = tone or paint(chance)
    other = shade(colour, 0.88) if tone else paint(chance)
    s = Surface()
    at = s.node("TexCoord", "UV")
    waves = [s.node("TexWave", 1, {"bands_direction": axis}, Vector=at, Scale=threads, Distortion=1.5) for axis in "XY"]
    height = s.node("Math", 0, {"operation": "MULTIPLY"}, _0=waves[0], _1=waves[1])
    how = chance.choice(("plain", "plain", "X", "Y", "check", "noise"))
    tint: object = colour
    if how in {"X", "Y"}:
        band = s.node("TexWave", 1, {"bands_direction": how}, Vector=at, Scale=chance.uniform(1.5, 8))
        tint = s.blend(s.between(band, 0.45, 0.55), colour, other)
    elif how == "check":
        tint = s.node("TexChecker", Vector=at, Color1=colour, Color2=other, Scale=chance.uniform(6, 30))
    elif how == "noise":
        blotch = s.between(s.node("TexNoise", Vector=at, Scale=chance.uniform(4, 14), Detail=1.0), 0.48, 0.52)
        tint = s.blend(blotch, colour, other)
    tint = s.blend(s.between(height, 0.0, 0.5, (0.3, 0.0)), tint, shade(colour, 0.6), "MULTIPLY")
    return s.finish(tint, 0.9, s.bump(height, 0.004))


def printed(pixels: np.ndarray, *, rough: float = 0.4, foil: bool = False) -> Material:
    """A print on the UVs, on paper or on foil."""
    s = Surface()
    ink = s.picture(image(pixels))
    return s.close(s.node("BsdfGlossy", Color=ink, Roughness=rough)) if foil else s.finish(ink, rough)


def any_solid(chance: random.Random, tone: Colour | None = None) -> Material:
    """A surface for objects of any opaque material."""
    return chance.choices((solid, speckled, metal), (0.6, 0.25, 0.15))[0](chance, tone)
