# SPDX-License-Identifier: MIT
"""Read the weights of a checkpoint after comparing their header with the network's shapes."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from whispersign_model.errors import CheckpointError
from whispersign_model.files import MEGABYTE, parse_json

HEADER_BYTES = 4 * MEGABYTE
LENGTH = 8  # bytes that hold the header's length
COMMENT = "__metadata__"
LARGEST = 1e8  # a larger weight is damage and overflows in the layers after it


def read_weights(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file.

    Args:
        path: the file.
        expected: tensors with the names and shapes that the configuration asks for; their values
            do not count.

    Raises:
        CheckpointError: the file is damaged, holds other tensors, or has a weight that is not a
            finite number.
    """
    try:
        shapes = _shapes(path)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise _unreadable(path, error) from error
    _check_shapes(path, shapes, {name: list(value.shape) for name, value in expected.items()})
    try:
        state = load_file(str(path))
    except Exception as error:  # safetensors does not document its error types
        raise _unreadable(path, error) from error
    for name, value in state.items():
        if value.is_floating_point() and not bool((value.float().abs() <= LARGEST).all()):
            raise CheckpointError(
                path,
                f"{name} contains NaN, infinity or a value above {LARGEST:g}",
                "train it again",
            )
        if value.is_complex():
            raise CheckpointError(path, f"{name} holds complex numbers", "train it again")
    return state


def _shapes(path: Path) -> dict[str, list[int]]:
    """Return the shape of each tensor from the header (https://github.com/huggingface/safetensors).

    Raises:
        ValueError: the header is damaged or too long.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH), "little")
        if not 0 < length <= HEADER_BYTES:
            raise ValueError(f"its header is {length} bytes long")
        header = parse_json(file.read(length))
    return {name: list(entry["shape"]) for name, entry in header.items() if name != COMMENT}


def _check_shapes(
    path: Path, found: Mapping[str, list[int]], expected: Mapping[str, list[int]]
) -> None:
    for name in (*expected, *found):
        if found.get(name) != expected.get(name):
            if name not in found:
                fault = f"{name} is missing"
            elif name not in expected:
                fault = f"{name} is not part of the network"
            else:
                fault = f"{name} is {found[name]}, not {expected[name]}"
            raise CheckpointError(
                path, f"does not fit the config beside it: {fault}", "keep both files together"
            )


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        path, f"contains no readable weights ({error})", "train or export it again"
    )
