"""Procedural surfaces. Each has grain, wear or smudges, because an even surface reveals a render."""

from collections.abc import Sequence

import bpy

Socket = bpy.types.NodeSocket
Colour = str  # "#rrggbb", as a colour picker shows it


def linear(colour: Colour) -> tuple[float, float, float, float]:
    """Turn an sRGB hex colour into linear RGBA."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return (*(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels), 1.0)


class Surface:
    """A material under construction: each method adds nodes and returns the socket to plug in next."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.shader = self.tree.nodes["Principled BSDF"]

    def node(self, kind: str, out: int | str = 0, settings: dict | None = None, **inputs: object) -> Socket:
        """Add a node; inputs are sockets to link or values to set, underscores standing for spaces."""
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for name, value in (settings or {}).items():
            setattr(node, name, value)
        self._plug(node, inputs)
        return node.outputs[out]

    def finish(self, **inputs: object) -> bpy.types.Material:
        """Plug `inputs` into the principled shader and return the material."""
        self._plug(self.shader, inputs)
        return self.material

    def _plug(self, node: bpy.types.Node, inputs: dict[str, object]) -> None:
        for name, value in inputs.items():
            socket = node.inputs[name.replace("_", " ")]
            if isinstance(value, Socket):
                self.tree.links.new(value, socket)
            else:
                socket.default_value = linear(value) if isinstance(value, str) else value

    def place(self, scale: Sequence[float] = (1, 1, 1), *, vary: bool = False) -> Socket:
        """Give object coordinates times `scale`; `vary` moves each object to another part of the pattern."""
        at = self.node("TexCoord", "Object")
        if vary:
            away = self.math("MULTIPLY", self.node("ObjectInfo", "Random"), 97.0)
            at = (
                self.node("VectorMath", settings={"operation": "ADD"}, Vector=at)
                if away is None
                else self._add(at, away)
            )
        return self.node("Mapping", Vector=at, Scale=tuple(scale))

    def _add(self, vector: Socket, value: Socket) -> Socket:
        node = self.tree.nodes.new("ShaderNodeVectorMath")
        self.tree.links.new(vector, node.inputs[0])
        self.tree.links.new(value, node.inputs[1])
        return node.outputs[0]

    def noise(self, at: Socket, scale: float, *, detail: float = 4, roughness: float = 0.55, warp: float = 0) -> Socket:
        return self.node("TexNoise", Vector=at, Scale=scale, Detail=detail, Roughness=roughness, Distortion=warp)

    def math(self, operation: str, a: Socket | float, b: Socket | float = 0.0) -> Socket:
        node = self.tree.nodes.new("ShaderNodeMath")
        node.operation = operation
        for socket, value in zip(node.inputs, (a, b), strict=False):
            if isinstance(value, Socket):
                self.tree.links.new(value, socket)
            else:
                socket.default_value = value
        return node.outputs[0]

    def between(self, value: Socket, low: float, high: float, to: tuple[float, float] = (0, 1)) -> Socket:
        """Map low..high smoothly to `to`, clamped."""
        node = self.tree.nodes.new("ShaderNodeMapRange")
        node.interpolation_type = "SMOOTHSTEP"
        self.tree.links.new(value, node.inputs[0])
        for socket, number in zip(node.inputs[1:5], (low, high, *to), strict=True):
            socket.default_value = number
        return node.outputs[0]

    def ramp(self, value: Socket, stops: Sequence[tuple[float, Colour]]) -> Socket:
        node = self.tree.nodes.new("ShaderNodeValToRGB")
        self.tree.links.new(value, node.inputs[0])
        elements = node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, colour) in zip(elements, stops, strict=True):
            element.position, element.color = position, linear(colour)
        return node.outputs[0]

    def blend(self, share: Socket | float, a: Socket | Colour, b: Socket | Colour, how: str = "MIX") -> Socket:
        """Mix colour `b` into `a`."""
        node = self.tree.nodes.new("ShaderNodeMix")
        node.data_type, node.blend_type = "RGBA", how
        for socket, value in ((node.inputs[0], share), (node.inputs[6], a), (node.inputs[7], b)):
            if isinstance(value, Socket):
                self.tree.links.new(value, socket)
            else:
                socket.default_value = linear(value) if isinstance(value, str) else value
        return node.outputs[2]

    def bump(self, height: Socket, depth: float, *, strength: float = 1.0, over: Socket | None = None) -> Socket:
        """Tilt the normal as relief of `depth` metres would; `over` stacks it on another bump."""
        inputs = {"Height": height, "Strength": strength, "Distance": depth}
        return self.node("Bump", **inputs, **({"Normal": over} if over else {}))


