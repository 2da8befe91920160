# ruff: noqa: E402 - what is skipped without torch is imported after the question whether it is there
from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training has an environment of its own: see training/README.md")

from training.losses import detail_loss, edge_weight, structure_loss, total_loss
from training.network import CoarseNetwork


@pytest.mark.parametrize("shape", [(64, 64), (96, 32), (32, 160)])
def test_the_matte_has_the_size_of_the_picture_and_sides_follow(shape: tuple[int, int]) -> None:
    network = CoarseNetwork().eval()
    with torch.no_grad():
        matte, *sides = network(torch.rand(1, 3, *shape))
    assert matte.shape == (1, 1, *shape)
    assert [side.shape[-1] for side in sides] == sorted((side.shape[-1] for side in sides), reverse=True)
    assert torch.isfinite(matte).all()


def test_every_parameter_learns() -> None:
    network = CoarseNetwork()
    target = torch.zeros(2, 1, 64, 64)
    target[..., 16:48, 16:48] = 1
    total_loss(network(torch.rand(2, 3, 64, 64)), target, torch.ones(2, dtype=torch.bool), detail=True).backward()
    assert [name for name, value in network.named_parameters() if value.grad is None] == []


def test_losses_are_least_where_the_matte_is_right() -> None:
    target = torch.zeros(1, 1, 64, 64)
    target[..., 16:48, 16:48] = 1
    sure = 20 * (2 * target - 1)
    weight = edge_weight(target)
    for logits in (torch.zeros_like(sure), -sure, sure.roll(4, -1), torch.full_like(sure, 20.0)):
        assert structure_loss(sure, target, weight) < structure_loss(logits, target, weight)
        assert detail_loss(torch.sigmoid(sure), target) < detail_loss(torch.sigmoid(logits), target)


def test_pixels_near_an_edge_count_up_to_six_times() -> None:
    target = torch.zeros(1, 1, 96, 96)
    target[..., 48:] = 1
    weight = edge_weight(target)
    assert weight.min() >= 1
    assert weight.max() <= 6
    assert weight[0, 0, 48, 48] > 3 > weight[0, 0, 48, 0]
