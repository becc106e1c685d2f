# SPDX-License-Identifier: MIT
"""Several processes: one network, every clip validated once, one writer, one error for all."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import torch

from whispersign_model.datasets.dataset import Dataset
from whispersign_model.errors import ConfigError, DatasetError, WhisperSignError
from whispersign_model.network.config import ModelConfig
from whispersign_model.training import distributed
from whispersign_model.training.config import StageConfig, TrainingConfig
from whispersign_model.training.distributed import check_devices, gather, launch_processes
from whispersign_model.training.role import distributed_info
from whispersign_model.training.training_run import RunOptions

# What each process runs; it must be importable where it starts.
WORK = """
import multiprocessing
import os
import signal
import sys
import time

import lightning
import torch

from whispersign_model.errors import DatasetError
from whispersign_model.training import distributed, trainer
from whispersign_model.training.role import distributed_info


def work(run, config, model_config):
    modules, written, fit = [], [], lightning.Trainer.fit

    def watch(self, module, *words, **options):
        modules.append(module)
        fit(self, module, *words, **options)

    def audit(event, words):
        changes = event == "open" and words[1] is not None and set(str(words[1])) & set("wax+")
        path = words[1] if event == "os.rename" else words[0] if changes else ""
        if isinstance(path, (str, os.PathLike)) and str(path).startswith(str(run.out)):
            written.append(str(path))

    lightning.Trainer.fit = watch
    sys.addaudithook(audit)
    metrics = trainer.train(run, config, model_config)
    torch.save(
        {
            "weights": [module.state_dict() for module in modules],
            "counted": [(m.errors.sequences, sum(m.errors.pairs.values())) for m in modules],
            "steps": [module.trainer.global_step for module in modules],
            "grouped": torch.distributed.is_initialized(),
            "written": written,
            "metrics": sorted(metrics),
        },
        run.data.path.parent / f"rank{distributed_info().rank}.pt",
    )


def fail(rank):
    if distributed_info().rank == rank:
        raise DatasetError("some.npy", f"cannot be read in process {rank}", "copy it again")
    torch.distributed.init_process_group("gloo")
    torch.distributed.barrier()


def die(rank):
    if distributed_info().rank == rank:
        os.kill(os.getpid(), signal.SIGKILL)
    torch.distributed.init_process_group("gloo")
    torch.distributed.barrier()


def listening():
    torch.distributed.init_process_group("gloo")
    sockets = {
        os.readlink(entry.path)
        for process in (os.getpid(), os.getppid())
        for entry in os.scandir(f"/proc/{process}/fd")
        if entry.is_symlink() and os.path.lexists(entry.path)
    }
    found = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/self/net/{table}") as lines:
            for words in map(str.split, list(lines)[1:]):
                if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                    found.add(words[1].partition(":")[0])
    found = set.union(*distributed.gather(found))
    distributed.leave_group()
    return found


def start_method():
    return multiprocessing.get_start_method()


def wait(folder):
    (folder / str(os.getpid())).touch()
    time.sleep(100)
"""


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What the processes do: a module of its own, which the others can import too."""
    (tmp_path / "work_of_processes.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("work_of_processes")


@pytest.mark.slow
def test_two_processes_train_one_network(dataset: Path, tmp_path: Path, work: ModuleType) -> None:
    stages = (
        StageConfig(
            name="a", epochs=1, learning_rate=1e-2, alpha=1, train=("frontend",), auxiliary=True
        ),
        StageConfig(name="b", epochs=1, learning_rate=1e-2),
    )
    config = TrainingConfig(averaging=0.9, workers=0, batch_size=4, stages=stages)
    run = RunOptions(Dataset.open(dataset), tmp_path / "run", "cpu", 2, progress=False)
    launch_processes(2, work.work, run, config, ModelConfig())
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert first["steps"] == second["steps"] == [4, 4], "8 batches, half for each"
    for own, others in zip(first["weights"], second["weights"], strict=True):
        assert own.keys() == others.keys()
        assert [name for name in own if not torch.equal(own[name], others[name])] == []
    assert first["counted"] == second["counted"] != []
    assert {sequences for sequences, _ in first["counted"]} == {6}, "every clip once"
    assert first["grouped"] is second["grouped"] is False, "calibration reads all clips"
    assert second["written"] == second["metrics"] == []
    names = [Path(path).name for path in first["written"]]
    assert {"last.ckpt", "model.safetensors", "metrics.json", "train.log"} <= set(names)
    assert first["written"].count(str(tmp_path / "run" / "metrics.json")) == 1
    assert "2 processes" in (tmp_path / "run" / "train.log").read_text()
    assert not distributed.part_of_several(), "this process is none of them"


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_in_one_process_is_raised_and_ends_the_others(
    work: ModuleType, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    before = set(multiprocessing.active_children())  # of other tests
    monkeypatch.setattr(distributed, "GRACE", 0.5)
    with pytest.raises(DatasetError, match=f"^some.npy: cannot be read in process {rank}; copy"):
        launch_processes(2, work.fail, rank)
    assert set(multiprocessing.active_children()) <= before


def test_a_process_that_the_system_kills_is_named(
    work: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "GRACE", 0.5)
    with pytest.raises(WhisperSignError, match=r"^--devices 2: process 1 .* SIGKILL"):
        launch_processes(2, work.die, 1)


def test_ctrl_c_ends_all_processes(tmp_path: Path) -> None:
    (tmp_path / "pids").mkdir()
    (tmp_path / "start.py").write_text(
        "from pathlib import Path\n"
        "import work_of_processes as work\n"
        "from whispersign_model.training.distributed import launch_processes\n"
        "if __name__ == '__main__':\n"
        "    launch_processes(2, work.wait, Path('pids'))\n"
    )
    started = subprocess.Popen(
        [sys.executable, "start.py"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "pids").iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    processes = [Path("/proc") / path.name for path in (tmp_path / "pids").iterdir()]
    assert len(processes) == 2
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=30)
    assert errors.count("Traceback") == 1, "of this process alone"
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert not any(process.exists() for process in processes)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_listens_for_other_machines(work: ModuleType) -> None:
    local = int.from_bytes(socket.inet_aton("127.0.0.1"), sys.byteorder)
    assert launch_processes(2, work.listening) == {f"{local:08X}"}


def test_loader_workers_start_as_in_one_process(work: ModuleType) -> None:
    assert launch_processes(2, work.start_method) == multiprocessing.get_start_method()


def test_a_process_alone_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert distributed_info() == (0, 1, 1)
    assert gather("x") == ["x"]
    monkeypatch.setenv("LOCAL_RANK", "1")  # by what else starts processes
    assert distributed_info() == (0, 1, 1)
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_WORLD_SIZE", "4")):
        monkeypatch.setenv(name, value)
    assert distributed_info() == (5, 8, 4)
    check_devices(4, "cpu")
    with pytest.raises(ConfigError, match="--devices 3: torchrun has started 4 processes"):
        check_devices(3, "cpu")


def test_devices_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="--devices 0: is below 1"):
        check_devices(0, "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="--device cuda: finds no GPU"):
        check_devices(1, "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_devices(2, "cuda")
    with pytest.raises(ConfigError, match="--devices 3: is more than the 2 GPUs"):
        check_devices(3, "auto")


def test_each_process_has_its_share_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert [distributed._threads(count) for count in (2, 3, 16)] == [4, 2, 1]
