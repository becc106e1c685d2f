# SPDX-License-Identifier: MIT
"""A training run: train the stages in order, keep the best network, write its metrics."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whispersign_model.datasets.dataset import Dataset
from whispersign_model.errors import DatasetError
from whispersign_model.evaluation.calibration import calibrate
from whispersign_model.network.checkpoint import CheckpointMetadata
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.runtime.torch_backend import choose_device
from whispersign_model.training.callbacks import KeepBest, LogHypotheses, StageState
from whispersign_model.training.config import StageConfig, TrainingConfig
from whispersign_model.training.distributed import gather, leave_group
from whispersign_model.training.module import SAMPLES, TrainingModule
from whispersign_model.training.resume import ResumeState
from whispersign_model.training.role import distributed_info
from whispersign_model.training.run_logger import RunLogger, versions, write_metrics
from whispersign_model.training.segmentation import aligned_spans
from whispersign_model.training.stage_trainer import stage_trainer
from whispersign_model.training_data.augmentation import Augmentation
from whispersign_model.training_data.batching import BucketSampler
from whispersign_model.training_data.loader import Batches, Clips, loader, suitable_batch_size
from whispersign_model.training_data.windows import Spans


@dataclass(frozen=True)
class RunOptions:
    """Data, output folder and devices of a training run.

    Attributes:
        data: the processed dataset.
        out: the run's folder, which becomes a checkpoint itself.
        device: auto, cpu or cuda.
        devices: number of processes to start on this machine, each on its own GPU or on the CPU.
            Leave it at 1 under torchrun, which starts the processes itself.
        progress: whether to show a progress bar.
    """

    data: Dataset
    out: Path
    device: str = "auto"
    devices: int = 1
    progress: bool = True


@dataclass
class TrainingRun:
    """A training run whose inputs have been read and checked, ready to start.

    Attributes:
        options, config: options and training recipe of the run.
        stages: stages to train, numbered from 1.
        resume: the state to resume from, or None.
        model: the network; its weights are updated in place.
        metadata: metadata of the network's checkpoint.
        training, validation: the clips to train and to validate on.
        identity: settings that a resumed run must share with this one.
        logger: the log of the run.
        history: one record for each completed stage.
        pretrained: whether the network was trained before this run.
    """

    options: RunOptions
    config: TrainingConfig
    stages: list[tuple[int, StageConfig]]
    resume: ResumeState | None
    model: WhisperSignModel
    metadata: CheckpointMetadata
    training: Clips
    validation: Clips
    identity: dict[str, str]
    logger: RunLogger
    history: list[dict[str, Any]]
    pretrained: bool

    def run_stages(self) -> None:
        """Train all stages; skip completed ones, and resume the interrupted one."""
        best = float("inf")
        auxiliary_only = all(stage.auxiliary for _, stage in self.stages)
        for number, stage in self.stages:
            if self.resume is not None and number < self.resume.stage:
                continue
            epochs_before = sum(record["epochs"] for record in self.history)
            keep = KeepBest(self.options.out, self.metadata, epochs_before, auxiliary_only)
            keep.best_wer = best
            resumes = self.resume is not None and number == self.resume.stage
            self._run_stage(number, stage, keep, self.resume if resumes else None)
            best = keep.best_wer

    def _run_stage(
        self, number: int, stage: StageConfig, keep: KeepBest, resume: ResumeState | None
    ) -> None:
        """Train one stage, from its start or from a saved state."""
        config, processes = self.config, distributed_info().processes
        every = max(1, len(self.validation) // SAMPLES)
        sampled = [example.name for example in self.validation.examples[::every]][:SAMPLES]
        module = TrainingModule(self.model, stage, config, self.metadata.glosses, sampled)
        per_step = processes * config.accumulate  # batches
        size = suitable_batch_size(len(self.training) // per_step, config.batch_size)
        self.logger.write(
            f"stage {number} of {len(config.stages)} ({stage.name}): {stage.epochs} epochs, "
            f"learning rate {stage.learning_rate:g}, at most {size} clips in a batch"
        )
        augmentation = config.stage_augmentation(stage)
        if resume is not None:
            spans = resume.spans
        else:
            spans = self._spans(augmentation, self.pretrained or keep.best_wer < float("inf"))
        state = StageState(number, self.identity, self.history, self.logger, spans)
        trainer = stage_trainer(
            self.options.out,
            config,
            number,
            [state, keep, LogHypotheses()],
            self.options.device,
            self.options.progress,
        )
        clips = self.training if spans is None else self.training.with_spans(spans)
        varied = clips.varied(augmentation, config.seed)
        batches = loader(varied, size, config.workers, config.seed + number)
        if resume is not None:
            # The loader workers start before Lightning sets the epoch.
            assert isinstance(batches.batch_sampler, BucketSampler)
            batches.batch_sampler.set_epoch(resume.epochs)
        trainer.fit(
            module,
            batches,
            self._validation_batches(processes),
            ckpt_path=None if resume is None else str(resume.path),
            weights_only=True,
        )
        if config.averaging:
            self.model.load_state_dict(module.best_weights.state_dict())
        self.history.append(state.record)

    def _validation_batches(self, processes: int) -> Batches:
        """Return the validation batches, at least one for each process."""
        size = min(self.config.batch_size, len(self.validation) // processes)
        return loader(self.validation, size, self.config.workers, None)

    def _spans(self, augmentation: Augmentation | None, trained: bool) -> list[Spans] | None:
        """Align glosses without times, if windows need them and the network is trained."""
        missing = self.training.store.spans.count(None)
        if not (missing and trained and augmentation is not None and augmentation.window):
            return None
        self.logger.write(f"the network aligns the glosses of {missing} clips, for windows")
        spans: list[Spans] = gather(aligned_spans(self.model, self.training))[0]
        return spans

    def finish(self) -> dict[str, Any]:
        """Calibrate the best network, write ``metrics.json``, and return the metrics.

        Processes other than the first return an empty dictionary.
        """
        leave_group()  # in the group, the first process would read only its share of the clips
        if distributed_info().rank:
            return {}
        self._calibrate()
        metrics = write_metrics(
            self.options.out,
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
        """Calibrate the best network's confidences on the validation clips.

        If the network recognizes no gloss there, its confidences stay uncalibrated.
        """
        try:
            device, _ = choose_device(self.options.device)
            fit = calibrate(
                self.options.out, self.validation.examples, self.metadata.glosses, device
            )
        except DatasetError as error:
            self.logger.write(f"confidences are not calibrated: {error}")
        else:
            self.logger.write(f"confidences calibrated: {fit}")
