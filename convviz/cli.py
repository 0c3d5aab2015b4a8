"""The command line, and its words wherever a document holds them."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from convviz.cases import CASES, Case
from convviz.documents import Picture, image_format, make_folder, one_line
from convviz.errors import ConvvizError
from convviz.formats import FORMATS
from convviz.layers import read_layer
from convviz.markdown import update
from convviz.ops import OPERATIONS, Operation, show
from convviz.snippet import PLACES, snippet
from convviz.spec import (
    SHORT,
    command,
    flag_names,
    nearest_of,
    parameter_names,
    parse_case,
    unknown_name,
    whole_number,
)
from convviz.theme import THEMES
from convviz.views import VIEWS

if TYPE_CHECKING:
    from convviz.animate import Animation

HELP = {
    "input_size": "cells of the operation's own input: 5, or 5,7 (rows, columns), or 7, for one axis",
    "kernel_size": "cells of the kernel",
    "stride": "distance between two places of the window",
    "padding": "1, or 1,2, or begin:end, or valid, same, same_lower, full",
    "dilation": "distance between two taps of the kernel",
    "output_padding": "cells added to one side of a transposed convolution's output",
    "groups": "groups of channels that are convolved apart",
    "padding_mode": "what a convolution's padding holds: zeros, reflect, replicate or circular",
    "ceil_mode": "let a last window of a pooling run past the end",
    "count_include_pad": "whether padding counts in an average (it does)",
    "channels": "channels of a pooling",
}
WORDS = {"padding_mode": "MODE", "groups": "N", "channels": "N", "in_channels": "N", "out_channels": "N"}
TAKES_NUMBERS = ("--x", "--weight", "--bias")
LONG_WORK = 200
"""Steps from which on a progress bar is worth its space."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program. Returns 0 when it is done, 2 where what was given cannot be drawn, 1 for anything else."""
    try:
        with _interruptible():
            status = 0
            with suppress(SystemExit):  # --help and --version, which argparse ends so
                arguments = _parser().parse_args(argv)
                status = arguments.run(arguments) or 0
            if sys.stdout is not None:
                sys.stdout.flush()  # what cannot be written is found out here, not at exit
            return int(status)
    except ConvvizError as error:
        return _complain(str(error), 2)
    except KeyboardInterrupt:
        return _complain("interrupted", 1)
    except BrokenPipeError:
        # Python would complain once more when it flushes stdout at exit.
        with suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _complain(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""), 1)
    except MemoryError:
        return _complain("not enough memory", 1)


def _complain(message: str, status: int) -> int:
    if sys.stderr is not None:  # closed by whoever started the program
        with suppress(OSError):
            print("convviz:", " ".join(message.split()), file=sys.stderr)
    return status


