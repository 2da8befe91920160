"""ONNX Runtime sessions: their settings and their device. The requested device runs, or an error says why not.

The first session loads the runtime, not the import: loading takes as long as all of packshot's other imports.
"""

from __future__ import annotations

import contextlib
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from packshot.core.picture import Float32
from packshot.engine.card import ModelCard
from packshot.errors import BadSettings

if TYPE_CHECKING:
    import onnxruntime as ort

Device = Literal["cpu", "cuda"]
PROVIDERS: dict[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

_PUT_IN_PLACE = "pip uninstall -y onnxruntime && pip install --force-reinstall --no-deps onnxruntime-gpu"
_INSTALL = f"Install it: pip install 'packshot[gpu]' && {_PUT_IN_PLACE}."


@cache
def _runtime() -> Any:
    return import_module("onnxruntime")


@cache
def _runtime_errors() -> tuple[type[Exception], ...]:
    """The exceptions of the runtime for a graph that does not match its card.

    The runtime's exceptions have no common base class, and its Python part raises Python's.
    """
    kinds = vars(import_module("onnxruntime.capi.onnxruntime_pybind11_state")).values()
    own = (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception))
    return (RuntimeError, ValueError, *own)


def open_session(card: ModelCard, path: Path, threads: int = 1, device: Device = "cpu") -> ort.InferenceSession:
    """A session of a graph for all threads: run() releases the GIL and keeps no state.

    Parameters
    ----------
    threads
        Cores for one run on the CPU.
    device
        "cpu" or "cuda". Operators that a GPU lacks run on the CPU next to it; this does not count as a fall-back.

    Raises
    ------
    BadSettings
        The graph cannot be loaded, or the device cannot be used here.
    """
    ort = _runtime()
    if device == "cuda":
        _prepare_cuda()
    providers = list(dict.fromkeys([PROVIDERS[device], PROVIDERS["cpu"]]))
    try:
        # Without this argument, the runtime would print to stdout, which may be the picture, and continue on the CPU.
        session = ort.InferenceSession(str(path), _options(threads), providers=providers, enable_fallback=0)
    except _runtime_errors() as error:
        raise BadSettings(f"The graph {path} cannot be loaded on {device}: {error}", model=card.name) from error
    # Even so, 1.31 still returns a CPU session where CUDA's or the driver's libraries are missing.
    if session.get_providers()[0] != PROVIDERS[device]:
        raise BadSettings(
            "CUDA was requested, but ONNX Runtime could not start it; its own message is above.",
            hint="`nvidia-smi` must show a GPU, and the CUDA and cuDNN libraries that onnxruntime-gpu needs must be "
            "installed: pip install 'onnxruntime-gpu[cuda,cudnn]'. "
            'See "Choose a network, use a GPU" in the documentation.',
            device=device,
        )
    return session


def run_session(session: ort.InferenceSession, card: ModelCard, values: Float32) -> Float32:
    """Output 0 of a graph for its one input. Raises: BadSettings if the graph rejects the input."""
    try:
        (answer,) = session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: values})
    except _runtime_errors() as error:
        raise BadSettings(f"Model {card.name!r} cannot run: {error}", model=card.name) from error
    return np.asarray(answer, np.float32)


def _options(threads: int) -> ort.SessionOptions:
    ort = _runtime()
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_cpu_mem_arena = True
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: warnings of a graph's optimiser do not help a user
    # Spinning threads occupy the cores that codecs and other sessions need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _prepare_cuda() -> None:
    ort = _runtime()
    if PROVIDERS["cuda"] not in ort.get_available_providers():
        message = "CUDA was requested, but the installed ONNX Runtime does not support it."
        raise BadSettings(
            message, hint=f'{_how_to_mend()} See "Choose a network, use a GPU" in the documentation.', device="cuda"
        )
    # NVIDIA's packages are outside the linker's path. The function prints missing libraries, and stdout may be the
    # picture.
    with contextlib.redirect_stdout(sys.stderr):
        ort.preload_dlls()


def _how_to_mend() -> str:
    """The repair command. onnxruntime and onnxruntime-gpu use the same folder, so the last installed one wins."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 60 ms, for a message

    try:
        version("onnxruntime-gpu")
    except PackageNotFoundError:
        return _INSTALL
    return f"onnxruntime was installed over onnxruntime-gpu; reinstall the latter: {_PUT_IN_PLACE}."
