# SPDX-License-Identifier: MIT
"""Mutated files: every reader reads them or refuses them in one line, in time and memory.

The mutations are seeded. A failure names the seed: ``mutate(content, seed)`` makes the file again.
"""

from __future__ import annotations

import json
import random
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from whispersign_model.bundled import bundled
from whispersign_model.datasets.archive import read_archive
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.errors import WhisperSignError
from whispersign_model.network.checkpoint import read_metadata, sha256
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.network.onnx_file import DIGEST, RESCORE_DIGEST, graph_digest
from whispersign_model.network.onnx_graph import OPERATORS
from whispersign_model.recordings.bags.bag import read_bag, write_bag
from whispersign_model.recordings.labels import read_table
from whispersign_model.runtime.onnx_backend import OnnxBackend
from whispersign_model.runtime.torch_backend import TorchBackend
from whispersign_model.sensors.intrinsics import read_calibration

pytestmark = pytest.mark.slow

MUTATIONS = 300
BOX = 60  # seconds of processor time for one reader
SECONDS, KILOBYTES = 5, 1 << 20  # of one file
LONGEST = 1700  # characters of a message
FEATURES = np.random.default_rng(0).normal(0, 1, (40, 42, 7)).astype(np.float32)
WORDS = (
    b"\0", b"\xff\xfe", b"\x1b[2J", b"-1", b"0", b"1e999", b"NaN", b"9" * 5000, b"[" * 5000,
    b"{" * 5000, b"&a [*a]", b"*a", b"0x" + b"f" * 999, b"2020-13-45", b"\\ud800", b"null", b'""',
    b"!!int ''", b"- " * 300, b"99999999999", b"true", b"\xed\xa0\x80", b"1:2:3", b"x" * 9999,
)  # fmt: skip
NUMBERS = (0, 1, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)


