# SPDX-License-Identifier: MIT
"""Record signs made by a synthetic signer as annotated bags, for tests and first trials."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from whispersign_model.cli.arguments import index, refuse_idle, seed
from whispersign_model.errors import BagError, ConfigError, WhisperSignError

if TYPE_CHECKING:
    from whispersign_model.synthesis.corpus import CorpusOptions

FPS, SIZE = 30.0, "640x480"  # defaults for rendered videos


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``whispersign synthesize``."""
    add = parser.add_mutually_exclusive_group(required=True).add_argument
    add("--out", type=Path, help="bag to write, or folder of bags for more than one recording")
    add("--list", action="store_true", help="only print the signs as a table")
    add("--sheet", type=Path, metavar="FILE.jpg", help="only draw a picture of every sign")
    add = parser.add_argument_group("pictures").add_argument
    add(
        "--video",
        type=Path,
        metavar="FILE.mp4",
        help="also render the hands, to a folder if --out is a folder of bags; label tables are "
        "written beside the videos",
    )
    add("--fps", type=float, help=f"pictures per second (default: {FPS:g})")
    add("--size", metavar="WxH", help=f"size of the pictures (default: {SIZE})")
    add = parser.add_argument_group("what to sign (default: one random sentence)").add_argument
    add("--glosses", metavar="A,B,C", help="this sentence")
    add("--sentences", type=int, default=0, metavar="N", help="random sentences")
    add(
        "--takes",
        type=int,
        default=0,
        metavar="N",
        help="takes of the sentence in --glosses, or of every single sign without --glosses",
    )
    add("--idle", type=int, default=0, metavar="N", help="recordings of movements without signs")
    add("--vocabulary", metavar="A,B,C", help="signs to draw from (default: all)")
    add("--length", default="3-7", metavar="MIN-MAX", help="glosses in a sentence")
    add("--repeats", type=float, default=0.1, metavar="P", help="probability of a doubled gloss")
    add = parser.add_argument_group("signers and sensor").add_argument
    add("--seed", type=seed, default=0, help="the same seed gives the same recordings")
    add(
        "--signers",
        type=int,
        default=1,
        metavar="N",
        help="number of signers; each makes all of the above",
    )
    add("--first-signer", type=index, default=0, metavar="K", help="number of the first signer")
    add("--left-handed", type=float, metavar="P", help="probability of a left-handed signer")
    add("--sensor", choices=("leap", "camera", "ideal"), default="leap")
    add("--rate", type=float, metavar="HZ", help="frames per second")
    parser.add_argument("--storage", choices=("mcap", "sqlite3"), default="mcap")


def run(arguments: argparse.Namespace) -> int:
    """Write the bags or show the signs, and print a summary."""
    from whispersign_model.synthesis.lexicon import default_lexicon

    try:
        if arguments.list:
            print(default_lexicon().table(), end="")
        elif arguments.sheet:
            from whispersign_model.synthesis.sheet import write_sheet

            write_sheet(default_lexicon(), arguments.sheet)
        else:
            _record(_options(arguments), arguments)
    except OSError as error:
        raise WhisperSignError(
            error.filename or "pictures",
            f"cannot be written ({error.strerror})",
            "choose another place",
        ) from error
    return 0