def wood(
    name: str, dark: Colour, mid: Colour, light: Colour, *, sheen: float = 0.42, rings: float = 14
) -> bpy.types.Material:
    """Sawn wood with its grain along x: growth rings cut lengthwise, fibres and open pores; each board differs."""
    s = Surface(name)
    contour = s.noise(s.place((0.5, 8, 8), vary=True), 1.0, detail=2, roughness=0.45, warp=0.3)
    ring = s.math("PINGPONG", s.math("MULTIPLY", contour, rings), 0.5)
    fibre = s.noise(s.place((5, 240, 240), vary=True), 1.0, detail=3, roughness=0.65)
    pore = s.between(s.noise(s.place((22, 900, 900), vary=True), 1.0, detail=1), 0.60, 0.72)
    tone = s.math("ADD", s.math("MULTIPLY", ring, 0.6), s.math("MULTIPLY", fibre, 0.7))
    colour = s.ramp(tone, [(0.15, dark), (0.44, mid), (0.78, light)])
    board = s.between(s.node("ObjectInfo", "Random"), 0, 1, (0.0, 0.22))
    colour = s.blend(board, colour, dark)
    colour = s.blend(s.math("MULTIPLY", pore, 0.45), colour, dark)
    smudge = s.noise(s.place((1, 1, 1), vary=True), 9, detail=3)
    rough = s.math("ADD", s.between(smudge, 0.3, 0.7, (sheen - 0.07, sheen + 0.10)), s.math("MULTIPLY", pore, 0.2))
    relief = s.math("SUBTRACT", s.math("MULTIPLY", fibre, 0.6), pore)
    return s.finish(Base_Color=colour, Roughness=rough, Normal=s.bump(relief, 0.00012))


def plaster(name: str, colour: Colour, *, depth: float = 0.0006) -> bpy.types.Material:
    """A painted wall: roller texture, and patches that age differently."""
    s = Surface(name)
    at = s.place()
    patch = s.between(s.noise(at, 2.3, detail=6), 0.3, 0.75, (0.0, 0.12))
    relief = s.noise(at, 260, detail=3)
    dents = s.noise(at, 14, detail=3)
    bump = s.bump(relief, depth, over=s.bump(dents, depth * 4, strength=0.5))
    return s.finish(Base_Color=s.blend(patch, colour, "#8a8176"), Roughness=0.85, Normal=bump)


def plain(
    name: str, colour: Colour, roughness: float = 0.5, *, metal: float = 0.0, smudge: float = 0.08, coat: float = 0.0
):
    """Paint, plastic or metal, with the uneven gloss of something that has been handled."""
    s = Surface(name)
    at = s.place()
    wiped = s.noise(at, 55, detail=6, roughness=0.7, warp=1.2)
    rough = s.between(wiped, 0.3, 0.75, (max(0.02, roughness - smudge), roughness + smudge))
    tint = s.blend(s.between(s.noise(at, 30, detail=4), 0.35, 0.7, (0.0, 0.06)), colour, "#3a3632")
    orange_peel = s.bump(s.noise(at, 420, detail=2), 0.00002)
    return s.finish(Base_Color=tint, Roughness=rough, Metallic=metal, Coat_Weight=coat, Normal=orange_peel)


def cloth(name: str, colour: Colour, shade: Colour, *, threads_per_m: float = 1400) -> bpy.types.Material:
    """A plain weave with slubs: two crossed waves, thicker and thinner threads, a little fuzz at grazing angles."""
    s = Surface(name)
    at = s.place(vary=True)
    bent = s._add(at, s.math("MULTIPLY", s.noise(at, 9, detail=2), 0.004))
    xyz = s.tree.nodes.new("ShaderNodeSeparateXYZ")
    s.tree.links.new(bent, xyz.inputs[0])
    waves = [s.math("SINE", s.math("MULTIPLY", axis, threads_per_m * 3.1416)) for axis in xyz.outputs]
    weave = s.math("MAXIMUM", s.math("MULTIPLY", waves[0], waves[0]), s.math("MULTIPLY", waves[1], waves[2]))
    slub = s.noise(s.place((0.15, 1, 1)), 260, detail=3)
    height = s.math("ADD", s.math("MULTIPLY", weave, 0.7), s.math("MULTIPLY", slub, 0.6))
    tone = s.blend(s.between(height, 0.2, 1.1), shade, colour)
    tone = s.blend(s.between(s.noise(at, 3, detail=5), 0.3, 0.75, (0, 0.25)), tone, shade)
    return s.finish(Base_Color=tone, Roughness=0.9, Sheen_Weight=0.25, Normal=s.bump(height, 0.0005))
