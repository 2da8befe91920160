"""Finds the product in a picture: the network's matte, cleaned up, refined on the picture, within the own alpha."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor, inf

import cv2
import numpy as np

from packshot.core.compose import crop_picture
from packshot.core.confidence import confidence, find_signs
from packshot.core.geometry import Box, Size, network_size
from packshot.core.matte import drop_faint, is_empty, is_flat, network_input, refine
from packshot.core.picture import Float32, Picture, UInt8, to_unit
from packshot.core.plain_ground import find_plain_ground, settle
from packshot.core.postprocess import postprocess
from packshot.core.recipe import Recipe
from packshot.core.resample import enlarged_part, resample, size_of
from packshot.core.touch_up import RIM, apply_to_coarse, clamp, read_touch_up
from packshot.core.transparency import may_show_scene, opaque, own_matte
from packshot.core.unmix import redraw_edges
from packshot.core.values import Region
from packshot.engine.edges import edge_refiner
from packshot.engine.job import Cancellation, MatteResult, Stage, Work, decode_auxiliary, follow
from packshot.engine.network import Network
from packshot.errors import InvalidOption

OWN_CONFIDENCE = 0.99
"""Confidence of a matte that is the file's own alpha, without the network: a human has already cut this product out."""

WHOLE = 0.8
"""If the network finds at least this share of what a transparent picture shows, the picture's own alpha is used."""

SUSPECTED = 0.3
"""Coarse matte from which a pixel belongs to the box of the second look."""

SURROUNDINGS = 0.15
"""Width of the surroundings for the second look, as a share of the product's longer side."""

WIDEST = 4
"""Largest plane of a second look that strokes widen, in the network's sides. Beyond it, the first look stands."""

KEPT = 0.5
"""Least maximum of both answers' mean for a second look to count."""

MIN_ROI_PX = 32
"""Least side of a region of interest: a smaller one shows a network nothing."""


def find_matte(picture: Picture, network: Network, cancellation: Cancellation | None = None) -> MatteResult:
    """The matte at the picture's size: the file's own alpha where that cuts a product out, else the network's."""
    work = Work(Recipe(), network, cancellation=cancellation)
    work.picture = picture
    return follow(MATTING, work).found


def asks_network(work: Work) -> bool:
    return work.asks


def looks_again(work: Work) -> bool:
    """Whether the network may run twice. A picture whose own alpha is part of the decision is judged as a whole."""
    return work.asks and work.own is None and work.network.card.second_look_from is not None


def is_plain(work: Work) -> bool:
    return work.asks and work.ground is not None


def choose_part(work: Work) -> None:
    """Choose the part of the picture to work on, and check whether its own alpha already cuts the product out.

    Raises: InvalidOption where the region of interest lies outside the picture, or the touch-up cannot be read.
    """
    picture, roi = work.picture, work.recipe.roi
    hints = None
    if work.recipe.touch_up is not None:
        painted = decode_auxiliary("touch_up", work.recipe.touch_up, work.codecs)
        hints = read_touch_up(painted.rgb, picture.size, painted.alpha)
    work.box = Box.full(picture.size) if roi is None else _region(roi, picture.size)
    work.part = picture if roi is None else crop_picture(picture, work.box)
    work.hints = None if hints is None else hints[work.box.slices]
    work.own = own_matte(work.part)
    work.cut_out = work.own is not None and not may_show_scene(work.part)
    work.asks = not work.cut_out


def make_input(work: Work) -> None:
    work.view = opaque(work.part)
    work.rgb = _input(work.view, work.network)
    work.asks = not is_flat(work.rgb)


def predict(work: Work) -> None:
    work.first_answer = work.answer = work.network.predict(work.rgb)


def decide_coarse(work: Work) -> None:
    work.coarse = postprocess(work.answer)


