# SPDX-License-Identifier: MIT
"""Preparation of a run: read and check all inputs, and open the output folder."""

from pathlib import Path

from whispersign_model.datasets.dataset import Dataset, Example
from whispersign_model.datasets.short_clips import describe_short, split_short
from whispersign_model.datasets.splits import few_clips
from whispersign_model.errors import ConfigError, DatasetError
from whispersign_model.features.normalisation import fit_scaling
from whispersign_model.features.recipe import Recipe
from whispersign_model.network.checkpoint import CheckpointMetadata
from whispersign_model.network.config import ModelConfig
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.training.config import StageConfig, TrainingConfig
from whispersign_model.training.resume import ResumeState, identity_of, initial_model
from whispersign_model.training.role import distributed_info
from whispersign_model.training.run_logger import RunLogger, about_run, write_recipe
from whispersign_model.training.training_run import RunOptions, TrainingRun
from whispersign_model.training_data.loader import Clips, training_splits


def chosen_stages(config: TrainingConfig, only: int | None) -> list[tuple[int, StageConfig]]:
    """Return the stages to train, numbered from 1.

    Args:
        config: the training recipe.
        only: number of the only stage to train; None trains all stages.

    Raises:
        ConfigError: no stage remains, or ``only`` is out of range.
    """
    stages = list(enumerate(config.stages, start=1))
    if only is not None and not 1 <= only <= len(stages):
        raise ConfigError("--stage", f"{only} is not one of 1 to {len(stages)}")
    chosen = [(n, stage) for n, stage in stages if stage.epochs and only in (None, n)]
    if not chosen:
        which = "every stage" if only is None else f"stage {only}"
        raise ConfigError("stages", f"{which} has 0 epochs", "nothing is trained; raise epochs")
    return chosen


def prepare(
    options: RunOptions,
    config: TrainingConfig,
    model_config: ModelConfig,
    stages: list[tuple[int, StageConfig]],
    resume: ResumeState | None,
    init: Path | None,
) -> TrainingRun:
    """Read and check all inputs of a run, and open its output folder.

    Args:
        options: the dataset and the output folder.
        config: the training recipe.
        model_config: configuration of a new network.
        stages: stages to train, numbered from 1.
        resume: the state to resume from, or None.
        init: a checkpoint to start from, or None.

    Raises:
        WhisperSignError: the data or the options are unsuitable for training.
    """
    data = options.data
    training, validation, note = training_splits(data)
    model, recipe = _initial(data, training, config, model_config, resume, init)
    patch = model.config.frontend.patch_size
    training, short = _long_enough(training, patch, "training")
    validation, short_too = _long_enough(validation, patch, "validation")
    processes = distributed_info().processes
    _check_validation(validation, processes)
    metadata = CheckpointMetadata(
        name=options.out.name or "whispersign",
        config=model.config,
        glosses=data.glosses,
        language=data.language,
        recipe=recipe,
    )
    numbers = [number for number, _ in stages]
    identity = identity_of(data, [*training, *validation], config, metadata, processes, numbers)
    if resume is not None:
        resume.require_same(identity)
    segments = model.config.decoder.candidate_segments
    varied = config.augmentation
    clips = Clips(training, recipe, patch, config.seed, varied, data.glosses, segments)
    fixed = Clips(validation, recipe, patch, config.seed)
    logger = _open_folder(options.out, config, resume)
    for line in about_run(data, training, validation, config, model, processes):
        logger.write(line)
    few = few_clips("validation", len(validation))
    told = [note, short, short_too, *few, label_warning(model, clips), *data.warnings()]
    for warning in filter(None, told):
        logger.warn(warning)
    return TrainingRun(
        options,
        config,
        stages,
        resume,
        model,
        metadata,
        clips,
        fixed,
        identity,
        logger,
        history=[] if resume is None else list(resume.history),
        pretrained=init is not None,
    )


def _long_enough(
    examples: list[Example], patch_size: int, purpose: str
) -> tuple[list[Example], str]:
    """Return the examples that are long enough for their glosses, and a warning about the others.

    Raises:
        DatasetError: no example is long enough.
    """
    kept, short = split_short(examples, patch_size)
    if not short:
        return kept, ""
    clips = describe_short(short)
    if not kept:
        raise DatasetError(
            examples[0].features_path.parents[1],
            f"holds only {purpose} clips that are too short for their glosses: {clips}",
            "record longer clips, or correct their labels",
        )
    return kept, (
        f"{len(short)} of {len(examples)} {purpose} clips are too short for their glosses and are "
        f"left out: {clips}"
    )


def _check_validation(validation: list[Example], processes: int) -> None:
    """Reject a validation split that has no glosses, or fewer clips than processes."""
    if not any(len(example.labels) for example in validation):
        raise DatasetError(
            validation[0].features_path.parents[1], "has no glosses for validation", "label some"
        )
    if len(validation) < processes:
        few = f"{processes} processes cannot share {len(validation)} validation clips"
        raise ConfigError("--devices", few, f"give {len(validation)} at most")


def _initial(
    data: Dataset,
    training: list[Example],
    config: TrainingConfig,
    model_config: ModelConfig,
    resume: ResumeState | None,
    init: Path | None,
) -> tuple[WhisperSignModel, Recipe]:
    """Return the initial network, and its recipe fitted to the training clips."""
    shape = model_config.changed(config.network)
    if resume is not None:
        return WhisperSignModel(resume.metadata.config), resume.metadata.recipe
    if init is not None:
        return initial_model(init, data)
    model = WhisperSignModel(shape.with_vocabulary(len(data.glosses)))
    recipe = data.recipe.changed(**config.features.model_dump())
    return model, fit_scaling(recipe, (example.features() for example in training))


def _open_folder(out: Path, config: TrainingConfig, resume: ResumeState | None) -> RunLogger:
    """Create the run's folder, write the recipe there, and open the log."""
    first = distributed_info().rank == 0
    try:
        out.mkdir(parents=True, exist_ok=True)
        if first:
            write_recipe(out, config)
        logger = RunLogger(out, writes=first, append=resume is not None)
    except OSError as error:
        raise ConfigError(out, f"cannot be written ({error.strerror})") from error
    if resume is not None:
        logger.write(f"resumed after {resume.epochs} epochs of stage {resume.stage}")
    return logger


def label_warning(model: WhisperSignModel, clips: Clips) -> str:
    """Return a warning if these labels do not allow the decoder to learn its task, or ""."""
    training = clips.examples
    several = sum(len(example.labels) > 1 for example in training)
    if model.decoder.detects:
        augmentation, untimed = clips.augmentation, clips.store.spans.count(None)
        if untimed:
            return (
                f"{untimed} of {len(training)} training clips do not say when their glosses are "
                "signed: detection (network.decoder.candidate_segments) cannot learn from them"
            )
        if several or (augmentation is not None and augmentation.sentence):
            return ""
        return (
            "all training clips are single signs and augmentation.sentence is 0: detection "
            "(network.decoder.candidate_segments) does not learn to reject movements without signs"
        )
    if model.decoder.utterance is None or not several:
        return ""
    return (
        f"{several} of {len(training)} training clips hold several glosses, which rescoring does "
        "not tell apart in whole utterances: leave out network.decoder.utterance_frames"
    )