def _say(text: str) -> None:
    """Print ``text``; what stdout's encoding has not is escaped."""
    if sys.stdout is not None:
        encoding = sys.stdout.encoding or "utf-8"
        print(text.encode(encoding, "backslashreplace").decode(encoding))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let each signal that asks the program to end do so once, as Ctrl-C does, so that no temporary file is left."""
    before: dict[int, Any] = {}

    def interrupt(*_: object) -> NoReturn:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # a second one must not strike while the first one cleans up
        raise KeyboardInterrupt

    try:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # One that is ignored (nohup) stays so; None is a handler that is not Python's.
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, interrupt)
    except ValueError:  # not in the main thread, where signals do not arrive
        pass
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Parser(argparse.ArgumentParser):
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, unknown = super().parse_known_args(_joined(sys.argv[1:] if args is None else args), namespace)
        if unknown:  # said here, by the parser of the command, which knows its options
            options = [option[2:] for option in self._option_string_actions if option.startswith("--")]
            close = nearest_of(unknown[0].removeprefix("--").partition("=")[0], options)
            advice = f'; did you mean "--{close}"?' if close and unknown[0].startswith("--") else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{advice}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        raise ConvvizError(f"{message} (see {self.prog} --help)")


class _Name(argparse.Action):
    """A case, an operation, or a layer of PyTorch, which is an operation and what no option says of its parameters."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        namespace.name, written = read_layer(values) if "(" in values else (values, {})
        for parameter, text in written.items():
            if getattr(namespace, parameter) is None:
                setattr(namespace, parameter, text)


def _joined(words: Sequence[str]) -> list[str]:
    """``words`` with ``--weight -1,0,1`` as ``--weight=-1,0,1``: argparse takes only a plain number for no option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] in TAKES_NUMBERS and word[:1] == "-" and (word[1:2].isdigit() or word[1:2] == "."):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _parser() -> argparse.ArgumentParser:
    from convviz import __version__

    parser = _Parser(prog="convviz", description="Animated pictures of convolution arithmetic.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"convviz {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[Any], Any], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        sub.set_defaults(run=run)
        return sub

    render = add("render", _render, "Draw one case or operation to a file.")
    _add_picture(render)
    render.add_argument("-o", "--output", required=True, metavar="FILE", help="the file to write; - is stdout")
    render.add_argument("--format", metavar="SUFFIX", help=f"format, if not that of FILE's name: {', '.join(FORMATS)}")
    render.set_defaults(theme=None)  # in the formats that can, it follows its reader
    render.add_argument("--steps", metavar="all", help="one file a step: -o must hold %%d, as in frame-%%d.pdf")

    listing = add("list", _list, "List the named cases.")
    listing.add_argument("--json", action="store_true", help="as JSON")

    gallery = add("gallery", _gallery, "Draw named cases, all if none is named, to DIR/NAME.gif.")
    gallery.add_argument("folder", metavar="DIR")
    gallery.add_argument("names", metavar="NAME", nargs="*", default=[])
    _add_looks(gallery, both_themes=False)  # a GIF holds one

    describe = add("describe", _describe, "Print the arithmetic of one case or operation.")
    _add_operation(describe)
    describe.add_argument("--json", action="store_true", help="as JSON")

    paste = add("snippet", _snippet, "Write a picture's files and print what to paste into a page that shows it.")
    _add_picture(paste)
    _add_document(paste)
    paste.set_defaults(theme=None)
    places = ", ".join(PLACES)
    paste.add_argument("--for", required=True, dest="place", metavar="PLACE", help=f"where it is pasted: {places}")
    paste.add_argument("-o", "--output", default=".", metavar="DIR", help="folder of the files (here)")
    paste.add_argument("--name", dest="name_files", metavar="NAME", help="how the files' names begin")

    pages = add("markdown", _markdown, "Put the pictures of ```convviz fences into Markdown pages.")
    pages.add_argument("pages", metavar="PAGE.md", nargs="+")
    pages.add_argument("--check", action="store_true", help="change nothing; exit 1 where something would change")
    pages.add_argument("--redraw", action="store_true", help="draw pictures anew that are there already")
    pages.add_argument("-o", "--output", metavar="DIR", help="folder of the pictures (that of the page)")
    pages.add_argument("--url", metavar="PREFIX", help="what a picture's name follows in the page, such as /img/")
    return parser


def _add_picture(parser: argparse.ArgumentParser) -> None:
    """What says which picture is drawn, on the command line and in documents."""
    _add_operation(parser)
    _add_looks(parser)
    parser.add_argument("--view", metavar="NAME[,NAME]", help=", ".join(VIEWS) + "; several are laid side by side")
    parser.add_argument("--order", metavar="NAME", help="gather (the default), scatter, or both side by side")
    parser.add_argument("--labels", metavar="NAME", help="what stands in the cells: values (the default) or symbols")
    parser.add_argument(
        "--with-transposed", action="store_true", help="put the convolution that runs it backwards beside it"
    )
    numbers = parser.add_argument_group("your own numbers, whose sizes are then those of the operation")
    for name, what in (("x", "the input"), ("weight", "the kernel")):
        text = f'{what}: "1,0,-1;2,0,-2" (rows parted by ;), a .npy, .csv or .txt file, or the grey levels of an image'
        numbers.add_argument(f"--{name}", metavar="ARRAY", help=text)
    numbers.add_argument("--bias", metavar="NUMBER", help="what is added to each output; 1,2 for two output channels")
    parser.add_argument("--step", metavar="N", help="the step that a still picture shows, from 0")


def _add_document(parser: argparse.ArgumentParser) -> None:
    """What says how the picture stands in a document."""
    parser.add_argument("--format", metavar="NAME", help="gif, svg, ... instead of what suits the place")
    parser.add_argument("--alt", default="", metavar="TEXT", help="alt text instead of the picture's own")
    parser.add_argument("--title", default="", metavar="TEXT", help="text to be set under the picture")


def document_parser() -> argparse.ArgumentParser:
    """The grammar of a picture in a document: the words that follow ``convviz render``, without the file."""
    parser = _Parser(prog="convviz render", add_help=False, allow_abbrev=False)
    _add_picture(parser)
    _add_document(parser)
    return parser


def read_picture(words: str | Sequence[str], folder: str | os.PathLike[str] = ".") -> Picture:
    """The picture that a document in ``folder`` asks for: the files of its own numbers are named from there.

    Raises `ConvvizError` where it cannot be drawn.

    >>> read_picture("conv-transpose -i 3 -k 3 -s 2 --step 4").alt_text[:40]
    'Animation of a transposed convolution (k'
    """
    if isinstance(words, str):
        try:
            split = shlex.split(words)
        except ValueError as error:
            raise ConvvizError(f'words are "{one_line(words)[:60]}": {str(error).lower()}') from None
    else:
        split = [*words]
    if not split:
        raise ConvvizError("name is missing: give a case or an operation, such as conv-transpose -i 3 -k 3 -s 2")
    arguments = document_parser().parse_args(split)
    for name in ("x", "weight"):
        given = getattr(arguments, name)
        if given and os.path.splitext(given)[1]:
            # Numbers that are written out may look so too; then there is no such file.
            path = os.path.join(folder, given)
            setattr(arguments, name, path if os.path.isfile(path) else given)
    return _picture(arguments)


def _picture(arguments: argparse.Namespace) -> Picture:
    animation, step = _animation(arguments)
    suffix = image_format(arguments.format) if arguments.format else None
    return Picture(arguments.name, animation, step, suffix, arguments.alt, arguments.title)


def _add_operation(parser: argparse.ArgumentParser) -> None:
    names = (
        f"a name that `convviz list` prints, an operation: {', '.join(OPERATIONS)}, or a layer: 'nn.Conv2d(1, 1, 3)'"
    )
    parser.add_argument("name", metavar="NAME_OR_OP", help=names, action=_Name)
    group = parser.add_argument_group("parameters of the operation, as in PyTorch")
    for name in parameter_names():
        flags = [SHORT[name]] if name in SHORT else []
        option: dict[str, Any] = {"metavar": WORDS.get(name, "SIZE")}
        if name in flag_names():
            option = {"action": argparse.BooleanOptionalAction}
        group.add_argument(*flags, "--" + name.replace("_", "-"), dest=name, help=HELP.get(name), **option)


def _add_looks(parser: argparse.ArgumentParser, both_themes: bool = True) -> None:
    themes = ", ".join(THEMES) + (", or light,dark in .svg and .html" if both_themes else "")
    parser.add_argument("--theme", default="light", metavar="NAME", help=themes)
    parser.add_argument("--caption", action="store_true", help="name the operation and the step under the picture")
    parser.add_argument("--transparent", action="store_true", help="leave the background out")
    width = "width of the picture in pixels (what its cells need; several pictures side by side at most 1280)"
    parser.add_argument("--width", metavar="PIXELS", help=width)
    parser.add_argument("--duration", metavar="MS", help="milliseconds a step (1000)")
    parser.add_argument("--plays", metavar="N", help="how often it is played, 0 (the default) for ever")


def _looks(arguments: argparse.Namespace) -> dict[str, Any]:
    looks = {"theme": arguments.theme, "caption": arguments.caption, "transparent": arguments.transparent}
    for name in ("width", "duration", "plays"):
        if getattr(arguments, name) is not None:
            looks[name] = _whole(name, getattr(arguments, name))
    return looks


def _whole(name: str, text: str) -> int:
    try:
        return whole_number(text)
    except ValueError:
        raise ConvvizError(f'{name} is "{text}": give a whole number') from None


def _case(arguments: argparse.Namespace, sizes: dict[str, str] | None = None) -> Case:
    given = {name: getattr(arguments, name) for name in parameter_names()}
    parameters = {name: show(value) for name, value in given.items() if value is not None}
    return parse_case(arguments.name, {**(sizes or {}), **parameters})


def _numbers(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    """The user's arrays, and the sizes that they have."""
    from convviz.arrays import read_array

    arrays, sizes = {}, {}
    for name, size in (("x", "input_size"), ("weight", "kernel_size")):
        text = getattr(arguments, name)
        if text is not None:
            array = arrays[name] = read_array(name, text)
            if array.ndim == 0:
                raise ConvvizError(f'{name} is "{text}": it holds a single number; give an array of 1 or 2 axes')
            sizes[size] = ",".join(map(str, array.shape[-2:])) + ("," if array.ndim == 1 else "")
    if arguments.bias is not None:
        arrays["bias"] = read_array("bias", arguments.bias).reshape(-1)
    # With channels, an array has axes for them before those of its cells.
    operation = CASES[arguments.name].op.name if arguments.name in CASES else arguments.name
    x, weight = arrays.get("x"), arrays.get("weight")
    if x is not None and x.ndim == 3:
        sizes["channels" if operation in ("max-pool", "average-pool") else "in_channels"] = str(len(x))
    if weight is not None and weight.ndim == 4:
        across = weight.shape[1] * _whole("groups", arguments.groups or "1")
        ends = (len(weight), across) if operation == "conv-transpose" else (across, len(weight))
        sizes["in_channels"], sizes["out_channels"] = map(str, ends)
    return arrays, sizes


def _animation(arguments: argparse.Namespace) -> tuple[Animation, int | None]:
    """The picture that the arguments of `_add_picture` ask for, and the step to stand still at."""
    from convviz.animate import animate

    arrays, sizes = _numbers(arguments)
    case = _case(arguments, sizes)
    step = None if arguments.step is None else _whole("step", arguments.step)
    picture = animate(
        case.op,
        view=case.view if arguments.view is None else arguments.view,
        order=case.order if arguments.order is None else arguments.order,
        labels=arguments.labels,
        with_transposed=arguments.with_transposed or case.with_transposed,
        **arrays,
        **_looks(arguments),
    )
    return picture, step


def _render(arguments: argparse.Namespace) -> None:
    suffix = arguments.format and "." + arguments.format.removeprefix(".").lower()
    if arguments.output == "-" and not suffix:
        raise ConvvizError("format is not given: -o - needs --format, such as --format gif")
    picture, step = _animation(arguments)
    if arguments.steps not in (None, "all"):
        raise ConvvizError(f'steps is "{arguments.steps}": give all, or the number of one step to --step')
    if arguments.steps and (step is not None or arguments.output == "-"):
        raise ConvvizError("steps is all: give it without --step, and with -o frame-%d.pdf or the like")
    with _progress(picture) as progress:
        if arguments.output == "-":
            if sys.stdout is None:
                raise ConvvizError("output is -: stdout is closed; give a file")
            picture.write(sys.stdout.buffer, suffix, step=step, progress=progress)
            sys.stdout.buffer.flush()
        elif arguments.steps:
            picture.save_steps(arguments.output, suffix=suffix, progress=progress)
        else:
            picture.save(arguments.output, suffix=suffix, step=step, progress=progress)


@contextmanager
def _progress(picture: Animation) -> Iterator[Callable[[int], None] | None]:
    """A bar on stderr, where that is a terminal and there is much to draw."""
    if sys.stderr is None or not sys.stderr.isatty() or len(picture) < LONG_WORK:
        yield None
        return
    total, width = len(picture), 40

    def advance(step: int) -> None:
        if step % max(total // 100, 1) == 0 or step == total - 1:
            done = (step + 1) * width // total
            sys.stderr.write(f"\r[{'#' * done}{'.' * (width - done)}] step {step + 1} of {total}")
            sys.stderr.flush()

    try:
        yield advance
    finally:
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()


def _shown(case: Case) -> dict[str, Any]:
    """How a case is shown, for JSON."""
    return {"view": case.view, "order": case.order, "with_transposed": case.with_transposed}


def _list(arguments: argparse.Namespace) -> None:
    if arguments.json:
        from convviz.describe import facts

        _say(json.dumps({name: {**facts(case.op), **_shown(case)} for name, case in CASES.items()}, indent=2))
        return
    wide = max(map(len, CASES))
    for name, case in CASES.items():
        _say(f"{name:{wide}}  {command(case)}")


def _gallery(arguments: argparse.Namespace) -> None:
    from convviz.animate import animate

    for name in arguments.names:
        if name not in CASES:
            raise unknown_name(name, CASES)
    looks = _looks(arguments)
    folder = make_folder(arguments.folder)
    for name in arguments.names or CASES:
        path = folder / f"{name}.gif"
        animate(name, **looks).save(path)
        _say(str(path))


def _describe(arguments: argparse.Namespace) -> None:
    from convviz.describe import facts, report

    op = _case(arguments).op
    _say(json.dumps(facts(op, _draws), indent=2) if arguments.json else report(op, _draws))


def _draws(op: Operation) -> bool:
    """Whether there is a picture of ``op``, which may be too large for one."""
    from convviz.animate import animate

    with suppress(ConvvizError):
        animate(op)
        return True
    return False


def _snippet(arguments: argparse.Namespace) -> None:
    # Without a theme, the page follows its reader's: an SVG by itself, other formats by a file for each.
    themes = [arguments.theme]
    if arguments.theme is None:
        one = arguments.format and image_format(arguments.format) == ".svg"
        themes = ["light,dark"] if one else ["light", "dark"]
    pictures = {}
    for arguments.theme in themes:
        pictures[arguments.theme] = _picture(arguments)
    _say(snippet(pictures, arguments.place, arguments.output, arguments.name_files))


def _markdown(arguments: argparse.Namespace) -> int:
    changed = 0
    for page in arguments.pages:
        read = partial(read_picture, folder=os.path.dirname(page))
        done = update(page, read, arguments.output, arguments.url, arguments.redraw, arguments.check)
        changed += bool(done)
        for verb, paths in (
            ("draw", done.written), ("rewrite", [page] if done.changed else []), ("remove", done.removed)
        ):  # fmt: skip
            for path in paths:
                _say(f"would {verb} {path}" if arguments.check else f"{verb} {path}")
    return 1 if arguments.check and changed else 0


def run() -> NoReturn:
    """The installed command: a process of its own, in which matplotlib's interactive settings have no say."""
    os.environ["MPLBACKEND"] = "agg"  # import fails where it names a backend that there is not
    sys.exit(main())