def look_again(work: Work) -> None:
    """Ask the network about the product and its surroundings alone, where they are small. From here on, they are the
    part of the picture to work on, with everything painted as product.

    The mean of both answers counts: the second one sees more detail, the first one more of the scene (decision 0065).
    A second answer that would lose the product does not count.
    """
    around = _surroundings(work)
    if around is None:
        return
    view = crop_picture(work.view, around)
    rgb = _input(view, work.network)
    first = enlarged_part(work.answer, around, work.view.size, _size_of(rgb))
    answer = np.float32(0.5) * (first + work.network.predict(rgb))
    if answer.max() < KEPT:
        return
    part = around if work.hints is None else _with_strokes(around, work.hints)
    if part != around:
        if part.size.longest * max(answer.shape) > WIDEST * work.network.card.input.side_px * around.size.longest:
            return
        answer = _widened(answer, around, work, part)
        view = crop_picture(work.view, part)
        rgb = network_input(view, size_of(answer))
    work.part = view if work.part is work.view else crop_picture(work.part, part)
    work.hints = None if work.hints is None else work.hints[part.slices]
    work.box = part.moved(work.box.left, work.box.top)
    work.view, work.rgb, work.answer, work.coarse = view, rgb, answer, postprocess(answer)


def settle_ground(work: Work) -> None:
    """Use a plain ground, if there is one: restore lost parts and open enclosed ground."""
    work.seen = np.multiply(cv2.merge(list(work.rgb[0])), 255, dtype=np.float32)
    work.ground, work.contested = find_plain_ground(work.seen, work.coarse), None
    if work.ground is not None:
        settled = settle(work.ground, work.seen, work.answer, work.coarse)
        work.coarse, work.contested = settled.coarse, settled.contested


def filter_edges(work: Work) -> None:
    """The guided filter. A human's corrections are applied first, so that their edges follow the picture's edges."""
    if work.hints is not None:
        work.coarse = apply_to_coarse(work.coarse, work.hints)
    work.matte = refine(work.view, work.coarse, work.seen)


def refine_edges(work: Work) -> None:
    """The edge refiner that the network's card names, if it names one."""
    if work.network.card.edges:
        work.matte = edge_refiner(work.network.card.edges).refine(work.view, work.coarse, work.matte)


def unmix_edges(work: Work) -> None:
    assert work.ground is not None  # noqa: S101 - for the type checker: the stage's condition
    work.matte = redraw_edges(work.ground, work.view, work.seen, work.matte)


def clean(work: Work) -> None:
    work.matte = drop_faint(work.matte)


def read_signs(work: Work) -> None:
    work.signs = find_signs(work.first_answer, resample(work.matte, _size_of(work.rgb)), work.seen, work.contested)


def finish_matte(work: Work) -> None:
    """The matte of the whole picture, limited by its alpha. The alpha is the matte unless it may frame a scene."""
    alpha = work.part.alpha
    most = 1.0 if alpha is None else float(alpha.max()) / 255
    if work.own is not None and work.cut_out:
        found = MatteResult(_clamped(work.own, work.hints), OWN_CONFIDENCE, most)
    else:
        found = _by_network(work)
        if alpha is not None:
            found = replace(_within_alpha(work, found, alpha), most=most)
    size = work.picture.size
    if work.box != Box.full(size):
        matte = np.zeros((size.height, size.width), np.float32)
        matte[work.box.slices] = found.matte
        ground = None if found.ground is None else found.ground.placed(work.box, size)
        found = replace(found, matte=matte, ground=ground)
    work.found = found
    for name in ("view", "matte", "own", "hints"):  # up to 15 bytes a pixel that no later stage reads
        work.__dict__.pop(name, None)


MATTING: tuple[Stage, ...] = (
    Stage("part", "matte", choose_part),
    Stage("network input", "matte", make_input, asks_network),
    Stage("network", "matte", predict, asks_network),
    Stage("postprocess", "matte", decide_coarse, asks_network),
    Stage("second look", "matte", look_again, looks_again),
    Stage("plain ground", "matte", settle_ground, asks_network),
    Stage("guided filter", "matte", filter_edges, asks_network),
    Stage("edge refiner", "matte", refine_edges, asks_network),
    Stage("unmixed edges", "matte", unmix_edges, is_plain),
    Stage("residue", "matte", clean, asks_network),
    Stage("signs", "matte", read_signs, asks_network),
    Stage("alpha", "matte", finish_matte),
)
"""The stages from a picture to its matte."""


