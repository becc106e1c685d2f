# SPDX-License-Identifier: MIT
"""One training stage as a Lightning module: loss, schedule, weight averaging, validation."""

import math
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import lightning
import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from whispersign_model.errors import DatasetError
from whispersign_model.evaluation.metrics import GlossErrors
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.training.config import StageConfig, TrainingConfig
from whispersign_model.training.distributed import gather
from whispersign_model.training.losses import (
    Losses,
    ctc_loss,
    decoder_loss,
    detection_loss,
    hybrid_loss,
)
from whispersign_model.training_data.batch import Batch
from whispersign_model.training_data.batching import process

REMEDY = "look at these recordings or lower the learning rate; the best model so far is kept"
SAMPLES = 8  # number of validation clips whose hypotheses are logged


class Sample(NamedTuple):
    """The signed glosses and the recognized glosses of a validation clip."""

    name: str
    reference: tuple[str, ...]
    hypothesis: tuple[str, ...]


class TrainingModule(lightning.LightningModule):
    """Trains a network for one stage.

    Args:
        model: the network; its weights are updated in place.
        stage: the stage: components to train, learning rate and loss.
        config: the training recipe, with the optimization settings for all stages.
        glosses: the vocabulary, for computing the error rate.
        sampled: names of the validation clips whose hypotheses are kept.

    Attributes:
        errors: errors in the last validation, over all processes.
        samples: hypotheses for the sampled clips in the last validation.
        means: mean losses and mean gradient norm over the last epoch.
    """

    def __init__(
        self,
        model: WhisperSignModel,
        stage: StageConfig,
        config: TrainingConfig,
        glosses: tuple[str, ...],
        sampled: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.model = model
        self.stage = stage
        self.config = config
        self.glosses = glosses
        self.auxiliary = nn.Linear(model.config.frontend.d_model, model.config.decoder.vocab_size)
        self.auxiliary.requires_grad_(stage.auxiliary)
        for component in ("frontend", "encoder", "ctc", "decoder"):
            if component in stage.learning:
                model.unfreeze(component)
            else:
                model.freeze(component)
        self.averaged = AveragedModel(model, multi_avg_fn=self._average, use_buffers=True)
        self.averaged.requires_grad_(False)
        self.errors = GlossErrors()
        self.samples: list[Sample] = []
        self.means: dict[str, float] = {}
        self._sampled = frozenset(sampled)
        self._sums: dict[str, list[float]] = {}  # (total, count) by name, in this process
        self._seen: list[tuple[float, tuple[str, ...]]] = []  # losses and clips since the last step

    def _average(
        self, averages: Sequence[Tensor], currents: Sequence[Tensor], count: Tensor | int
    ) -> None:
        """Update the exponential moving average, whose horizon grows with the number of steps."""
        decay = min(self.config.averaging, (1 + int(count)) / (10 + int(count)))
        for average, current in zip(averages, currents):
            if average.is_floating_point():
                average.lerp_(current, 1 - decay)
            else:  # BatchNorm's counter of batches
                average.copy_(current)

    def losses(self, batch: Batch, chunk: int) -> Losses:
        """Return the hybrid loss of a batch; with ``auxiliary``, CTC uses the frontend's output."""
        encoded = self.model(batch.features, batch.lengths, chunk)
        log_probs = encoded.log_probs
        if self.stage.auxiliary:
            log_probs = self.auxiliary(encoded.frontend.flatten(2)).float().log_softmax(dim=-1)
        ctc = ctc_loss(log_probs, encoded.lengths, batch.targets, batch.target_lengths)
        if self.stage.alpha == 1:
            return hybrid_loss(ctc, torch.zeros_like(ctc), 1.0)
        attention = decoder_loss(
            self.model.decoder,
            batch.features,
            batch.lengths,
            encoded,
            batch.targets,
            batch.target_lengths,
            self.config.label_smoothing,
        )
        if len(batch.segments):
            detection = detection_loss(
                self.model.decoder, batch.features, batch.segments, self.config.label_smoothing
            )
            attention = (attention + detection) / 2
        return hybrid_loss(ctc, attention, self.stage.alpha)

    def on_train_epoch_start(self) -> None:
        """Set training mode; frozen components stay in evaluation mode."""
        self.model.train()
        self._sums = {}
        self._seen = []

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Return the loss of one batch, whose randomness depends only on seed, stage and batch.

        All processes use the same chunk size, but different dropout.

        Raises:
            DatasetError: the loss is not finite; the message names recordings in the batch.
        """
        stage = zlib.crc32(self.stage.name.encode())
        number = self.current_epoch * int(self.trainer.num_training_batches) + index
        generator = np.random.default_rng([self.config.seed, stage, number])
        rank, processes = process()
        torch.manual_seed(int(generator.integers(2**62)) + rank)
        chunk = int(generator.choice(self.stage.chunks))
        losses = self.losses(batch, chunk)
        values = torch.stack([part.detach() for part in losses]).tolist()
        self._seen.append((values[0], batch.names))
        if processes == 1:
            self._refuse_infinite_losses()
        for name, value in zip(("loss", "loss_ctc", "loss_attention"), values):
            self.log(name, value, prog_bar=name == "loss", batch_size=len(batch.names))
            self._count(name, value)
        if processes > 1:  # DDP expects gradients for all weights, even if no clip shows a hand
            learning = [parameter for parameter in self.parameters() if parameter.requires_grad]
            return losses.total + 0 * torch.stack([each.sum() for each in learning]).sum()
        return losses.total

    def _count(self, name: str, value: float) -> None:
        sums = self._sums.setdefault(name, [0.0, 0.0])
        sums[0] += value
        sums[1] += 1

    def _refuse_infinite_losses(self) -> None:
        """Stop all processes if a loss since the last step was not finite."""
        found = [(loss, names) for loss, names in self._seen if not math.isfinite(loss)]
        found = [each for own in gather(found) for each in own]
        if found:
            loss, names = found[0]
            raise DatasetError(
                ", ".join(names[:5]), f"the loss is {loss} in step {self.global_step + 1}", REMEDY
            )

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradient by its norm, and log the norm before clipping.

        Raises:
            DatasetError: the norm is not finite, so a step would turn every weight into NaN. With
                ``16-mixed``, single steps of this kind are normal and are skipped.
        """
        learning = [p for group in optimizer.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(learning, self.config.gradient_clip).item()
        if math.isfinite(norm):
            self.log("gradient_norm", norm)
            self._count("gradient_norm", norm)
        else:
            self._refuse_infinite_losses()
            if self.config.precision != "16-mixed":
                names = [name for _, names in self._seen for name in names]
                raise DatasetError(
                    ", ".join(names[:5]),
                    f"the gradient is {norm} in step {self.global_step + 1}",
                    REMEDY,
                )
        self._seen = []

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """Take an optimizer step, and average the new weights."""
        optimizer.step(closure=optimizer_closure)
        self.average()

    def average(self) -> None:
        """Update the averaged weights, after averaging BatchNorm statistics over processes."""
        _, processes = process()
        if processes > 1:
            norms = [module for module in self.model.modules() if isinstance(module, _BatchNorm)]
            for norm in norms:
                for statistics in (norm.running_mean, norm.running_var):
                    assert statistics is not None
                    distributed.all_reduce(statistics)
                    statistics /= processes
        self.averaged.update_parameters(self.model)

    @property
    def best_weights(self) -> WhisperSignModel:
        """The network to validate and save, which is the averaged one if averaging is on."""
        if not self.config.averaging:
            return self.model
        assert isinstance(self.averaged.module, WhisperSignModel)
        return self.averaged.module

    def on_validation_epoch_start(self) -> None:
        """Reset the errors and the samples."""
        self.errors = GlossErrors()
        self.samples = []

    def validation_step(self, batch: Batch, index: int) -> None:
        """Count the errors of CTC beam search, which works before the spans are reliable."""
        model = self.best_weights.eval()
        decoded = model.decode(batch.features, batch.lengths, method="beam")
        for row, hypothesis in enumerate(decoded):
            targets = batch.targets[row, : int(batch.target_lengths[row])]
            reference = tuple(self.glosses[i - 1] for i in targets.tolist())
            recognized = tuple(self.glosses[i - 1] for i in hypothesis.ids)
            self.errors.add(reference, recognized)
            if batch.names[row] in self._sampled:
                self.samples.append(Sample(batch.names[row], reference, recognized))

    def on_validation_epoch_end(self) -> None:
        """Combine and log the counts of all processes."""
        shares = gather((self.errors, self.samples, self._sums))
        self.errors = GlossErrors()
        sums: dict[str, list[float]] = {}
        for errors, _, own in shares:
            self.errors.sequences += errors.sequences
            self.errors.exact += errors.exact
            self.errors.pairs.update(errors.pairs)
            for name, (total, count) in own.items():
                before = sums.get(name, [0.0, 0.0])
                sums[name] = [before[0] + total, before[1] + count]
        self.samples = sorted(sample for _, samples, _ in shares for sample in samples)
        self.means = {name: total / count for name, (total, count) in sums.items()}
        self.log("val_wer", self.errors.wer, prog_bar=True)
        self.log("val_accuracy", self.errors.accuracy, prog_bar=True)
        for name in ("substitutions", "deletions", "insertions"):
            self.log(f"val_{name}", float(getattr(self.errors, name)))

    def configure_optimizers(self) -> Any:
        """Return AdamW for the trained weights, with linear warm-up and then cosine decay."""
        learning = [
            p for n, p in self.named_parameters() if p.requires_grad and "averaged" not in n
        ]
        optimizer = AdamW(
            learning,
            lr=self.stage.learning_rate,
            weight_decay=self.config.weight_decay,
            betas=(0.9, 0.98),
            fused=self.config.precision != "16-mixed",  # a fused step unscales after clipping
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = LambdaLR(optimizer, lambda step: warm_up_cosine(step, steps, self.stage))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step", "name": "learning_rate"},
        }


def warm_up_cosine(step: int, steps: int, stage: StageConfig) -> float:
    """Return the learning rate at ``step`` of ``steps`` as a share of the stage's peak."""
    warm = max(1, round(stage.warm_up * steps))
    if step < warm:
        return (step + 1) / warm
    progress = min(1.0, (step - warm) / max(1, steps - warm))
    return stage.final_learning_rate + (1 - stage.final_learning_rate) * 0.5 * (
        1 + math.cos(math.pi * progress)
    )
