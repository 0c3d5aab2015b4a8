"""Parts for other people's tools, each of which its tool loads: `convviz.ext.sphinx`, `convviz.ext.superfences`."""