def mutate(content: bytes, seed: int) -> bytes:
    """Return a file with one to four faults."""
    chance = random.Random(seed)
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        place = chance.randrange(len(data) + 1)
        if chance.random() < 0.3:
            place = min(place, chance.randrange(400))  # headers
        size = min(len(data) - place, chance.choice((1, 4, 8, 100, 5000)))
        kind = chance.randrange(8)
        if kind == 7:
            width, order = chance.choice((1, 2, 4, 8)), chance.choice(("little", "big"))
            number = chance.choice(NUMBERS) % (1 << 8 * width)
            data[place : place + width] = number.to_bytes(width, order)
        elif kind == 0 and size:
            data[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[place : place + size] = chance.randbytes(size)
        elif kind == 2:
            del data[place:]
        elif kind == 3:
            del data[place : place + size]
        elif kind == 4:
            data[place:place] = data[place : place + size] * chance.choice((1, 2, 50))
        elif kind == 5:
            data[place : place + chance.choice((0, 1, 3))] = chance.choice(WORDS)
        else:
            data[place : place + size] = chance.choice((b"\xff", b"\0", b"\x7f")) * size
    return bytes(data)


def mutate_value(content: Any, seed: int) -> Any:
    """Return JSON values of which one is replaced by something odd."""
    chance = random.Random(seed)
    content = json.loads(json.dumps(content))
    node, places = content, []
    while isinstance(node, (dict, list)) and node:
        key = chance.choice(sorted(node)) if isinstance(node, dict) else chance.randrange(len(node))
        places.append((node, key))
        node = node[key]
    holder, key = chance.choice(places)
    numbers = [-1, 0, 1, 7, 64, 4096, 10**9, 2**63, 10**400, 1e308, -0.5, float("nan")]
    texts = ["", "\x1b", "\0", "x" * 5000]
    lists = [[], {}, [[]] * 3, ["A", "A"], [1] * 5000, {"a": {}}]
    odd: list[Any] = [None, True, *numbers, *texts, *lists]
    holder[key] = chance.choice(odd)
    return content


def trial(read: Callable[[], Any], seed: int) -> None:
    """Read one file: it must be read or refused in one line, within the bounds."""
    start = time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        read()
    except WhisperSignError as error:
        message = str(error)
        assert "\n" not in message, seed
        assert len(message) < LONGEST, seed
        assert not {*message} & {*map(chr, range(32)), "\x7f", "\x9b"}, seed
    except Exception as error:
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
    assert time.process_time() - start < SECONDS, seed
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < KILOBYTES, seed


def fuzz(path: Path, read: Callable[[], Any], repair: Callable[[], Any] | None = None) -> None:
    """Mutate a file again and again; ``repair`` puts fingerprints right before each reading."""
    content = path.read_bytes()
    trial(read, -1)
    end = time.process_time() + BOX
    for seed in range(MUTATIONS):
        path.write_bytes(mutate(content, seed))
        if repair is not None and not _repaired(repair):
            continue
        trial(read, seed)
        if time.process_time() > end:
            break
    assert seed >= 50  # even on a slow machine
    path.write_bytes(content)


def _repaired(repair: Callable[[], Any]) -> bool:
    try:
        repair()
    except Exception:  # the file is no longer a container that holds a fingerprint
        return False
    return True


def use(backend: Any) -> None:
    """Encode a clip and a stream, and score candidates with the second pass."""
    encoded = backend.encode(FEATURES)
    backend.stream(4).push(FEATURES)
    encoded.second_pass([(1,), (2, 1)])


@pytest.fixture
def network(tmp_path):
    folder = tmp_path / "network"
    shutil.copytree(bundled(), folder)
    return folder


def sign(network: Path) -> None:
    """Write the fingerprint of the weights into the metadata."""
    file = network / "model.json"
    about = json.loads(file.read_text())
    about["weights_sha256"] = sha256(network / "model.safetensors")
    file.write_text(json.dumps(about))


def load(network: Path) -> None:
    use(TorchBackend(WhisperSignModel.load_checkpoint(network)[0], "cpu"))


def test_descriptions_of_networks(network):
    fuzz(network / "model.json", lambda: read_metadata(network))


def test_values_in_descriptions_of_networks(network):
    file = network / "model.json"
    about = json.loads(file.read_text())
    end = time.process_time() + BOX
    for seed in range(MUTATIONS):
        file.write_text(json.dumps(mutate_value(about, seed)))
        trial(lambda: load(network), seed)
        if time.process_time() > end:
            break


def test_weights(network):
    weights = network / "model.safetensors"
    fuzz(weights, lambda: load(network), lambda: sign(network))


def test_odd_weights(network):
    weights = network / "model.safetensors"
    state = load_file(weights)
    for seed, value in enumerate((np.nan, np.inf, 1e30, -1e30, 1e9, 1e8, -1e7)):
        for name in random.Random(seed).sample(sorted(state), 8):
            changed = {key: tensor.clone() for key, tensor in state.items()}
            if changed[name].is_floating_point():
                changed[name].fill_(value)
            save_file(changed, weights)
            sign(network)
            trial(lambda: load(network), seed)


def seal(network: Path) -> None:
    """Write the fingerprints of both graphs."""
    onnx = pytest.importorskip("onnx")
    digests = []
    for name in ("model.rescore.onnx", "model.onnx"):
        model = onnx.load(network / name)
        properties = {each.key: each.value for each in model.metadata_props}
        digests.append(graph_digest(model.SerializeToString()))
        properties[DIGEST] = digests[-1]
        if name == "model.onnx":
            properties[RESCORE_DIGEST] = digests[0]
        onnx.helper.set_model_props(model, properties)
        (network / name).write_bytes(model.SerializeToString())


def grow(graph: Any, node: Any, chance: random.Random) -> None:
    """Combine the result of a node with itself, again and again."""
    onnx = pytest.importorskip("onnx")
    output = before = node.output[0]
    place = list(graph.node).index(node)
    operator, count = chance.choice(("Add", "Concat", "MatMul", "Mul")), chance.choice((1, 5, 40))
    node.output[0] = before = f"{output}_0"
    attributes = {"axis": 0} if operator == "Concat" else {}
    for number in range(1, count + 1):
        after = f"{output}_{number}" if number < count else output
        extra = onnx.helper.make_node(operator, [before, before], [after], **attributes)
        graph.node.insert(place + number, extra)
        before = after


def rewire(model: Any, seed: int) -> None:
    """Change operators, their inputs and attributes, and constants of a graph; make it grow."""
    onnx = pytest.importorskip("onnx")
    chance = random.Random(seed)
    graph = model.graph
    for _ in range(chance.choice((1, 1, 2, 5))):
        node = chance.choice(graph.node)
        kind = chance.randrange(7)
        if kind == 5:
            grow(graph, node, chance)
        elif kind == 6:
            tensor = chance.choice(graph.initializer)
            values = onnx.numpy_helper.to_array(tensor)
            if values.ndim and values.size:
                most = 1 + 10**6 // values.size  # the file must not grow without bound
                values = np.repeat(values, min(most, chance.choice((2, 50, 1000))), 0)
            kind = chance.choice((values.dtype, np.int64, np.float32, np.float16))
            with np.errstate(over="ignore"):
                values = values.astype(kind)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        elif kind == 0:
            node.op_type = chance.choice([*sorted(OPERATORS), "Loop", "Tile", "ConstantOfShape"])
        elif kind == 1 and node.input:
            place = chance.randrange(len(node.input))
            node.input[place] = chance.choice([*chance.choice(graph.node).input, "known"])
        elif kind == 2:
            graph.node.remove(node)
        elif kind == 3 and node.attribute:
            attribute = chance.choice(node.attribute)
            if attribute.type == onnx.AttributeProto.INT:
                attribute.i = chance.choice((-1, 0, 1, 2, 99, 1 << 17, 1 << 40))
        else:
            numbers = [each for each in graph.initializer if each.data_type == 7]
            tensor = chance.choice(numbers)
            values = onnx.numpy_helper.to_array(tensor).copy()
            values[...] = np.where(
                np.random.default_rng(seed).random(values.shape) < 0.5,
                chance.choice((-1, 0, 1, 7, 1000, 1 << 17, 1 << 40, 2**63 - 1)),
                values,
            )
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


@pytest.mark.parametrize("name", ["model.onnx", "model.rescore.onnx"])
def test_graphs(network, name, capfd):
    read = lambda: use(OnnxBackend(network / "model.onnx", "cpu"))  # noqa: E731
    fuzz(network / name, read, lambda: seal(network))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["model.onnx", "model.rescore.onnx"])
