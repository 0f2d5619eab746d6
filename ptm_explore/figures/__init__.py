"""Arrays in, a plain Plotly figure out; nothing here displays anything.
Beside them bertviz's views, as pages."""

from .attention import heads, heatmap
from .attribution import attributions
from .bertviz import bertviz_head, bertviz_model, bertviz_neuron
from .curves import learning_curve, predictions, text_curve
from .objective import objective
from .results import estimates, grid, trend
from .style import alt_text, to_html

__all__ = ["alt_text", "attributions", "bertviz_head", "bertviz_model", "bertviz_neuron", "estimates", "grid"]
__all__ += ["heads", "heatmap", "learning_curve", "objective", "predictions", "text_curve", "to_html"]
__all__ += ["trend"]
