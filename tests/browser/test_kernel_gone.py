"""What the explorer's page says when its kernel is busy for long, and when it is killed."""

import os
import signal
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

ARTEFACTS = Path(__file__).parents[2] / "test-artefacts"
START = """\
import ptm_explore as ptm
ptm.explore(ptm.load("bert-mini"), "The dogs that chased the cat were tired.")"""
PICTURE = "canvas => canvas.toDataURL()"


def kernel() -> int:
    below = psutil.Process().children(recursive=True)
    [found] = [process.pid for process in below if "ipykernel_launcher" in process.cmdline()]
    return found


def test_a_kernel_that_hangs_and_one_that_is_gone(run_cells):
    found = run_cells("scratch-gone", START)
    assert found.errors == found.undrawn == found.console == found.outside == []
    page = found.page
    one = page.get_by_role("group", name="Attention explorer")
    measure, picture = one.get_by_label("measure", exact=True), one.locator(".ptm-stage canvas")
    stage, nobody = one.locator(".ptm-stage"), one.get_by_text("No kernel answers")
    before = picture.evaluate(PICTURE)

    os.kill(kernel(), signal.SIGSTOP)
    try:
        measure.select_option("norms")
        nobody.wait_for(timeout=15_000)
        assert picture.evaluate(PICTURE) == before
        one.screenshot(path=ARTEFACTS / "explorer_hangs.png")
    finally:
        os.kill(kernel(), signal.SIGCONT)
    one.get_by_text("Kobayashi").wait_for()
    nobody.wait_for(state="hidden")
    assert stage.get_attribute("aria-busy") == "false"
    norms = picture.evaluate(PICTURE)
    assert norms != before

    field = one.get_by_label("Text", exact=True)
    for blank in (" ", "  "):  # the same error twice
        field.fill(blank)
        field.press("Enter")
        one.get_by_text("the text is empty").wait_for()
        page.wait_for_function("document.querySelector('.ptm-stage').ariaBusy === 'false'")
    field.fill("The cat ran.")
    one.get_by_label("Second text", exact=True).fill("It rained.")
    one.get_by_label("Second text", exact=True).press("Enter")
    one.locator(".ptm-side0 .ptm-second", has_text="rain").first.wait_for()

    last = picture.evaluate(PICTURE)
    os.kill(kernel(), signal.SIGKILL)
    one.get_by_label("measure", exact=True).select_option("weights")
    says = (
        one.get_by_text("No kernel answers")
        .or_(one.get_by_text("The kernel has stopped"))
        .locator("visible=true")
    )
    says.first.wait_for(timeout=15_000)
    assert picture.evaluate(PICTURE) == last
    one.screenshot(path=ARTEFACTS / "explorer_gone.png")
    page.screenshot(path=ARTEFACTS / "explorer_gone_page.png")
