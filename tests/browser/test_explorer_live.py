"""The attention explorer with a kernel behind it: what one types and chooses comes back as a picture."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

ARTEFACTS = Path(__file__).parents[2] / "test-artefacts"
START = """\
import ptm_explore as ptm
m, x = ptm.load("bert-mini"), ptm.load("xlnet-mini")
e = ptm.explore(m, "The dogs that chased the cat were tired.")
e"""
TWO = 'ptm.explore([m, x], "The dogs that chased the cat were tired.")'
EXPORT = 'e.to_html("explorer.html"), e.to_png("explorer.png")'


def test_explore_in_jupyterlab(run_cells, lab):
    found = run_cells("scratch-explorer", START, TWO, EXPORT)
    assert found.errors == found.undrawn == found.console == found.outside == []
    page, (_, root) = found.page, lab
    one, two = (page.get_by_role("group", name="Attention explorer").nth(n) for n in (0, 1))
    tokens = one.locator(".ptm-side0 .ptm-token")
    tokens.nth(2).hover()
    one.get_by_text("dog (2) looks at").wait_for()

    field = one.get_by_label("Text", exact=True)
    field.fill("Ann lost the key to her house.")
    field.press("Enter")
    one.locator(".ptm-side0 .ptm-token", has_text="house").wait_for()

    one.get_by_label("layer", exact=True).select_option("1")
    one.get_by_label("measure", exact=True).select_option("norms")
    one.get_by_text("Kobayashi").wait_for()
    one.get_by_label("whole words").check()
    one.locator(".ptm-side0 .ptm-token", has_text="Ann").wait_for()
    one.locator(".ptm-side0 .ptm-token", has_text="house").click()
    one.get_by_text("The products add up to the score").wait_for()

    two.get_by_label("stream", exact=True).select_option("query")
    two.get_by_label("view", exact=True).select_option("matrix")
    two.get_by_text("bert-mini − xlnet-mini").first.wait_for()
    field.fill(" ")
    field.press("Enter")
    one.get_by_text("the text is empty").wait_for()
    assert one.locator(".ptm-stage canvas").count() == 1  # the picture stays

    one.screenshot(path=ARTEFACTS / "explorer.png")
    two.screenshot(path=ARTEFACTS / "explorer_two.png")
    assert (root / "notebooks" / "explorer.html").stat().st_size > 10_000
    assert found.console == found.outside == []
