# SPDX-License-Identifier: MIT
"""Choose the runtime that loads a network."""

from importlib.util import find_spec
from pathlib import Path

from whispersign_model.decoding.backend import Backend
from whispersign_model.errors import CheckpointError
from whispersign_model.network.checkpoint import checkpoint_files, read_metadata
from whispersign_model.network.onnx_file import SUFFIX

EXPORTED = f"model{SUFFIX}"  # name of the exported network in a checkpoint's folder


def load_backend(path: Path, device: str = "auto", threads: int = 1) -> Backend:
    """Load a network for recognition: with ONNX Runtime if it was exported, else with PyTorch.

    Args:
        path: an exported network, or the folder or weights file of a checkpoint. If the folder also
            holds the same network as ``model.onnx``, that file is loaded instead.
        device: auto, cpu or cuda. Without a GPU, cuda falls back to cpu and sets ``notice``.
        threads: number of CPU threads; 1 leaves the other cores to the robot.

    Raises:
        CheckpointError: the network cannot be loaded.
        ConfigError: the device is unknown.
    """
    exported = path if path.suffix == SUFFIX else exported_beside(path)
    if exported is not None:
        try:
            from whispersign_model.runtime.onnx_backend import OnnxBackend
        except ModuleNotFoundError as error:
            raise CheckpointError(
                exported, f"needs the Python package '{error.name}', which is missing", "install it"
            ) from error
        return OnnxBackend(exported, device, threads)
    if find_spec("torch") is None:
        raise CheckpointError(
            path,
            f"holds no {EXPORTED} made from its weights, and PyTorch is not installed",
            f"create it on a machine with PyTorch: whispersign export {path} --out "
            f"{path}/{EXPORTED}",
        )
    from whispersign_model.runtime.torch_backend import load_torch_backend

    return load_torch_backend(path, device, threads)


def exported_beside(path: Path) -> Path | None:
    """Return the exported network in a checkpoint's folder if it has the same weights.

    Raises:
        CheckpointError: the checkpoint or the exported network is damaged.
    """
    exported = checkpoint_files(path)[0].parent / EXPORTED
    if not exported.exists():
        return None
    same = read_metadata(exported).weights_sha256 == read_metadata(path).weights_sha256
    return exported if same else None
