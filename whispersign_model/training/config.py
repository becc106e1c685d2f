# SPDX-License-Identifier: MIT
"""The training recipe, read from YAML: stages, optimization, features and augmentation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from whispersign_model.configuration import StrictModel
from whispersign_model.features.recipe import Scaling
from whispersign_model.training_data.augmentation import Augmentation

Component = Literal["frontend", "encoder", "ctc", "decoder"]
Share = Annotated[float, Field(ge=0, le=1)]


class _Section(StrictModel):
    model_config = ConfigDict(allow_inf_nan=False)


class StageConfig(_Section):
    """One stage of training.

    Attributes:
        name: name of the stage in logs and folders.
        epochs: number of epochs; 0 skips the stage.
        learning_rate: peak learning rate.
        warm_up: share of the steps during which the learning rate rises linearly to its peak.
        final_learning_rate: learning rate at the end of the cosine decay, as a share of the peak.
        alpha: weight of the CTC loss; the attention loss has the weight ``1 - alpha``.
        train: components to train; the others are frozen.
        auxiliary: whether to train CTC through a linear head on the frontend, without the encoder.
        chunks: chunk sizes in patches, of which one is drawn for each batch; 0 means the whole
            clip.
        augment: whether to augment the clips.
        augmentation: augmentation settings that differ in this stage.
    """

    name: str
    epochs: Annotated[int, Field(ge=0)]
    learning_rate: Annotated[float, Field(gt=0)]
    warm_up: Share = 0.1
    final_learning_rate: Share = 0.02
    alpha: Share = 0.3
    train: Annotated[tuple[Component, ...], Field(min_length=1)] = (
        "frontend",
        "encoder",
        "ctc",
        "decoder",
    )
    auxiliary: bool = False
    chunks: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0,)
    augment: bool = True
    augmentation: dict[str, Any] = Field(default={})

    @property
    def learning(self) -> set[str]:
        """Return the components in ``train`` that receive a gradient from the loss."""
        reached = {"frontend"}
        if self.alpha < 1:
            reached |= {"encoder", "decoder"}
        if self.alpha > 0 and not self.auxiliary:
            reached |= {"encoder", "ctc"}
        return reached & set(self.train)

    @model_validator(mode="after")
    def _learns(self) -> StageConfig:
        if not self.learning:
            raise ValueError(
                f"stage {self.name}: its loss does not train any of {list(self.train)}"
            )
        return self


class FeatureConfig(_Section):
    """The part of the preprocessing recipe that training decides.

    Attributes:
        location: origin of wrist positions: ``sensor``, or ``entry``, the wrist of the hand that
            enters first.
        scaling: ``standard`` and ``minmax`` are fitted to the training split; ``motion`` multiplies
            velocities by 3; ``none`` changes nothing.
    """

    location: Literal["sensor", "entry"] = "sensor"
    scaling: Scaling = "standard"


class TrainingConfig(_Section):
    """All settings of `whispersign train` except the data.

    Attributes:
        seed: random seed for the weights, the order of clips and the augmentation.
        size: network size, the name of a file in ``config/model``; ``--model`` overrides it.
        network: settings that differ from that file, by section, such as ``{decoder: {alpha:
            0.2}}``. A network loaded with ``--init`` keeps its own settings.
        batch_size: number of clips per batch and process; smaller for a small dataset, so that an
            epoch has at least 16 steps.
        accumulate: number of batches whose gradients are combined into one step. Schedules and
            averages count steps.
        precision: numeric precision of the network; ``16-mixed`` needs a GPU. Losses, weights and
            their average always use 32 bits.
        workers: number of processes that load and augment clips; 0 loads in the training process.
        weight_decay: weight decay of AdamW.
        gradient_clip: norm to which larger gradients are clipped.
        label_smoothing: label smoothing of the attention loss.
        averaging: decay of the exponential moving average of the weights, which is validated and
            saved; 0 disables it.
        patience: number of epochs without a better validation WER after which a stage ends; 0
            disables this. A stage with an auxiliary head always runs to its end, because its
            network cannot recognize yet.
        features: location and scaling of the features.
        augmentation: strength of the augmentation.
        stages: the stages in order.
    """

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    size: Literal["tiny", "base", "default", "large"] = "tiny"
    network: dict[str, dict[str, Any]] = Field(default={})
    batch_size: Annotated[int, Field(ge=1)] = 32
    accumulate: Annotated[int, Field(ge=1)] = 1
    precision: Literal[32, "bf16-mixed", "16-mixed"] = 32
    workers: Annotated[int, Field(ge=0)] = 1
    weight_decay: Annotated[float, Field(ge=0)] = 0.02
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.99
    patience: Annotated[int, Field(ge=0)] = 0
    features: FeatureConfig = FeatureConfig()
    augmentation: Augmentation = Augmentation()
    stages: Annotated[tuple[StageConfig, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _stages_vary_as_they_may(self) -> TrainingConfig:
        for stage in self.stages:
            self.stage_augmentation(stage)
        return self

    def stage_augmentation(self, stage: StageConfig) -> Augmentation | None:
        """Return the augmentation of a stage, or None if the stage has none.

        Raises:
            ConfigError: a field does not exist or is out of range.
        """
        changed = self.augmentation.changed(**stage.augmentation)
        return changed if stage.augment else None
