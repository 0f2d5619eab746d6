"""bertviz's views in JupyterLab, where its own page finds no `require`."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

ARTEFACTS = Path(__file__).parents[2] / "test-artefacts"
START = """\
import ptm_explore as ptm
t = ptm.load("bert-mini").trace("The dogs that chased the cat were tired.", "They slept.")
ptm.figures.bertviz_head(t)"""
OTHERS = ["ptm.figures.bertviz_model(t)", "ptm.figures.bertviz_neuron(t)"]


def test_bertviz_in_jupyterlab(run_cells):
    found = run_cells("scratch-bertviz", START, *OTHERS)
    assert found.errors == found.console == found.outside == []
    frames = found.page.locator("iframe[srcdoc]")
    for n, (view, tokens) in enumerate([("head", 30), ("model", 0), ("neuron", 60)]):
        frame = frames.nth(n)
        frame.scroll_into_view_if_needed()
        inside = frame.content_frame
        inside.locator("#vis svg").wait_for()
        if view == "model":
            inside.locator("#attn_background_1_2 ~ rect").click()
            inside.get_by_text("Layer 1, Head 2").wait_for()
        else:
            inside.locator("#layer").select_option("1")
            inside.locator("svg text:visible", has_text="dog").first.hover()
            assert inside.locator("#left text, #right text, .token").count() >= tokens
        # everything in the frame is seen without scrolling
        over = inside.locator("html").evaluate("page => page.scrollHeight - page.clientHeight")
        assert over <= 0
        frame.screenshot(path=ARTEFACTS / f"bertviz_{view}.png")
    assert found.console == found.outside == []
