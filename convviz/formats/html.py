"""HTML: a page with a player. The picture is inline SVG; nothing is fetched and nothing is installed."""

from __future__ import annotations

import json
from html import escape
from typing import BinaryIO

from convviz.formats import svg
from convviz.scene import Frames, rgb

THEMED = True
"""As in `convviz.formats.svg`."""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{name}</title>
<link rel="icon" href="data:,">
<style>:root{{color-scheme:{scheme}}}body{{margin:8px;background:{background}}}{night}</style>
</head>
<body>
{player}</body>
</html>
"""

PLAYER = """<figure class="convviz" id="{id}" style="--wide:{width}px;color-scheme:{scheme}">
<style>{style}</style>
{picture}<div hidden><button type="button"></button><input type="range" min="0" max="{last}" value="0" \
aria-label="Step"></div>
<p></p>
<script>{script}</script>
</figure>
"""

STYLE = """
#ID{margin:0 auto;padding:8px;background:var(--paper);max-width:max(var(--wide),20rem);\
font:15px/1.4 system-ui,sans-serif;color:var(--ink)}
#ID>svg{display:block;margin:0 auto;max-width:100%;height:auto}
#ID>div{display:flex;gap:.75rem;align-items:center;margin:.5rem 0 .25rem}
#ID>div[hidden]{display:none}
#ID button{flex:none;width:2.5rem;height:2.25rem;padding:0;border:1px solid;border-radius:6px;background:none;\
color:inherit;cursor:pointer}
#ID button svg{display:block;margin:auto;width:14px;height:14px}
#ID input{flex:1;min-width:0;margin:0;accent-color:var(--accent);cursor:pointer}
#ID p{margin:0;min-height:2.8em;font-variant-numeric:tabular-nums}
#ID :focus-visible{outline:2px solid var(--accent);outline-offset:2px}
"""

# The picture counts its steps in --n: setting that shows a step. Without scripts its own animation goes on.
SCRIPT = """
{
const texts = TEXTS, duration = DURATION, plays = PLAYS, last = texts.length - 1
const root = document.currentScript.parentElement
const picture = root.querySelector('svg'), bar = root.querySelector('div'), line = root.querySelector('p')
const button = bar.querySelector('button'), slider = bar.querySelector('input')
let step = 0, played = 0, timer
const show = n => {
  step = Math.min(Math.max(n, 0), last)
  picture.style.setProperty('--n', step)
  slider.value = step
  slider.setAttribute('aria-valuetext', texts[step])
  line.textContent = texts[step]
}
const set = playing => {
  clearInterval(timer)
  timer = playing ? setInterval(tick, duration) : undefined
  // Read out what the reader asks for, not every step of a picture that plays.
  line.setAttribute('aria-live', playing ? 'off' : 'polite')
  button.setAttribute('aria-label', playing ? 'Pause' : 'Play')
  button.innerHTML = '<svg viewBox="0 0 14 14" aria-hidden="true"><path fill="currentColor" d="' +
    (playing ? 'M2 1h3.5v12H2zM8.5 1H12v12H8.5z' : 'M3 1v12l9.5-6z') + '"/></svg>'
}
const tick = () => {
  if (step < last) show(step + 1)
  else if (plays && ++played >= plays) set(false)
  else show(0)
}
const toggle = () => {
  if (!timer && step === last) show(0)
  if (!timer) played = 0
  set(!timer)
}
const go = n => { set(false); show(n) }
const keys = {ArrowRight: () => go(step + 1), ArrowLeft: () => go(step - 1), Home: () => go(0), End: () => go(last),
  ' ': toggle}
button.onclick = toggle
slider.oninput = () => go(+slider.value)
document.addEventListener('keydown', event => {
  const own = root.contains(event.target)
  const sole = event.target === document.body && document.querySelectorAll('figure.convviz').length === 1
  if (!(own || sole) || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return
  if (!keys[event.key] || event.key === ' ' && event.target === button) return
  event.preventDefault()
  keys[event.key]()
})
picture.style.animation = 'none'
bar.hidden = last === 0
show(0)
set(last > 0 && !matchMedia('(prefers-reduced-motion: reduce)').matches)
}
"""

INK = {"light": "--ink:#073642;--accent:#1d78b8", "dark": "--ink:#e6edf3;--accent:#4aa3e0"}
"""Colours of texts, and of what has the focus, on a light and on a dark page."""


def write(frames: Frames, file: BinaryIO) -> None:
    """Write a page that holds the player and nothing else."""
    dark = frames.dark() if frames.dark else None
    night = f"@media(prefers-color-scheme:dark){{body{{background:{dark.background}}}}}" if dark else ""
    page = PAGE.format(
        name=escape(frames.name),
        scheme=" ".join(_schemes(frames)),
        background=frames.background,
        night=night,
        player=player(frames),
    )
    file.write(page.encode())


def player(frames: Frames) -> str:
    """The player alone, a <figure> for any page: many can stand in one."""
    picture = svg.document(frames)
    name = picture.partition('id="')[2].partition('"')[0] + "p"
    schemes = _schemes(frames)
    style = STYLE.replace("ID", name) + f"#{name}{{{INK[schemes[0]]};--paper:{_paper(frames)}}}"
    if frames.dark:
        night = f"#{name}{{{INK['dark']};--paper:{_paper(frames.dark(), frames.transparent)}}}"
        style += f"@media(prefers-color-scheme:dark){{{night}}}"
    texts = json.dumps([frames.step_text(t) for t in range(len(frames))]).replace("<", "\\u003c")
    script = SCRIPT.replace("DURATION", str(frames.duration)).replace("PLAYS", str(frames.plays))
    return PLAYER.format(
        id=name,
        width=frames.pixel_size[0],
        scheme=" ".join(schemes),
        style=style,
        picture=picture,
        last=len(frames) - 1,
        script=script.replace("TEXTS", texts),
    )


def _paper(frames: Frames, transparent: bool = False) -> str:
    return "none" if transparent or frames.transparent else frames.background


def _schemes(frames: Frames) -> list[str]:
    """Whether the picture is for light pages, dark ones or both."""
    if frames.dark:
        return ["light", "dark"]
    return ["dark" if sum(rgb(frames.background)) < 384 else "light"]
