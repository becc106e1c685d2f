"""The trainer: fits the recipe, runs the stages, keeps the best network, goes on after a stop."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch

from whispersign_model.datasets.dataset import Dataset
from whispersign_model.errors import CheckpointError, ConfigError, DatasetError, WhisperSignError
from whispersign_model.evaluation.calibration import calibrate
from whispersign_model.features.normalisation import fit_scaling
from whispersign_model.network.checkpoint import CheckpointMetadata
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.runtime.torch_backend import choose_device
from whispersign_model.training.callbacks import (
    KeepBest,
    LogHypotheses,
    StageState,
)
from whispersign_model.training.config import StageConfig, TrainingConfig
from whispersign_model.training.distributed import (
    check_devices,
    distributed_info,
    gather,
    launch_processes,
    part_of_several,
)
from whispersign_model.training.module import SAMPLES, TrainingModule
from whispersign_model.training.resume import (
    ResumeState,
    check_folder,
    how_to_go_on,
    identity_of,
    initial_model,
    read_resume,
)
from whispersign_model.training.run_logger import (
    RunLogger,
    about_run,
    versions,
    write_metrics,
    write_recipe,
)
from whispersign_model.training.segmentation import aligned_spans
from whispersign_model.training.stage_trainer import quiet_libraries, stage_trainer
from whispersign_model.training_data.augmentation import Augmentation
from whispersign_model.training_data.batching import BucketSampler
from whispersign_model.training_data.loader import (
    Clips,
    loader,
    suitable_batch_size,
    training_splits,
)
from whispersign_model.training_data.windows import Spans


@dataclass(frozen=True)
class Run:
    """Where and on what a training runs.

    Attributes:
        data: the processed dataset.
        out: the run's folder; it becomes a checkpoint itself.
        device: auto, cpu or cuda.
        devices: processes to start here that train together, each on a GPU or on the CPU; 1 also
            where torchrun has started them.
        progress: show a progress bar.
    """

    data: Dataset
    out: Path
    device: str = "auto"
    devices: int = 1
    progress: bool = True


def train(
    run: Run,
    config: TrainingConfig,
    model_config: ModelConfig,
    only_stage: int | None = None,
    resume: Path | None = None,
    init: Path | None = None,
) -> dict[str, Any]:
    """Train through the stages.

    Args:
        run: data, folder and processes.
        config: the training recipe.
        model_config: shape of the network; its vocabulary is set to the dataset's.
        only_stage: from 1; the others are left out. A training that goes on has its own.
        resume: a run's ``last.ckpt``: go on exactly where it stopped, in the same folder.
        init: a checkpoint to start from, whatever its vocabulary; it says the shape of the network
            and how features are normalised.

    Returns:
        the metrics of the best network, also in ``out/metrics.json``; nothing in a process that is
        not the first.

    Raises:
        WhisperSignError: for data or options that cannot be trained on, before the first step.
        KeyboardInterrupt: after Ctrl-C, once ``last.ckpt`` of the last whole epoch is there.
    """
    check_devices(run.devices, run.device)
    check_precision(config, run.device)
    stages = chosen_stages(config, only_stage)
    stopped = None if resume is None else read_resume(resume, run.out)
    if stopped is not None and only_stage is None:
        stages = [(number, stage) for number, stage in stages if number in stopped.stages]
    check_folder(run.out, resume)
    if run.devices > 1 and not part_of_several():
        return launch_processes(
            run.devices, train, run, config, model_config, only_stage, resume, init
        )
    quiet_libraries()
    lightning.seed_everything(config.seed, verbose=False)
    training_run = prepare(run, config, model_config, stages, stopped, init)
    try:
        training_run.run_stages(resume)
        return training_run.finish()
    except (KeyboardInterrupt, SystemExit):  # Lightning answers Ctrl-C with the latter
        training_run.logger.write(f"stopped; {how_to_go_on(run.out)}")
        raise KeyboardInterrupt from None
    except WhisperSignError as error:
        training_run.logger.write(f"error: {error}")
        raise
    except BrokenPipeError:  # who read the progress has gone
        raise
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else run.out
        fault = f"cannot be written or read ({error.strerror or error})"
        told = CheckpointError(where, fault, how_to_go_on(run.out))
        with suppress(OSError):
            training_run.logger.write(f"error: {told}")
        raise told from error


def chosen_stages(config: TrainingConfig, only: int | None) -> list[tuple[int, StageConfig]]:
    """Return the stages that are trained, with their numbers from 1.

    Raises:
        ConfigError: there is none.
    """
    stages = list(enumerate(config.stages, start=1))
    if only is not None and not 1 <= only <= len(stages):
        raise ConfigError("--stage", f"{only} is not one of 1 to {len(stages)}")
    chosen = [(n, stage) for n, stage in stages if stage.epochs and only in (None, n)]
    if not chosen:
        which = "every stage" if only is None else f"stage {only}"
        raise ConfigError("stages", f"{which} has 0 epochs", "nothing is trained; raise epochs")
    return chosen


def check_precision(config: TrainingConfig, device: str) -> None:
    """Refuse a precision that the device cannot train in.

    Raises:
        ConfigError: naming the key.
    """
    if config.precision == "16-mixed" and (device == "cpu" or not torch.cuda.is_available()):
        raise ConfigError("precision", "16-mixed needs a GPU", "take bf16-mixed or 32")


@dataclass
class TrainingRun:
    """A training that is ready to run: everything has been read and checked.

    Attributes:
        run, config: as given.
        stages: those to train, with their numbers.
        stopped: what is gone on with, if anything.
        model: the network; its weights are updated in place.
        metadata: of its checkpoint.
        training, validation: clips.
        identity: what a resume must have in common with this training.
        logger: the log.
        history: what the stages before have given.
        recognises: the network was trained before this training.
    """

    run: Run
    config: TrainingConfig
    stages: list[tuple[int, StageConfig]]
    stopped: ResumeState | None
    model: WhisperSignModel
    metadata: CheckpointMetadata
    training: Clips
    validation: Clips
    identity: dict[str, str]
    logger: RunLogger
    history: list[dict[str, Any]]
    recognises: bool

    def run_stages(self, resume: Path | None) -> None:
        """Train through the stages; the one that was stopped goes on from ``resume``."""
        best = float("inf")
        for number, stage in self.stages:
            if self.stopped is not None and number < self.stopped.stage:
                continue
            goes_on = self.stopped is not None and number == self.stopped.stage
            epochs_before = sum(record["epochs"] for record in self.history)
            warm_up_alone = all(stage.auxiliary for _, stage in self.stages)
            keep = KeepBest(self.run.out, self.metadata, epochs_before, warm_up_alone)
            keep.best_wer = best
            best = self._run_stage(number, stage, keep, resume if goes_on else None)

    def _run_stage(
        self, number: int, stage: StageConfig, keep: KeepBest, resume: Path | None
    ) -> float:
        """Train one stage; return the best validation WER so far."""
        config, processes = self.config, distributed_info().processes
        every = max(1, len(self.validation) // SAMPLES)
        sampled = [example.name for example in self.validation.examples[::every]][:SAMPLES]
        module = TrainingModule(self.model, stage, config, self.metadata.glosses, sampled)
        together = processes * config.accumulate  # batches in a step
        size = suitable_batch_size(len(self.training) // together, config.batch_size)
        share = min(config.batch_size, len(self.validation) // processes)  # a batch for each
        self.logger.write(
            f"stage {number} of {len(config.stages)} ({stage.name}): {stage.epochs} epochs, rate "
            f"{stage.rate:g}, at most {size} clips in a batch"
        )
        augmentation = config.stage_augmentation(stage)
        if resume is not None and self.stopped is not None:
            spans = self.stopped.spans
        else:
            spans = self._spans(augmentation, self.recognises or keep.best_wer < float("inf"))
        state = StageState(number, self.identity, self.history, self.logger, spans)
        trainer = stage_trainer(
            self.run.out,
            config,
            number,
            [state, keep, LogHypotheses()],
            self.run.device,
            self.run.progress,
        )
        located = self.training if spans is None else self.training.located(spans)
        varied = located.varied(augmentation, config.seed)
        batches = loader(varied, size, config.workers, config.seed + number)
        if resume is not None and self.stopped is not None:
            # Workers begin before Lightning says which epoch it is.
            assert isinstance(batches.batch_sampler, BucketSampler)
            batches.batch_sampler.set_epoch(self.stopped.epochs)
        trainer.fit(
            module,
            batches,
            loader(self.validation, share, config.workers, None),
            ckpt_path=str(resume) if resume else None,
            weights_only=True,
        )
        if config.averaging:
            self.model.load_state_dict(module.best_weights.state_dict())
        self.history.append(state.record)
        return keep.best_wer

    def _spans(self, augmentation: Augmentation | None, recognises: bool) -> list[Spans] | None:
        """Return where glosses lie, if windows are to be cut and only the network can say it."""
        missing = self.training.takes.spans.count(None)
        if not (missing and recognises and augmentation is not None and augmentation.window):
            return None
        self.logger.write(f"the network says where the glosses of {missing} clips lie, for windows")
        found: list[Spans] = gather(aligned_spans(self.model, self.training))[0]
        return found

    def finish(self) -> dict[str, Any]:
        """Write ``metrics.json`` and the last line of the log; return the metrics."""
        if distributed_info().rank:
            return {}
        self._calibrate()
        metrics = write_metrics(
            self.run.out,
            {
                "stages": self.history,
                "seconds": round(sum(record["seconds"] for record in self.history), 1),
                "seed": self.config.seed,
                "parameters": self.model.parameter_count(),
                "training_clips": len(self.training),
                "validation_clips": len(self.validation),
                "glosses": len(self.metadata.glosses),
                "processes": distributed_info().processes,
                "versions": versions(),
            },
        )
        self.logger.write(
            f"finished: best WER {metrics['val_wer']:.4f} in epoch {metrics['epoch']} of "
            f"{sum(record['epochs'] for record in self.history)}, {metrics['seconds']:.0f} s"
        )
        return metrics

    def _calibrate(self) -> None:
        """Make the best network's confidences worth what they say, judged by the validation clips.

        Where it recognises nothing in them they stay as they are.
        """
        try:
            device, _ = choose_device(self.run.device)
            scale = calibrate(self.run.out, self.validation.examples, self.metadata.glosses, device)
        except DatasetError as error:
            self.logger.write(f"confidences are not calibrated: {error}")
        else:
            self.logger.write(
                f"confidences calibrated: slope {scale.slope:.2f}, offset {scale.offset:+.2f}"
            )


def prepare(
    run: Run,
    config: TrainingConfig,
    model_config: ModelConfig,
    stages: list[tuple[int, StageConfig]],
    stopped: ResumeState | None,
    init: Path | None,
) -> TrainingRun:
    """Read and check all that training needs, and open the run's folder.

    Raises:
        WhisperSignError: for what cannot be trained on.
    """
    shape = model_config.changed(config.network)
    training, validation, note = training_splits(run.data)
    if not any(len(example.labels) for example in validation):
        raise DatasetError(
            validation[0].features_path.parents[1], "has no gloss to validate on", "label some"
        )
    processes = distributed_info().processes
    if len(validation) < processes:
        few = f"{processes} processes cannot share {len(validation)} clips to validate on"
        raise ConfigError("--devices", few, f"give {len(validation)} at most")
    first = distributed_info().rank == 0
    if stopped is not None:
        model, recipe = WhisperSignModel(stopped.metadata.config), stopped.metadata.recipe
    elif init is not None:
        model, recipe = initial_model(init, run.data)
    else:
        model = WhisperSignModel(shape.with_vocabulary(len(run.data.glosses)))
        recipe = run.data.recipe.changed(**config.features.model_dump())
        recipe = fit_scaling(recipe, (example.features() for example in training))
    metadata = CheckpointMetadata(
        name=run.out.name or "whispersign",
        config=model.config,
        glosses=run.data.glosses,
        language=run.data.language,
        recipe=recipe,
    )
    numbers = [number for number, _ in stages]
    examples = [*training, *validation]
    identity = identity_of(run.data, examples, config, metadata, processes, numbers)
    if stopped is not None:
        stopped.require_same(identity)
    patch = model.config.frontend.patch_size
    segments = model.config.decoder.candidate_segments
    varied = config.augmentation
    clips = Clips(training, recipe, patch, config.seed, varied, run.data.glosses, segments)
    fixed = Clips(validation, recipe, patch, config.seed)
    try:
        run.out.mkdir(parents=True, exist_ok=True)
        if first:
            write_recipe(run.out, config)
        logger = RunLogger(run.out, writes=first, goes_on=stopped is not None)
    except OSError as error:
        raise ConfigError(run.out, f"cannot be written ({error.strerror})") from error
    if stopped is not None:
        logger.write(f"goes on after {stopped.epochs} epochs of stage {stopped.stage}")
    for line in about_run(run.data, training, validation, config, model, processes):
        logger.write(line)
    for warning in filter(None, [note, sentences(model, clips), *run.data.warnings()]):
        logger.write(f"warning: {warning}")
        if first:
            print(f"warning: {warning}")
    history = [] if stopped is None else list(stopped.history)
    return TrainingRun(
        run,
        config,
        stages,
        stopped,
        model,
        metadata,
        clips,
        fixed,
        identity,
        logger,
        history,
        recognises=init is not None,
    )


def sentences(model: WhisperSignModel, clips: Clips) -> str:
    """Return what to say of clips that do not fit what the second pass is made for, or ""."""
    training = clips.examples
    several = sum(len(example.labels) > 1 for example in training)
    if model.decoder.detects:
        augmentation, untimed = clips.augmentation, clips.takes.spans.count(None)
        if untimed:
            return (
                f"{untimed} of {len(training)} training clips do not say when their glosses are "
                "signed: spotting (network.decoder.candidate_segments) learns nothing from these"
            )
        if several or (augmentation is not None and augmentation.sentence):
            return ""
        return (
            "all training clips are single signs and augmentation.sentence is 0: spotting "
            "(network.decoder.candidate_segments) does not learn what is no sign"
        )
    if model.decoder.utterance is None or not several:
        return ""
    return (
        f"{several} of {len(training)} training clips hold several glosses, which rescoring does "
        "not tell apart in whole utterances: leave out network.decoder.utterance_frames"
    )
