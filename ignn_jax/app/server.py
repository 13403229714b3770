"""The local web server of the page."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from ignn_jax.app.compare_tab import CompareTab
from ignn_jax.app.graph_tab import GraphTab
from ignn_jax.app.page import App
from ignn_jax.app.upscale_tab import UpscaleTab
from ignn_jax.errors import InputError
from ignn_jax.files import reason_of

# The browser itself refuses whatever would come from, or go to, another place.
_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    b"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    b"font-src 'self' data:; worker-src 'self' blob:; form-action 'self'; "
    b"frame-ancestors 'none'; base-uri 'self'; object-src 'none'"
)
_THEME = gr.themes.Default(
    font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace")
)
_STYLE = Path(__file__).with_name("style.css")
_SLIDER = Path(__file__).with_name("slider.js")


class _WithPolicy:
    """Adds the security policy to every answer."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (b"content-security-policy", _POLICY)]
                headers.append((b"referrer-policy", b"no-referrer"))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with_policy)


def build(app: App) -> gr.Blocks:
    """The page."""

    def close(request: gr.Request) -> None:
        app.sessions.close(str(request.session_hash))

    with gr.Blocks(title="ignn_jax", analytics_enabled=False) as page:
        with gr.Tab("Upscale"):
            UpscaleTab(app)
        with gr.Tab("Look into the graph"):
            GraphTab(app)
        with gr.Tab("Compare"):
            CompareTab(app)
        page.unload(close)
    return page


def serve(
    app: App,
    *,
    host: str,
    port: int | None,
    auth: tuple[str, str] | None,
    in_browser: bool,
    ready: Callable[[str], Any],
) -> None:
    """Serves the page until Ctrl-C or SIGTERM.

    Args:
      app: the page's settings.
      host: the address to listen at.
      port: None for a free one.
      auth: user and password, without which nobody gets in.
      in_browser: whether to open the page in the user's browser.
      ready: is given the page's address.

    Raises:
      InputError: it cannot listen there.
    """
    page = build(app)
    try:
        _, url, _ = page.launch(
            server_name=host,
            server_port=port,
            auth=auth,
            inbrowser=in_browser,
            app_kwargs={"middleware": [Middleware(_WithPolicy)]},
            theme=_THEME,
            css_paths=_STYLE,
            js=_SLIDER.read_text(),
            footer_links=[],
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
        )
    except OSError as error:
        raise InputError(
            f"{host}, port {port}: {reason_of(error)}", field="port"
        ) from error
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ready(url)
    ended.wait()
    app.sessions.close_all()
    page.close(verbose=False)
