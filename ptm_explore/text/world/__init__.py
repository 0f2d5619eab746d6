"""A generated small world in plain English: mini models learn on it in a minute, and the truth is known."""

from ptm_explore.text.world.state import World
from ptm_explore.text.world.stories import Document, documents

__all__ = ["Document", "World", "documents"]
