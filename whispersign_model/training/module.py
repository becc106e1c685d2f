"""One stage of training as a Lightning module: loss, schedule, averaged weights, validation."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from whispersign_model.errors import DatasetError
from whispersign_model.network.model import WhisperSignModel
from whispersign_model.training.config import StageConfig, TrainingConfig
from whispersign_model.training.losses import Losses, ctc_loss, decoder_loss, hybrid_loss
from whispersign_model.training.metrics import GlossErrors


class Batch(NamedTuple):
    """Clips of about the same length, padded.

    Attributes:
        features: ``(B, T, 42, 7)`` normalised.
        lengths: ``(B,)`` frames.
        targets: ``(B, L)`` gloss ids, padded with 0.
        target_lengths: ``(B,)``.
        names: of the clips.
    """

    features: Tensor
    lengths: Tensor
    targets: Tensor
    target_lengths: Tensor
    names: tuple[str, ...]


class TrainingModule(lightning.LightningModule):
    """Trains a network through one stage.

    Args:
        model: the network; its weights are updated in place.
        stage: what learns, how fast, on which loss.
        config: optimisation shared by all stages.
        glosses: the vocabulary, for the error rate.
    """

    def __init__(
        self,
        model: WhisperSignModel,
        stage: StageConfig,
        config: TrainingConfig,
        glosses: tuple[str, ...],
    ) -> None:
        super().__init__()
        self.model = model
        self.stage = stage
        self.config = config
        self.glosses = glosses
        self.auxiliary = nn.Linear(model.config.frontend.d_model, model.config.decoder.vocab_size)
        self.auxiliary.requires_grad_(stage.auxiliary)
        for component in ("frontend", "encoder", "ctc", "decoder"):
            if component in stage.train:
                model.unfreeze(component)
            else:
                model.freeze(component)
        self.averaged = AveragedModel(model, multi_avg_fn=self._average, use_buffers=True)
        self.averaged.requires_grad_(False)
        self.errors = GlossErrors()

    def _average(
        self, averages: Sequence[Tensor], currents: Sequence[Tensor], count: Tensor | int
    ) -> None:
        """Exponential moving average whose horizon grows with the steps done."""
        decay = min(self.config.averaging, (1 + int(count)) / (10 + int(count)))
        for average, current in zip(averages, currents):
            if average.is_floating_point():
                average.lerp_(current, 1 - decay)
            else:  # BatchNorm's count of batches
                average.copy_(current)

    def losses(self, batch: Batch, chunk: int) -> Losses:
        """Return the hybrid loss of a batch; with ``auxiliary`` CTC reads the frontend."""
        encoded = self.model(batch.features, batch.lengths, chunk)
        log_probs = encoded.log_probs
        if self.stage.auxiliary:
            log_probs = self.auxiliary(encoded.frontend.flatten(2)).float().log_softmax(dim=-1)
        ctc = ctc_loss(log_probs, encoded.lengths, batch.targets, batch.target_lengths)
        if self.stage.alpha == 1:
            return hybrid_loss(ctc, torch.zeros_like(ctc), 1.0)
        attention = decoder_loss(
            self.model.decoder,
            encoded,
            batch.targets,
            batch.target_lengths,
            self.config.label_smoothing,
        )
        return hybrid_loss(ctc, attention, self.stage.alpha)

    def on_train_epoch_start(self) -> None:
        """Set training mode; what is frozen stays in evaluation mode."""
        self.model.train()

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Return the loss of one batch; all chance in it depends on seed, stage and step alone.

        Raises:
            DatasetError: naming recordings of the batch, when the loss is not finite.
        """
        stage = zlib.crc32(self.stage.name.encode())
        generator = np.random.default_rng([self.config.seed, stage, self.global_step])
        torch.manual_seed(int(generator.integers(2**62)))
        chunk = int(generator.choice(self.stage.chunks))
        losses = self.losses(batch, chunk)
        if not torch.isfinite(losses.total):
            raise DatasetError(
                ", ".join(batch.names[:5]),
                f"the loss is {losses.total.item()} in step {self.global_step + 1}",
                "look at these recordings or lower the rate; the best model so far is kept",
            )
        self.log("loss", losses.total, prog_bar=True, batch_size=len(batch.names))
        self.log("loss_ctc", losses.ctc, batch_size=len(batch.names))
        self.log("loss_attention", losses.attention, batch_size=len(batch.names))
        return losses.total

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Take the new weights into the average."""
        self.averaged.update_parameters(self.model)

    @property
    def best_weights(self) -> WhisperSignModel:
        """The network that is validated and saved: averaged, if averaging is on."""
        if not self.config.averaging:
            return self.model
        assert isinstance(self.averaged.module, WhisperSignModel)
        return self.averaged.module

    def on_validation_epoch_start(self) -> None:
        """Count errors afresh."""
        self.errors = GlossErrors()

    def validation_step(self, batch: Batch, index: int) -> None:
        """Count the errors of CTC, summed over paths: a young network is sure of what, not when."""
        model = self.best_weights.eval()
        decoded = model.decode(batch.features, batch.lengths, method="beam")
        for hypothesis, targets, length in zip(decoded, batch.targets, batch.target_lengths):
            reference = [self.glosses[i - 1] for i in targets[: int(length)].tolist()]
            self.errors.add(reference, [self.glosses[i - 1] for i in hypothesis.ids])

    def on_validation_epoch_end(self) -> None:
        """Log the error rate."""
        self.log("val_wer", self.errors.wer, prog_bar=True)
        self.log("val_accuracy", self.errors.accuracy, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """AdamW over what learns; linear warm-up, then a cosine, over the steps of the stage."""
        learning = [
            p for n, p in self.named_parameters() if p.requires_grad and "averaged" not in n
        ]
        optimizer = AdamW(
            learning,
            lr=self.stage.rate,
            weight_decay=self.config.weight_decay,
            betas=(0.9, 0.98),
            fused=True,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = LambdaLR(optimizer, lambda step: warm_up_cosine(step, steps, self.stage))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step", "name": "rate"},
        }


def warm_up_cosine(step: int, steps: int, stage: StageConfig) -> float:
    """Learning rate at ``step`` of ``steps`` as a share of the stage's highest."""
    warm = max(1, round(stage.warm_up * steps))
    if step < warm:
        return (step + 1) / warm
    progress = min(1.0, (step - warm) / max(1, steps - warm))
    return stage.final_rate + (1 - stage.final_rate) * 0.5 * (1 + math.cos(math.pi * progress))
