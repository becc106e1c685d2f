# SPDX-License-Identifier: MIT
"""Follow the shapes of an exported graph's tensors without data.

Shapes may depend on the shapes of the inputs only. The integers from which operators make shapes
are therefore known too: sizes of inputs, constants, and their sums and products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]

LARGEST = 1 << 63  # a number; a chain of products would take minutes for one
VALUES = 64  # elements of a tensor from which an operator may make a shape
RANK = 8


class Tensor(NamedTuple):
    """The shape of a tensor, and its numbers if they depend only on the inputs' shapes.

    The numbers are Python's, which do not overflow. ``constant`` says that they depend on nothing.
    """

    shape: Shape
    value: NDArray[Any] | None = None
    constant: bool = False


class Node(NamedTuple):
    """An operator with the names of its tensors and its integer attributes."""

    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, Sequence[int]]


class Call(NamedTuple):
    """A node and its input tensors; an input that is left out is None."""

    node: Node
    inputs: Sequence[Tensor | None]

    def tensor(self, index: int = 0) -> Tensor:
        """Return an input that must be there."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if found is None:
            raise ValueError(f"the operator {self.node.operator} lacks an input")
        return found

    def shape(self, index: int = 0) -> Shape:
        """Return the shape of an input that must be there."""
        return self.tensor(index).shape

    def numbers(self, index: int, default: Sequence[int] | None = None) -> Sequence[int]:
        """Return the numbers in an input that gives a shape; ``default`` if it is left out."""
        if default is not None and (index >= len(self.inputs) or self.inputs[index] is None):
            return default
        value = self.tensor(index).value
        if value is None:
            raise ValueError(f"a shape that {self.node.operator} makes depends on the input's data")
        return list(value.ravel())

    def attribute(self, name: str, default: int = 0) -> int:
        """Return an integer attribute."""
        return next(iter(self.node.attributes.get(name, ())), default)

    def axis(self, default: int = 0, rank: int | None = None) -> int:
        """Return the attribute ``axis``, counted from the front."""
        return _axis(self.attribute("axis", default), len(self.shape()) if rank is None else rank)


def derive(node: Node, known: Mapping[str, Tensor]) -> Sequence[Tensor]:
    """Return the outputs of a node.

    Args:
        node: the operator.
        known: the tensors before it by name.

    Raises:
        ValueError, LookupError, ArithmeticError: the operator does not fit its inputs.
        ValueError: a shape depends on data.
    """
    call = Call(node, [known[name] if name else None for name in node.inputs])
    return RULES.get(node.operator, _broadcast)(call)


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"it has the axis {axis} in a tensor of {rank} dimensions")
    return axis % rank


def _like(call: Call) -> list[Tensor]:
    """The outputs are as large as the first input."""
    return [Tensor(call.shape())] * len(call.node.outputs)


def _same(call: Call) -> list[Tensor]:
    """The output has the shape and the numbers of the input."""
    return [call.tensor()]


def _broadcast(call: Call) -> list[Tensor]:
    """The output is as large as all inputs together, by NumPy's rules."""
    tensors = [each for each in call.inputs if each is not None]
    shape = _joined(each.shape for each in tensors)
    operation = {"Add": np.add, "Mul": np.multiply}.get(call.node.operator)
    values = [each.value for each in tensors if each.value is not None]
    if operation is None or not len(values) == len(tensors) == 2 or math.prod(shape) > VALUES:
        return [Tensor(shape)]
    constant = all(each.constant for each in tensors)
    # A size never shrinks while the inputs grow: no differences.
    if not constant and any((value < 0).any() for value in values):
        return [Tensor(shape)]
    value = np.asarray(operation(*values), object)
    if any(abs(number) > LARGEST for number in value.ravel()):
        raise ValueError(f"the operator {call.node.operator} makes a number beyond 64 bits")
    return [Tensor(shape, value, constant)]


def _joined(shapes: Any) -> Shape:
    """Broadcast shapes, without NumPy's limit on the number of elements."""
    shapes = list(shapes)
    rank = max(map(len, shapes), default=0)
    joined = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size != 1 and joined[axis] not in (1, size):
                raise ValueError(f"it joins tensors of the shapes {[*map(list, shapes)]}")
            joined[axis] = size if size != 1 else joined[axis]
    return tuple(joined)