def _region(roi: Region, size: Size) -> Box:
    box = roi.box(size)
    if min(box.size) < MIN_ROI_PX:
        raise InvalidOption(
            f"roi leaves {box.size} px of a photo of {size} px.",
            hint=f"Give a region of the photo of at least {MIN_ROI_PX} px on each side.",
            field="roi",
        )
    return box


def _input(view: Picture, network: Network) -> Float32:
    rule = network.card.input
    return network_input(view, network_size(view.size, side_px=rule.side_px, multiple=rule.multiple, fit=rule.fit))


def _surroundings(work: Work) -> Box | None:
    """The box around the product, if it is small enough for a second look. Strokes do not change this decision."""
    found = work.coarse >= SUSPECTED
    left, top, width, height = cv2.boundingRect(found.view(np.uint8))
    if not width:
        return None
    size, small, card = work.view.size, size_of(found), work.network.card
    across, down = size.width / small.width, size.height / small.height
    longest = max(width * across, height * down)
    # Beyond twice its size, a picture shows no more detail, and less of the scene.
    margin = max(SURROUNDINGS * longest, (card.input.side_px / 2 - longest) / 2)
    around = Box(
        floor(left * across - margin),
        floor(top * down - margin),
        ceil((left + width) * across + margin),
        ceil((top + height) * down + margin),
    ).within(Box.full(size))
    return around if size.longest >= (card.second_look_from or inf) * around.size.longest else None


def _with_strokes(around: Box, hints: Float32) -> Box:
    """The box around the surroundings and everything painted as product, with room for its rims."""
    left, top, width, height = cv2.boundingRect((hints > 0).view(np.uint8))
    if not width:
        return around
    room = ceil(2 * RIM * max(hints.shape))
    painted = Box(left - room, top - room, left + width + room, top + height + room)
    return around.around(painted.within(Box.full(size_of(hints))))


def _widened(answer: Float32, around: Box, work: Work, part: Box) -> Float32:
    """The answer for a larger part than the surroundings; outside them, the first answer counts.

    The scale stays the same, so that strokes change nothing elsewhere.
    """
    size = part.scaled(around.size, size_of(answer)).size
    wider = enlarged_part(work.answer, part, work.view.size, size)
    inside = around.moved(-part.left, -part.top).scaled(part.size, size).slices
    wider[inside] = enlarged_part(answer, part.moved(-around.left, -around.top), around.size, size)[inside]
    return wider


def _size_of(rgb: Float32) -> Size:
    return Size(rgb.shape[3], rgb.shape[2])


def _by_network(work: Work) -> MatteResult:
    """The result of the earlier stages; an empty matte where the part has a single colour."""
    if not work.asks:
        return MatteResult(_clamped(np.zeros(work.part.rgb.shape[:2], np.float32), work.hints), None)
    sure = confidence(work.signs, work.network.card.confidence)
    ground = None if work.ground is None else work.ground.smooth
    return MatteResult(_clamped(work.matte, work.hints), sure, ground=ground, signs=work.signs)


def _within_alpha(work: Work, found: MatteResult, alpha: UInt8) -> MatteResult:
    """The part's own alpha, unless the network found a product that is only a part of the visible picture."""
    leads = work.own is not None and not _is_part(found.matte, work.own)
    matte = work.own if work.own is not None and leads else np.minimum(found.matte, to_unit(alpha))
    return MatteResult(_clamped(matte, work.hints), found.confidence)


def _clamped(matte: Float32, hints: Float32 | None) -> Float32:
    return matte if hints is None else clamp(matte, hints)


def _is_part(matte: Float32, own: Float32) -> bool:
    """Whether the network found a product that is a part of the visible picture: neither all of it nor nothing."""
    share = float(np.minimum(matte, own).sum()) / float(own.sum())
    return not is_empty(matte) and share < WHOLE
