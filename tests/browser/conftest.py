"""A real JupyterLab on a copy of the chapters, and a headless Chromium that opens notebooks in it."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[2]
ARTEFACTS = ROOT / "test-artefacts"

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_CHROME = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
CHROMIUM_ARGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]

SETTINGS = {
    # Cells out of view would not be in the page, and so neither in the checks nor in the screenshot.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}

# Outputs that JavaScript draws, by mime type, and what is in the page once it has.
DRAWN = {
    "application/vnd.plotly.v1+json": ".js-plotly-plot .svg-container",
    "application/vnd.jupyter.widget-view+json": ".lm-Panel.jp-OutputArea-output > *",
}

# JupyterLab stars all cells at once, and after an error takes the stars off without running the rest.
FINISHED = """() => {
  const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(p => p.textContent);
  return prompts.some(text => /\\d/.test(text)) && !prompts.some(text => text.includes('*'));
}"""


@dataclass
class Page:
    """A notebook in the browser after Run All Cells."""

    page: object  # the Playwright page, to go on with
    console: list[str] = field(default_factory=list)  # what the page's JavaScript complained about
    # addresses outside this machine that the page asked for, and hosts that the kernel did
    outside: list[str] = field(default_factory=list)
    cells: list = field(default_factory=list)  # the code cells as saved, outputs included
    peak_mb: float = 0.0  # the kernel's largest resident size so far; 0 where there is no /proc
    drawn: list[tuple[int, str]] = field(
        default_factory=list
    )  # (index into cells, mime type) that is in the page
    undrawn: list[tuple[int, str]] = field(default_factory=list)  # the same, of those that stayed empty

    @property
    def unrun(self) -> list[str]:
        """Source of each code cell that did not run."""
        return [cell.source for cell in self.cells if cell.execution_count is None]

    @property
    def errors(self) -> list[str]:
        """`Name: message` of each cell that raised."""
        outputs = [output for cell in self.cells for output in cell.outputs]
        return [f"{output.ename}: {output.evalue}" for output in outputs if output.output_type == "error"]


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium; without one tests skip, and fail where CI=true."""
    found = [path for name in CHROMIUM if (path := shutil.which(name))]
    if os.path.exists(MAC_CHROME):
        found.append(MAC_CHROME)
    if not found:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"no Chromium on the PATH (looked for {', '.join(CHROMIUM)})")
    return found[0]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """(address, folder) of a running JupyterLab whose root `folder` holds a copy of notebooks/."""
    root = tmp_path_factory.mktemp("lab")
    (root / "notebooks").mkdir()
    for chapter in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(chapter, root / "notebooks")
    settings = tmp_path_factory.mktemp("settings")
    (settings / "overrides.json").write_text(json.dumps(SETTINGS))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *(f"--port={address.rpartition(':')[2]}", "--ServerApp.port_retries=0", "--IdentityProvider.token="),
        *(f"--ServerApp.root_dir={root}", f"--LabApp.app_settings_dir={settings}"),
        *("--LabApp.extension_manager=readonly", "--LabApp.news_url=None"),
        "--ServerApp.disable_check_xsrf=True",
    ]
    own = tmp_path_factory.mktemp("home")  # nobody's settings, workspaces or start-up files
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "offline"), str(ROOT)]),
        "PTM_CACHE": str(own / "cache"),
        "PTM_BUDGET_SCALE": os.environ.get("PTM_BUDGET_SCALE", "0.3"),
        "IPYTHONDIR": str(own / "ipython"),
        "JUPYTER_CONFIG_DIR": str(own / "config"),
        "JUPYTER_DATA_DIR": str(own / "data"),
        "PTM_REFUSED": str(root / "refused"),
        "HF_HUB_OFFLINE": "1",
    }
    ARTEFACTS.mkdir(exist_ok=True)
    with open(ARTEFACTS / "jupyterlab.log", "w") as log:
        server = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
    try:
        wait_for(server, address)
        yield address, root
    finally:
        server.terminate()
        server.wait(timeout=30)


