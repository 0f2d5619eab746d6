"""`python -m benchmarks views`: the attention explorer beside bertviz's head view, on the same attention of a
network of BERT base's shape (12 layers x 12 heads), in one run and one browser."""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import ptm_explore as ptm
from ptm_explore.interpret.attention import measure
from ptm_explore.models.recipes import build, recipe
from ptm_explore.widgets import ExplorerWidget

LENGTHS = (32, 128, 512)
# milliseconds of a hover: the event, what it draws, and the frame that shows it
HOVER = """async () => {
  const tokens = [...document.querySelectorAll(".ptm-side0 .ptm-token")].slice(0, 30), times = [];
  for (const token of tokens) {
    const start = performance.now();
    token.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - start);
  }
  return times;
}"""


def main(_arguments: list[str]) -> None:
    from bertviz import head_view
    from playwright.sync_api import sync_playwright

    tokenizer = ptm.load("bert-mini").tokenizer
    config = recipe("bert-base").config
    m = ptm.Model(build("bert", config, ("mlm",), seed=0), tokenizer)
    print("tokens | trace s | ours: sent MB, first picture s, all heads: hover ms | bertviz: MB, s")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        ExplorerWidget(m, "the")  # loads what is loaded once
        for length in LENGTHS:
            text = "the " * (length - 2)
            start = time.perf_counter()
            maps = measure(m, text)
            traced = time.perf_counter() - start
            start = time.perf_counter()
            explorer = ExplorerWidget(m, text)
            built = time.perf_counter() - start - traced
            sent = sum(map(len, explorer.maps)) + sum(map(len, explorer.frame["small"]))
            page = chromium.new_page()
            path = explorer.to_html(Path(folder) / "explorer.html")
            page.goto(path.as_uri())
            loaded = page.evaluate("performance.timing.domComplete - performance.timing.responseEnd") / 1e3
            page.get_by_role("button", name="all", exact=True).click()
            hover = statistics.median(page.evaluate(HOVER))
            page.close()
            start = time.perf_counter()
            theirs = head_view([layer[None] for layer in maps], ["the"] * length, html_action="return")
            seconds = time.perf_counter() - start
            print(
                f"{length:6} | {traced:5.2f} | {sent / 1e6:5.2f}, {built + loaded:5.2f}, {hover:5.1f}"
                f" | {len(theirs.data) / 1e6:6.1f}, {seconds:5.1f}",
                flush=True,
            )
        chromium.close()


def attributions(_arguments: list[str]) -> None:
    """Seconds of each attribution method for a masked token: of the mini, and of BERT base's shape."""
    from ptm_explore.interpret.attribution import METHODS

    mini = ptm.load("bert-mini")
    base = ptm.Model(build("bert", recipe("bert-base").config, ("mlm",), seed=0), mini.tokenizer)
    print("method | bert-mini, 32 tokens | bert-mini, 128 | BERT base, 32")
    for method in METHODS:
        times = []
        for m, length in ((mini, LENGTHS[0]), (mini, LENGTHS[1]), (base, LENGTHS[0])):
            text = "[MASK] " + "the " * (length - 3)
            times.append(ptm.attribute(m, text, target=(1, "the"), method=method, steps=20).seconds)
        print(f"{method} | " + " | ".join(f"{seconds:.2f}" for seconds in times))
