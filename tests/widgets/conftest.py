"""A Chromium page that may load files only."""

import shutil

import pytest


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        pytest.skip("no Chromium on the PATH")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page that fails the test when its scripts do or when it asks for anything but files."""
    page = browser.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfinished", lambda request: problems.append(request.url))
    # What the page's own policy blocks ("csp") never leaves the browser.
    page.on("requestfailed", lambda r: None if r.failure == "csp" else problems.append(r.url))
    yield page
    page.close()
    assert [problem for problem in problems if not problem.startswith(("file:", "blob:"))] == []