def _matmul(call: Call) -> list[Tensor]:
    one, other = call.shape(0), call.shape(1)
    if len(one) < 2 or len(other) < 2 or one[-1] != other[-2]:
        raise ValueError(f"it multiplies matrices of the shapes {[*one]} and {[*other]}")
    return [Tensor((*_joined((one[:-2], other[:-2])), one[-2], other[-1]))]


def _gemm(call: Call) -> list[Tensor]:
    one, other = call.shape(0), call.shape(1)
    one = one[::-1] if call.attribute("transA") else one
    other = other[::-1] if call.attribute("transB") else other
    if len(one) != 2 or len(other) != 2 or one[1] != other[0]:
        raise ValueError(f"it multiplies matrices of the shapes {[*one]} and {[*other]}")
    return [Tensor((one[0], other[1]))]


def _window(call: Call, kernel: Sequence[int]) -> Shape:
    """Return the sizes that a convolution or pooling makes of those after the first two axes."""
    given = call.node.attributes
    axes = len(kernel)
    pads = given.get("pads", [0] * 2 * axes)
    strides, dilations = given.get("strides", [1] * axes), given.get("dilations", [1] * axes)
    sizes = call.shape()[2:]
    lengths = [len(sizes), len(strides), len(dilations), len(pads) / 2]
    if any(length != axes for length in lengths) or min([*strides, *dilations], default=1) < 1:
        raise ValueError(f"the operator {call.node.operator} has wrong attributes")
    room = call.attribute("ceil_mode")
    return tuple(
        (size + pads[axis] + pads[axis + axes] - dilations[axis] * (kernel[axis] - 1) - 1)
        // strides[axis]
        + 1
        + room
        for axis, size in enumerate(sizes)
    )


def _conv(call: Call) -> list[Tensor]:
    weight = call.shape(1)
    return [Tensor((*call.shape()[:1], *weight[:1], *_window(call, weight[2:])))]


def _max_pool(call: Call) -> list[Tensor]:
    kernel = call.node.attributes.get("kernel_shape", ())
    return [Tensor((*call.shape()[:2], *_window(call, kernel)))] * len(call.node.outputs)


def _concat(call: Call) -> list[Tensor]:
    tensors = [call.tensor(index) for index in range(len(call.inputs))]
    axis = call.axis()
    others = {(*each.shape[:axis], *each.shape[axis + 1 :]) for each in tensors}
    if len(others) != 1:
        raise ValueError(f"it joins tensors of the shapes {[list(each.shape) for each in tensors]}")
    shape = list(call.shape())
    shape[axis] = sum(each.shape[axis] for each in tensors)
    values = [each.value for each in tensors if each.value is not None]
    if len(values) < len(tensors) or math.prod(shape) > VALUES:
        return [Tensor(tuple(shape))]
    constant = all(each.constant for each in tensors)
    return [Tensor(tuple(shape), np.concatenate(values, axis), constant)]


def _expand(call: Call) -> list[Tensor]:
    return [Tensor(_joined((call.shape(), tuple(call.numbers(1)))))]


def _gather(call: Call) -> list[Tensor]:
    axis, indices = call.axis(), call.tensor(1)
    shape = call.shape()
    value = call.tensor().value
    if value is not None:
        known = indices.constant and indices.value is not None
        value = np.array(value.take(np.array(indices.value, int), axis), object) if known else None
    constant = call.tensor().constant
    return [Tensor((*shape[:axis], *indices.shape, *shape[axis + 1 :]), value, constant)]


def _pad(call: Call) -> list[Tensor]:
    shape = list(call.shape())
    pads, axes = call.numbers(1), call.numbers(3, range(len(shape)))
    if len(pads) != 2 * len(axes):
        raise ValueError("the operator Pad has wrong inputs")
    for place, axis in enumerate(axes):
        shape[_axis(axis, len(shape))] += pads[place] + pads[place + len(axes)]
    return [Tensor(tuple(shape))]


def _range(call: Call) -> list[Tensor]:
    start, limit, step = (call.numbers(index)[0] for index in range(3))
    return [Tensor((max(0, math.ceil((limit - start) / step)),))]


def _reduce(call: Call) -> list[Tensor]:
    shape = call.shape()
    default = call.node.attributes.get("axes", ())
    given = [_axis(axis, len(shape)) for axis in call.numbers(1, default)]
    if not given and call.attribute("noop_with_empty_axes"):
        return [Tensor(shape)]
    axes = given or range(len(shape))
    keep = call.attribute("keepdims", 1)
    sizes = (1 if axis in axes else size for axis, size in enumerate(shape))
    return [Tensor(tuple(size for axis, size in enumerate(sizes) if keep or axis not in axes))]


