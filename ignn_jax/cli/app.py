"""Open a local page in the browser: upscale pictures, look into the graph."""

import argparse
import functools
import importlib.util
import ipaddress
import pathlib

from ignn_jax.cli.arguments import add_machine, add_max_pixels
from ignn_jax.cli.words import in_words
from ignn_jax.errors import InputError

_LOCAL = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of this command."""
    parser.set_defaults(run=_run)
    add = parser.add_argument
    add(
        "--weights",
        type=pathlib.Path,
        nargs="+",
        metavar="NAME_OR_PATH",
        help="networks to choose from: names, weights files, workdirs (default: those "
        "that come with the package)",
    )
    add(
        "--vgg19",
        type=pathlib.Path,
        metavar="FILE",
        help="VGG19's weights, to look at the graph by its features too",
    )
    add("--port", type=port, metavar="N", help="(default: a free one)")
    add(
        "--host",
        default=_LOCAL,
        metavar="ADDRESS",
        help=f"address to listen at (default: {_LOCAL}, this machine alone); others "
        "need --auth",
    )
    add("--auth", type=user, metavar="USER:PASSWORD", help="let nobody else in")
    add("--no-browser", action="store_true", help="only print the page's address")
    add_machine(parser)
    add_max_pixels(parser)


def _run(args: argparse.Namespace) -> int:
    if args.auth is None and not _is_loopback(args.host):
        raise InputError(
            f"{args.host} lets others in; set a user and a password "
            "(--auth USER:PASSWORD)",
            field="host",
        )
    from ignn_jax.weights.find import find_weights, pretrained

    weights = tuple(map(str, args.weights or pretrained()))
    for name in weights:
        find_weights(name)  # now, rather than on the page
    if importlib.util.find_spec("gradio") is None:
        raise InputError("the page needs Gradio: pip install 'ignn-jax[app]'")
    from ignn_jax.app.sessions import Sessions, temporary_folder
    from ignn_jax.app.upscaling import Machine
    from ignn_jax.pictures.reader import MAX_PIXELS

    machine = Machine(args.tile, args.device, args.dtype, args.programs)
    with temporary_folder() as folder:
        from ignn_jax.app.page import App
        from ignn_jax.app.server import serve

        app = App(
            sessions=Sessions(folder),
            weights=weights,
            vgg19=args.vgg19,
            machine=machine,
            max_pixels=args.max_pixels or MAX_PIXELS,
            words=functools.partial(in_words, args=args),
        )
        serve(
            app,
            host=args.host,
            port=args.port,
            auth=args.auth,
            in_browser=not args.no_browser,
            ready=_say,
        )
    return 0


def _say(url: str) -> None:
    print(f"{url}  (Ctrl-C ends it)", flush=True)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def port(text: str) -> int:
    """1 to 65535."""
    number = int(text)
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{number} is not between 1 and 65535")
    return number


def user(text: str) -> tuple[str, str]:
    """USER:PASSWORD."""
    name, _, password = text.partition(":")
    if not name or not password:
        raise argparse.ArgumentTypeError("give USER:PASSWORD")
    return name, password