def wait_for(server: subprocess.Popen, address: str, seconds: float = 60):
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            return urllib.request.urlopen(f"{address}/api/status", timeout=5).close()
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start: {(ARTEFACTS / 'jupyterlab.log').read_text()[-2000:]}")


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def run_all(lab, browser):
    """Function that opens `notebooks/<name>.ipynb`, runs and saves it, and returns a Page."""
    address, root = lab
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield lambda name, timeout=300: _run_all(context, address, root / "notebooks" / f"{name}.ipynb", timeout)
    context.close()
    for kernel in api(f"{address}/api/kernels"):  # they would stay, each with a model in memory
        api(f"{address}/api/kernels/{kernel['id']}", "DELETE")
    (root / "refused").unlink(missing_ok=True)


def api(url: str, method: str = "GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60) as answer:
        return json.loads(answer.read() or "null")


def kernel_peak() -> float:
    """Megabytes of the largest kernel below this process, at its peak."""
    below = psutil.Process().children(recursive=True)
    kernels = [process for process in below if "ipykernel_launcher" in process.cmdline()]
    files = [Path(f"/proc/{kernel.pid}/status") for kernel in kernels]
    sizes = [re.search(r"VmHWM:\s+(\d+)", file.read_text()) for file in files if file.exists()]
    return max((int(size[1]) / 1024 for size in sizes if size), default=0.0)


def _run_all(context, address: str, file: Path, timeout: float) -> Page:
    page = context.new_page()
    result = Page(page)

    def refuse(route):
        result.outside.append(route.request.url)
        route.abort()

    context.route(lambda url: urlparse(url).hostname not in (None, "127.0.0.1", "localhost"), refuse)
    page.on("console", lambda message: message.type == "error" and result.console.append(message.text))
    page.on("pageerror", lambda error: result.console.append(str(error)))

    page.goto(f"{address}/lab/workspaces/{file.stem}/tree/notebooks/{file.name}?reset", timeout=60_000)
    # The notebook's own indicator says idle before there is a kernel, and Run All would then do nothing.
    page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for(timeout=60_000)
    choose(page, "Run", "Run All Cells")
    page.wait_for_function(FINISHED, timeout=timeout * 1000, polling=200)
    # The server empties the file before it writes, so only its answer says that the notebook is whole.
    with page.expect_response(lambda answer: answer.request.method == "PUT" and file.name in answer.url):
        choose(page, "File", "Save Notebook")
    notebook = nbformat.read(file, as_version=4)
    result.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    result.peak_mb = kernel_peak()
    refused = file.parents[1] / "refused"
    result.outside += refused.read_text().split() if refused.exists() else []
    look(result)
    screenshot(page, file.stem)
    return result


def choose(page, menu: str, item: str):
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.get_by_role("menuitem", name=re.compile(f"^{item}")).first.click()


def look(result: Page, seconds: float = 20):
    """Wait until every figure and widget is drawn, or time is up."""
    wanted = [
        (index, mime, sum(mime in output.get("data", {}) for output in cell.outputs))
        for index, cell in enumerate(result.cells)
        for mime in DRAWN
    ]
    shown = result.page.locator(".jp-Notebook .jp-CodeCell")
    end = time.monotonic() + seconds
    while True:
        result.drawn, result.undrawn = [], []
        for index, mime, count in wanted:
            boxes = (
                [found.bounding_box() for found in shown.nth(index).locator(DRAWN[mime]).all()]
                if count
                else []
            )
            there = sum(bool(box) and box["height"] > 5 for box in boxes)
            result.drawn += [(index, mime)] * min(there, count)
            result.undrawn += [(index, mime)] * (count - min(there, count))
        if not result.undrawn or time.monotonic() > end:
            return
        result.page.wait_for_timeout(200)


def screenshot(page, name: str):
    """The whole notebook in one picture, for which the window becomes as high as the notebook."""
    page.keyboard.press("Control+b")  # the file browser leaves
    panel = page.locator(".jp-NotebookPanel .jp-WindowedPanel-outer").first
    height = panel.evaluate("element => element.scrollHeight")
    page.set_viewport_size({"width": 1280, "height": min(height + 150, 16_000)})  # Chromium draws no more
    panel.evaluate("element => element.scrollTo(0, 0)")
    page.wait_for_timeout(500)
    page.screenshot(path=ARTEFACTS / f"{name}.png")
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.fixture
def run_cells(lab, run_all):
    """Function that runs these sources as a notebook in the browser and returns a Page."""
    _, root = lab

    def run(name, *sources):
        notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, root / "notebooks" / f"{name}.ipynb")
        return run_all(name)

    return run
