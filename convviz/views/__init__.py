"""The views: name -> module whose ``frames(trace, theme, **options)`` draws it. One file a view."""

VIEWS = {
    "stack": "convviz.views.stack",
    "grid": "convviz.views.grid",
    "matrix": "convviz.views.matrix",
}

# What stands in the cells of a view that takes ``labels``.
LABELS = ("values", "symbols")
