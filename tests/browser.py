"""A real browser for tests: Chromium, wherever the system has it, by Playwright."""

import contextlib
import shutil
from collections.abc import Iterator

import pytest

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


@contextlib.contextmanager
def chromium() -> Iterator:
    """The browser; skips the test where there is none."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="no Playwright: nothing is opened in a browser"
    )
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if not executable:
        pytest.skip("no Chromium: nothing is opened in a browser")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=list(_FLAGS)
        )
        yield browser
        browser.close()
