"""The formats: suffix -> module whose ``write(frames, file)`` writes it. One file a format, loaded when it is used."""

FORMATS = {
    ".gif": "convviz.formats.gif",
    ".png": "convviz.formats.png",
}