def _reshape(call: Call) -> list[Tensor]:
    size = math.prod(call.shape())
    shape = list(call.numbers(1))
    if not call.attribute("allowzero"):
        shape = [each or call.shape()[axis] for axis, each in enumerate(shape)]
    if shape.count(-1) == 1:
        rest = -math.prod(shape)
        shape[shape.index(-1)] = size // rest if rest else 0
    if math.prod(shape) != size:
        raise ValueError(f"it reshapes a tensor of shape {[*call.shape()]} to {shape}")
    return [_reshaped(call.tensor(), tuple(shape))]


def _reshaped(tensor: Tensor, shape: Shape) -> Tensor:
    value = None if tensor.value is None else tensor.value.reshape(shape)
    return Tensor(shape, value, tensor.constant)


def _shape(call: Call) -> list[Tensor]:
    rank = len(call.shape())
    start, end = call.attribute("start"), call.attribute("end", rank)
    sizes = np.array(call.shape()[start:end], object)
    return [Tensor(sizes.shape, sizes)]


def _slice(call: Call) -> list[Tensor]:
    shape = list(call.shape())
    starts, ends = call.numbers(1), call.numbers(2)
    axes, steps = call.numbers(3, range(len(starts))), call.numbers(4, [1] * len(starts))
    for start, end, axis, step in zip(starts, ends, axes, steps):
        axis = _axis(axis, len(shape))
        shape[axis] = len(range(shape[axis])[start:end:step])
    return [Tensor(tuple(shape))]


def _split(call: Call) -> list[Tensor]:
    axis, outputs = call.axis(), len(call.node.outputs)
    shape = list(call.shape())
    each = -(-shape[axis] // max(1, outputs))
    equal = [min(each, max(0, shape[axis] - each * index)) for index in range(outputs)]
    sizes = call.numbers(1, equal)
    if sum(sizes) != shape[axis] or min(sizes, default=0) < 0:
        raise ValueError(f"it splits a tensor of shape {shape} into {[*sizes]}")
    return [Tensor((*shape[:axis], size, *shape[axis + 1 :])) for size in sizes]


def _squeeze(call: Call) -> list[Tensor]:
    shape = call.shape()
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    axes = {_axis(axis, len(shape)) for axis in call.numbers(1, ones)}
    if any(shape[axis] != 1 for axis in axes):
        raise ValueError(f"it drops axes {sorted(axes)} of a tensor of shape {[*shape]}")
    kept = tuple(size for axis, size in enumerate(shape) if axis not in axes)
    return [_reshaped(call.tensor(), kept)]


def _unsqueeze(call: Call) -> list[Tensor]:
    axes = call.numbers(1)
    shape = list(call.shape())
    for axis in sorted(_axis(axis, len(shape) + len(axes)) for axis in axes):
        shape.insert(axis, 1)
    return [_reshaped(call.tensor(), tuple(shape))]


def _transpose(call: Call) -> list[Tensor]:
    shape = call.shape()
    order = call.node.attributes.get("perm", range(len(shape))[::-1])
    if sorted(order) != list(range(len(shape))):
        raise ValueError(f"it transposes {len(shape)} dimensions to {[*order]}")
    return [Tensor(tuple(shape[axis] for axis in order))]


def _second(call: Call) -> list[Tensor]:
    return [Tensor(call.shape(1))]


def _quantize(call: Call) -> list[Tensor]:
    return [Tensor(call.shape()), Tensor(()), Tensor(())]


Rule = Callable[[Call], Sequence[Tensor]]
# The rules of the operators whose output is not as large as all inputs together.
RULES: dict[str, Rule] = {
    **dict.fromkeys(("BatchNormalization", "LayerNormalization", "ScatterElements"), _like),
    **dict.fromkeys(("Trilu", "Clip"), _like),
    **dict.fromkeys(("Cast", "Identity"), _same),
    **dict.fromkeys(("MatMul", "MatMulInteger"), _matmul),
    **{f"Reduce{kind}": _reduce for kind in ("Max", "Mean", "Min", "Prod", "Sum")},
    "Concat": _concat,
    "Conv": _conv,
    "DynamicQuantizeLinear": _quantize,
    "Expand": _expand,
    "Gather": _gather,
    "GatherElements": _second,
    "Gemm": _gemm,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
