"""The browser in which the pages of widgets are tested too."""

from tests.widgets.conftest import browser, page  # noqa: F401
