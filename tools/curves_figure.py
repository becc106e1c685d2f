# SPDX-License-Identifier: MIT
"""Plot training curves from ``train.log`` files: validation WER by epoch, one line per run.

``python tools/curves_figure.py OUT.svg "LABEL=RUN" ...``
"""

import re
import sys
from pathlib import Path

from matplotlib.figure import Figure

EPOCH = re.compile(r"(\S+) (\d+)/\d+: loss ([\d.]+) .* WER ([\d.]+) .* ([\d.]+) s(?:,|$)")


def epochs(log: Path) -> list[tuple[str, float, float, float]]:
    """Return stage, loss, validation WER and seconds of each epoch of a log."""
    found = map(EPOCH.search, log.read_text(encoding="utf-8").splitlines())
    return [(m[1], float(m[3]), float(m[4]), float(m[5])) for m in found if m]


def main(out: str, *runs: str) -> None:
    """Draw runs given as ``LABEL=FOLDER``."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    by_epoch, by_time = figure.subplots(1, 2, sharey=True)
    for color, run in zip(("C0", "C1", "C2", "C3"), runs):
        label, _, folder = run.partition("=")
        state_of_run = epochs(Path(folder) / "train.log")
        wers = [min(wer, 1.2) for _, _, wer, _ in state_of_run]
        minutes = [
            sum(each[3] for each in state_of_run[: n + 1]) / 60 for n in range(len(state_of_run))
        ]
        by_epoch.plot(range(1, len(state_of_run) + 1), wers, color=color, label=label)
        by_time.plot(minutes, wers, color=color)
        changes = [
            n for n in range(1, len(state_of_run)) if state_of_run[n][0] != state_of_run[n - 1][0]
        ]
        for change in changes:
            by_epoch.axvline(change + 0.5, color=color, linewidth=0.6, linestyle=":")
            by_time.axvline(minutes[change - 1], color=color, linewidth=0.6, linestyle=":")
    by_epoch.set(xlabel="epoch", ylabel="validation WER", ylim=(0, 1.25))
    by_time.set(xlabel="minutes")
    by_epoch.legend(frameon=False)
    figure.savefig(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
