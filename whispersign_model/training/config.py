# SPDX-License-Identifier: MIT
"""The training recipe: stages, optimization, features and augmentation, from validated YAML."""

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
        name: name in logs and folders.
        epochs: number of epochs; 0 skips the stage.
        learning_rate: peak learning rate.
        warm_up: share of the steps in which the learning rate rises linearly to its peak.
        final_learning_rate: share of the peak that is left at the end, after a cosine decay.
        alpha: weight of CTC in the loss; the attention decoder has the rest.
        train: components that learn; the others keep their weights.
        auxiliary: train CTC through a linear head on the frontend, without the encoder.
        chunks: chunk sizes in patches, one drawn for each batch; 0 is the whole clip.
        augment: augment the clips.
        augmentation: augmentation keys that differ in this stage.
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
        """Return the components of ``train`` that the loss reaches."""
        reached = {"frontend"}
        if self.alpha < 1:
            reached |= {"encoder", "decoder"}
        if self.alpha > 0 and not self.auxiliary:
            reached |= {"encoder", "ctc"}
        return reached & set(self.train)

    @model_validator(mode="after")
    def _learns(self) -> StageConfig:
        if not self.learning:
            raise ValueError(f"stage {self.name}: its loss reaches nothing of {list(self.train)}")
        return self


class FeatureConfig(_Section):
    """The half of the preprocessing recipe that training chooses.

    Attributes:
        location: origin of positions: ``sensor``, or ``entry``, the wrist of the hand seen first.
        scaling: ``standard`` and ``minmax`` are fitted on the training split; ``motion`` multiplies
            velocities by 3; ``none`` changes nothing.
    """

    location: Literal["sensor", "entry"] = "sensor"
    scaling: Scaling = "standard"


class TrainingConfig(_Section):
    """All settings of `whispersign train` except the data.

    Attributes:
        seed: random seed of weights, order and augmentation.
        size: network size, a file of ``config/model``; ``--model`` overrides it.
        network: keys that differ from that file, by section, such as ``{decoder: {alpha: 0.2}}``.
            A network given with ``--init`` keeps its own.
        batch_size: clips of similar length in a batch of each process; less for a small dataset, so
            that an epoch has at least 16 steps.
        accumulate: batches whose gradients make one step; schedules and averages count steps.
        precision: bits in which the network computes; ``16-mixed`` needs a GPU. Losses, weights and
            their average always use 32.
        workers: processes that load and augment; 0 loads in the training process.
        weight_decay: weight decay of AdamW.
        gradient_clip: largest norm of the gradient.
        label_smoothing: label smoothing of the attention loss.
        averaging: decay of the exponential moving average of the weights, which is validated and
            saved; 0 switches it off.
        patience: epochs without a better validation WER that end a stage; 0 never ends one. A stage
            with an auxiliary head runs to its end: its network does not recognize yet.
        features: location and scaling.
        augmentation: how far clips vary.
        stages: stages in order.
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
        """Return the augmentation of a stage, or None if it has none.

        Raises:
            ConfigError: a field does not exist or is out of its range.
        """
        changed = self.augmentation.changed(**stage.augmentation)
        return changed if stage.augment else None