def _record(options: CorpusOptions, arguments: argparse.Namespace) -> None:
    """Write a bag and, if requested, a video per recording; output folders appear atomically."""
    from rich.progress import track

    from whispersign_model.recordings.atomic import whole_folder
    from whispersign_model.recordings.bags.bag import write_bag
    from whispersign_model.recordings.labels import FOLDER_TABLE, write_table
    from whispersign_model.synthesis.corpus import synthesize_corpus

    out: Path = arguments.out
    video: Path | None = arguments.video
    recordings = synthesize_corpus(options)
    films = _films(options, arguments) if video else repeat(None)
    if options.recordings == 1:
        recording, film = next(recordings), next(films)
        write_bag(out, recording, storage=arguments.storage)
        if video and film:
            film(video)
            write_table(video.with_suffix(".csv"), [replace(recording, name=video.stem)])
        print(f"{out}: {recording.duration:.1f} s, {' '.join(recording.glosses) or 'no glosses'}")
        return
    with ExitStack() as stack:
        bags = stack.enter_context(whole_folder(out, BagError))
        videos = stack.enter_context(whole_folder(video, WhisperSignError)) if video else None
        filmed = []
        for recording in track(recordings, "signing", total=options.recordings):
            write_bag(bags / recording.name, recording, storage=arguments.storage)
            film = next(films)
            if videos and film:
                film(videos / f"{recording.name}.mp4")
                first = int(recording.stamps[0])
                bare = recording.between(first, first)  # all full recordings would fill memory
                filmed.append(replace(bare, segments=recording.segments))
        if videos:
            write_table(videos / FOLDER_TABLE, filmed)
    print(f"{out}: {options.recordings} bags of {options.signers} signers")


def _films(
    options: CorpusOptions, arguments: argparse.Namespace
) -> Iterator[Callable[[Path], int]]:
    """Yield a function for each recording that renders its true movement to a file."""
    from whispersign_model.synthesis.camera import Camera
    from whispersign_model.synthesis.corpus import synthesize_corpus, truth_of
    from whispersign_model.synthesis.render import Look, Renderer, write_video

    size = SIZE if arguments.size is None else arguments.size
    camera, rate = Camera.sized(*_size(size)), arguments.fps or FPS
    for truth in synthesize_corpus(truth_of(options, rate)):
        look = Look.of_signer(int(truth.meta["seed"]))
        yield partial(write_video, truth, rate=rate, renderer=Renderer(camera, look))


def _options(arguments: argparse.Namespace) -> CorpusOptions:
    """Build corpus options from the command line.

    Raises:
        ConfigError: names the invalid option.
    """
    from whispersign_model.synthesis.corpus import CorpusOptions
    from whispersign_model.synthesis.sensor import SensorModel
    from whispersign_model.synthesis.style import LEFT_HANDED

    for name, least in (("sentences", 0), ("takes", 0), ("idle", 0), ("signers", 1)):
        if getattr(arguments, name) < least:
            raise ConfigError(f"--{name}", "is too small", f"give {least} or more")
    for name, rate in (("--rate", arguments.rate), ("--fps", arguments.fps)):
        if rate is not None and not 1 <= rate <= 1000:
            raise ConfigError(name, f"is {rate:g}", "give 1 to 1000 frames per second")
    if not arguments.video:
        idle = {"fps": None, "size": None}
        refuse_idle(arguments, idle, "has no effect without --video", "give both, or neither")
    prompts = (_words("--glosses", arguments.glosses),) if arguments.glosses else ()
    nothing = not (prompts or arguments.sentences or arguments.takes or arguments.idle)
    share = LEFT_HANDED if arguments.left_handed is None else arguments.left_handed
    return CorpusOptions(
        seed=arguments.seed,
        signers=arguments.signers,
        first_signer=arguments.first_signer,
        glosses=_words("--vocabulary", arguments.vocabulary) if arguments.vocabulary else (),
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


def _words(option: str, text: str) -> tuple[str, ...]:
    """Split glosses at commas or spaces and capitalize them."""
    words = tuple(text.replace(",", " ").upper().split())
    if not words:
        raise ConfigError(option, "names no gloss", "write glosses with commas between them")
    return words


def _length(text: str) -> tuple[int, int]:
    """Parse ``MIN-MAX`` or one number."""
    try:
        numbers = [int(part) for part in text.split("-")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise ConfigError("--length", f"is '{text}'", "write it as 3-7 or 5")
    return numbers[0], numbers[-1]


def _size(text: str) -> tuple[int, int]:
    """Parse ``WxH``: width and height in pixels."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        width = height = 0
    if not (64 <= width <= 4096 and 64 <= height <= 4096):
        raise ConfigError("--size", f"is '{text}'", "write it as 640x480, each from 64 to 4096")
    return width, height
