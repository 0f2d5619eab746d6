"""Arrays in, a plain Plotly figure out; nothing here displays anything. Plotly is imported on first use."""

from .attention import heads, heatmap
from .attribution import attributions
from .curves import learning_curve, predictions, text_curve
from .objective import objective
from .results import estimates, grid, trend
from .style import alt_text, to_html

__all__ = ["alt_text", "attributions", "estimates", "grid", "heads", "heatmap", "learning_curve"]
__all__ += ["objective", "predictions", "text_curve", "to_html", "trend"]
