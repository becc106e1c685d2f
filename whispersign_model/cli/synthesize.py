"""Record made-up signs of a parametric signer as annotated bags, for tests and first trials."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from whispersign_model.errors import BagError, ConfigError

if TYPE_CHECKING:
    from whispersign_model.synthesis.corpus import CorpusOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``whispersign synthesize``."""
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        help="the bag to write; a folder of bags when more than one recording is asked for",
    )
    what = parser.add_argument_group("what to sign (default: one random sentence)")
    what.add_argument("--glosses", metavar="A,B,C", help="this sentence")
    what.add_argument("--sentences", type=int, default=0, metavar="N", help="random sentences")
    what.add_argument(
        "--takes",
        type=int,
        default=0,
        metavar="N",
        help="takes of the sentence given with --glosses; without it, of every sign alone",
    )
    what.add_argument(
        "--idle", type=int, default=0, metavar="N", help="recordings of movements that are no signs"
    )
    what.add_argument("--vocabulary", metavar="A,B,C", help="signs to draw from (default: all)")
    what.add_argument("--length", default="3-7", metavar="MIN-MAX", help="glosses in a sentence")
    what.add_argument(
        "--repeats", type=float, default=0.1, metavar="P", help="probability of a doubled gloss"
    )
    who = parser.add_argument_group("who signs, and what sees it")
    who.add_argument("--seed", type=int, default=0, help="same seed, same recordings")
    who.add_argument(
        "--signers", type=int, default=1, metavar="N", help="signers; each makes all of the above"
    )
    who.add_argument(
        "--first-signer", type=int, default=0, metavar="K", help="number of the first signer"
    )
    who.add_argument(
        "--left-handed", type=float, metavar="P", help="probability of a left-handed signer"
    )
    who.add_argument("--sensor", choices=("leap", "camera", "ideal"), default="leap")
    who.add_argument("--rate", type=float, metavar="HZ", help="frames per second")
    parser.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap")


def run(arguments: argparse.Namespace) -> int:
    """Write the bag or bags and say what they hold."""
    from whispersign_model.recordings.bag import write_bag
    from whispersign_model.synthesis.corpus import synthesize_corpus

    options = _options(arguments)
    out: Path = arguments.out
    if options.recordings == 1:
        (recording,) = synthesize_corpus(options)
        write_bag(out, recording, storage=arguments.storage)
        print(f"{out}: {recording.duration:.1f} s, {' '.join(recording.glosses) or 'no glosses'}")
        return 0
    _write_many(options, out, arguments.storage)
    print(f"{out}: {options.recordings} bags of {options.signers} signers")
    return 0


def _write_many(options: CorpusOptions, out: Path, storage: str) -> None:
    """Write one bag a recording into a folder that appears whole."""
    from rich.progress import track

    from whispersign_model.recordings.atomic import whole_folder
    from whispersign_model.recordings.bag import write_bag
    from whispersign_model.synthesis.corpus import synthesize_corpus

    with whole_folder(out, BagError) as folder:
        for recording in track(
            synthesize_corpus(options), total=options.recordings, description="signing"
        ):
            write_bag(folder / recording.name, recording, storage=storage)


def _options(arguments: argparse.Namespace) -> CorpusOptions:
    """Turn the command line into options.

    Raises:
        ConfigError: naming the option that makes no sense.
    """
    from whispersign_model.synthesis.corpus import CorpusOptions
    from whispersign_model.synthesis.sensor import SensorModel
    from whispersign_model.synthesis.style import LEFT_HANDED

    for name, least in (("sentences", 0), ("takes", 0), ("idle", 0), ("signers", 1)):
        if getattr(arguments, name) < least:
            raise ConfigError(f"--{name}", "is too small", f"give {least} or more")
    if arguments.rate is not None and not 1 <= arguments.rate <= 1000:
        raise ConfigError("--rate", f"is {arguments.rate:g}", "give 1 to 1000 frames per second")
    prompts = (_words(arguments.glosses),) if arguments.glosses else ()
    nothing = not (prompts or arguments.sentences or arguments.takes or arguments.idle)
    share = LEFT_HANDED if arguments.left_handed is None else arguments.left_handed
    return CorpusOptions(
        seed=arguments.seed,
        signers=arguments.signers,
        first_signer=arguments.first_signer,
        glosses=_words(arguments.vocabulary) if arguments.vocabulary else (),
        takes=0 if prompts else arguments.takes,
        sentences=1 if nothing else arguments.sentences,
        length=_length(arguments.length),
        repeats=arguments.repeats,
        prompts=prompts,
        prompt_takes=max(arguments.takes, 1),
        idle=arguments.idle,
        left_handed=share,
        sensor=SensorModel.named(arguments.sensor, arguments.rate),
    )


def _words(text: str) -> tuple[str, ...]:
    """Glosses between commas or spaces, in capitals."""
    return tuple(text.replace(",", " ").upper().split())


def _length(text: str) -> tuple[int, int]:
    """Read ``MIN-MAX`` or one number."""
    try:
        numbers = [int(part) for part in text.split("-")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise ConfigError("--length", f"is '{text}'", "write it as 3-7 or 5")
    return numbers[0], numbers[-1]
