"""The formats: suffix -> module. One file a format, loaded when it is used.

A module has ``write(frames, file)`` if the format moves, ``write_step(frames, file, step)`` if it can hold one step.
"""

FORMATS = {
    ".gif": "convviz.formats.gif",
    ".apng": "convviz.formats.apng",
    ".webp": "convviz.formats.webp",
    ".svg": "convviz.formats.svg",
    ".html": "convviz.formats.html",
    ".mp4": "convviz.formats.mp4",
    ".webm": "convviz.formats.webm",
    ".png": "convviz.formats.png",
    ".pdf": "convviz.formats.pdf",
    ".pgf": "convviz.formats.pgf",
}