def test_rewired_graphs(network, name, capfd):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(network / name)
    end = time.process_time() + BOX
    for seed in range(MUTATIONS):
        changed = onnx.ModelProto.FromString(model.SerializeToString())
        rewire(changed, seed)
        (network / name).write_bytes(changed.SerializeToString())
        seal(network)
        trial(lambda: use(OnnxBackend(network / "model.onnx", "cpu")), seed)
        assert capfd.readouterr().err == "", seed
        if time.process_time() > end:
            break


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_bags(tmp_path, make_recording, storage):
    write_bag(tmp_path / "bag", make_recording(60), storage)
    file = next(each for each in (tmp_path / "bag").iterdir() if each.suffix != ".yaml")
    fuzz(file, lambda: read_bag(tmp_path / "bag"))
    fuzz(file, lambda: read_bag(file, recover=True))
    fuzz(tmp_path / "bag" / "metadata.yaml", lambda: read_bag(tmp_path / "bag"))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives(archive, save):
    path = archive()
    with np.load(path) as arrays:
        content = dict(arrays)
    save(path, **content)
    fuzz(path, lambda: read_archive(path))


def test_arrays_of_archives(archive):
    path = archive()
    with np.load(path) as arrays:
        content = dict(arrays)
    for seed in range(MUTATIONS):
        chance = random.Random(seed)
        key = chance.choice(sorted(content))
        raw = bytearray(content[key].tobytes())
        for _ in range(chance.choice((1, 3))):
            if raw:
                raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        changed = np.frombuffer(bytes(raw), content[key].dtype).reshape(content[key].shape)
        odd = [changed, changed, changed[..., None], changed.ravel()[:1], changed.ravel()[:0]]
        odd += [np.array("x"), np.zeros(3, [("a", "i4")]), np.zeros((2, 10**6), np.int8)]
        np.savez_compressed(path, **{**content, key: chance.choice(odd)})
        trial(lambda: read_archive(path), seed)


@pytest.fixture
def described(dataset):
    """Return a dataset with a vocabulary and a manifest."""
    recordings = [
        {
            "name": example.name,
            "split": split,
            "frames": example.frames,
            "signer": "anna",
            "restarts": [0, 2],
            "segments": [{"gloss": "A", "start": 0, "end": 1.5}],
        }
        for split, examples in Dataset.open(dataset).splits.items()
        for example in examples
    ]
    about = {"format": 1, "recipe": {"rate": 60.0, "max_gap": 0.1}, "recordings": recordings}
    (dataset / "manifest.json").write_text(json.dumps(about))
    (dataset / "vocabulary.json").write_text(json.dumps({"glosses": ["A", "B", "C"]}))
    return dataset


def read_dataset(path: Path) -> None:
    for examples in Dataset.open(path).splits.values():
        for example in examples:
            example.features()
            example.restart_mask()


@pytest.mark.parametrize("which", ["features", "labels", "manifest.json", "vocabulary.json"])
def test_datasets(described, which):
    path = described / which
    if not path.suffix:
        path = min((described / "train" / which).glob("*.npy"))
    fuzz(path, lambda: read_dataset(described))


def test_values_of_manifests(described):
    file = described / "manifest.json"
    about = json.loads(file.read_text())
    for seed in range(MUTATIONS):
        file.write_text(json.dumps(mutate_value(about, seed)))
        trial(lambda: read_dataset(described), seed)


TABLE = 'recording,gloss,start,end,signer\nb1,HELLO,0.5,1.5,anna\nb2,STOP,,,"be, n"\n' * 20
CALIBRATION = """image_width: 640
image_height: 480
camera_matrix: {rows: 3, cols: 3, data: [600.0, 0, 320, 0, 600, 240, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0.2, 0, 0, 0]}
"""


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [("labels.csv", TABLE, read_table), ("camera.yaml", CALIBRATION, read_calibration)],
)
def test_text(tmp_path, name, text, read):
    (tmp_path / name).write_text(text)
    fuzz(tmp_path / name, lambda: read(tmp_path / name))
