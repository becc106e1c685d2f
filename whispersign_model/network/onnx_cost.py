# SPDX-License-Identifier: MIT
"""Bound what an exported graph computes before a runtime loads it.

A graph of a few kilobytes can make gigabytes, because operators repeat and combine tensors. This
module follows the shapes of all tensors for inputs of several sizes. It accepts a graph only if no
shape shrinks while the inputs grow, so that the results for a few sizes bound those for all sizes.
"""

import math
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from whispersign_model.network.onnx_shapes import Node, Shape, Tensor, derive

STEPS = (1, 8, 64, 128)  # numbers of encoder steps; 128 are a clip of 8 seconds
STEPS_PER_SEQUENCE = 8  # steps for each hypothesis, gloss and segment
# Elements of all tensors and multiplications, at the least and for each step: about four times what
# the largest network of config/model needs.
ELEMENTS, ELEMENTS_PER_STEP = 1 << 24, 1 << 22
PRODUCTS, PRODUCTS_PER_STEP = 1 << 30, 1 << 28
RANK = 8


class Sizes(NamedTuple):
    """The shapes of a graph's tensors by name, and the multiplications of each operator."""

    shapes: dict[str, Shape]
    products: list[int]


def check_cost(
    nodes: Sequence[Node],
    constants: Mapping[str, Tensor],
    inputs: Mapping[str, tuple[int | None, ...]],
    by_step: Container[str],
    power: int,
) -> None:
    """Reject a graph whose cost is unknown or far above that of an exported network.

    Args:
        nodes: the operators in their order.
        constants: the constants by name.
        inputs: shapes of the inputs; None is any size.
        by_step: the inputs with a row for each step; others have a row for each hypothesis.
        power: highest power of the inputs' sizes with which the cost may grow.

    Raises:
        ValueError: the graph exceeds a limit or grows faster, or a shape depends on data or
            shrinks.
        LookupError, ArithmeticError: an operator does not fit its inputs.
    """
    before = _at_size(nodes, constants, inputs, by_step, STEPS[0])
    for steps, fewer in zip(STEPS[1:], STEPS):
        now = _at_size(nodes, constants, inputs, by_step, steps)
        _check_growth(before, now, (steps // fewer) ** power)
        before = now


def _at_size(
    nodes: Sequence[Node],
    constants: Mapping[str, Tensor],
    inputs: Mapping[str, tuple[int | None, ...]],
    by_step: Container[str],
    steps: int,
) -> Sizes:
    """Return the sizes in a graph for a number of steps, within the limits."""
    known = dict(constants)
    for name, shape in inputs.items():
        size = steps if name in by_step else max(1, steps // STEPS_PER_SEQUENCE)
        known[name] = Tensor(tuple(size if each is None else each for each in shape))
    sizes = Sizes({}, [])
    most = ELEMENTS + steps * ELEMENTS_PER_STEP
    elements = sum(math.prod(known[name].shape) for name in inputs)
    for node in nodes:
        outputs = derive(node, known)
        for name, tensor in zip(node.outputs, outputs):
            elements += math.prod(tensor.shape)
            negative = min(tensor.shape, default=0) < 0
            if negative or len(tensor.shape) > RANK or elements > most:
                raise ValueError(f"it makes a tensor of shape {[*tensor.shape]}")
            known[name] = tensor
            sizes.shapes[name] = tensor.shape
        named = [known[name].shape for name in node.inputs if name]
        sizes.products.append(_products(node, named, outputs))
    if sum(sizes.products) > PRODUCTS + steps * PRODUCTS_PER_STEP:
        raise ValueError(f"it multiplies {sum(sizes.products)} times for {steps} steps")
    return sizes


def _check_growth(before: Sizes, after: Sizes, most: int) -> None:
    for name, less in before.shapes.items():
        more = after.shapes[name]
        if len(more) != len(less) or any(one > other for one, other in zip(less, more)):
            raise ValueError(f"its tensor {name} shrinks from {[*less]} for a longer clip")
        if math.prod(more) > most * math.prod(less):
            raise ValueError(f"its tensor {name} grows from {[*less]} to {[*more]}")
    if any(more > most * less for less, more in zip(before.products, after.products)):
        raise ValueError("its multiplications grow too fast with the length of a clip")


def _products(node: Node, inputs: Sequence[Shape], outputs: Sequence[Tensor]) -> int:
    """Return about how many multiplications an operator takes."""
    results = math.prod(outputs[0].shape)
    if node.operator in ("MatMul", "MatMulInteger", "Gemm"):
        return results * inputs[0][0 if 1 in node.attributes.get("transA", ()) else -1]
    if node.operator == "Conv":
        return results * math.prod(inputs[1][1:])
    if node.operator == "MaxPool":
        return results * math.prod(node.attributes.get("kernel_shape", ()))
    return max(results, math.prod(inputs[0]) if inputs else 0)
