"""What a browser makes of the files: the animated SVG, the player, and the moving pictures."""

from __future__ import annotations

import base64
import io
import re
import time
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from browser import browsing
from PIL import Image

from convviz import VIEWS, Animation, Conv, animate
from convviz.cases import GUIDE
from convviz.render import Raster

ICON = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
AT = "document.getAnimations().forEach(a => { a.pause(); a.currentTime = words[0] })"
"""Stops all animations at a time."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("pages")) as browser:
        yield browser


def text(picture: Animation, suffix: str) -> str:
    file = io.BytesIO()
    picture.write(file, suffix)
    return file.getvalue().decode()


def assert_alike(ours: Image.Image, theirs: Image.Image, most: int = 48) -> None:
    """The same picture but for the softness of its edges: averages over 4 x 4 pixels are close."""
    assert ours.size == theirs.size
    a, b = (np.asarray(image.convert("RGB").reduce(4), int) for image in (ours, theirs))
    assert abs(a - b).max() <= most
    assert abs(a - b).mean() < 1.0


# The animated SVG.


def test_each_step_of_all_cases_is_the_picture_of_the_gif(browser):
    # They stand on one page: what one of them names does not reach into another.
    pictures = [animate(name) for name in GUIDE]
    pictures.sort(key=len, reverse=True)
    places, x, y, row = [], 0, 0, 0
    for picture in pictures:
        width, height = picture.frames.pixel_size
        if x + width > 2000:
            x, y, row = 0, y + row, 0
        places.append((x, y, x + width, y + height))
        x, row = x + width, max(row, height)
    figures = [
        f'<div style="position:absolute;left:{left}px;top:{top}px">{text(picture, ".svg")}</div>'
        for (left, top, _, _), picture in zip(places, pictures, strict=True)
    ]
    browser.show("all.html", f"{ICON}<body style='margin:0'>{''.join(figures)}", size=(2000, y + row))
    assert browser.run("return document.getAnimations().length") == len(pictures)
    rasters = [Raster(picture.frames) for picture in pictures]
    for t in range(len(pictures[0])):
        browser.run(AT, 1000 * t + 500)
        left = [n for n, picture in enumerate(pictures) if t < len(picture)]
        page = browser.screenshot(2000, max(places[n][3] for n in left))
        for n in left:
            assert_alike(rasters[n].image(t), page.crop(places[n]))
    assert browser.messages() == []


@pytest.mark.parametrize("view", VIEWS)
def test_each_step_of_every_view_is_the_picture_of_the_gif(browser, view):
    picture = animate("padding_strides", view=view, caption=True)
    browser.show("view.svg", text(picture, ".svg"), size=picture.frames.pixel_size)
    raster = Raster(picture.frames)
    for t in range(len(picture)):
        browser.run(AT, 1000 * t + 500)
        assert_alike(raster.image(t), browser.screenshot(*picture.frames.pixel_size), most=96)


def test_a_step_begins_and_ends_on_time(browser):
    picture = animate("padding_strides_transposed", duration=300)
    browser.show("a.svg", text(picture, ".svg"))
    seen = []
    for t in range(25):
        for at in (300 * t + 1, 300 * t + 299):
            browser.run(AT, at)
            seen.append(browser.run("return getComputedStyle(document.documentElement).getPropertyValue('--n')"))
    assert seen == [str(t) for t in range(25) for _ in range(2)]


@pytest.mark.parametrize("how", [{}, {"caption": True}, {"transparent": True}, {"width": 250}], ids=str)
def test_an_svg_in_a_page_is_dark_where_the_page_is(browser, how):
    picture, dark = (
        animate("padding_strides_transposed", **how),
        animate("padding_strides_transposed", "stack", None, "dark", **how),
    )
    width, height = picture.frames.pixel_size
    (browser.folder / "a.svg").write_text(text(picture, ".svg"))
    for scheme, expected, paper in (("light", picture, "#ffffff"), ("dark", dark, "#0d1117")):
        page = f"{ICON}<body style='margin:0;background:{paper}'><img src='a.svg' style='display:block'>"
        browser.show("img.html", page, scheme=scheme, motion="reduce", size=(width, height))
        whole = Image.new("RGBA", (width, height), paper)
        whole.alpha_composite(expected.image(0))
        # Letters stand up to a pixel further on.
        assert_alike(whole, browser.screenshot(*picture.frames.pixel_size), most=96 if "caption" in how else 48)


def test_reduced_motion_stops_an_svg_at_the_first_step(browser):
    picture = animate("padding_strides", duration=50)
    width, height = picture.frames.pixel_size
    browser.show("a.svg", text(picture, ".svg"), motion="reduce", size=(width, height))
    time.sleep(0.12)
    assert browser.run("return document.getAnimations().length") == 0
    assert_alike(picture.image(0), browser.screenshot(*picture.frames.pixel_size))


def test_an_svg_that_was_played_rests_on_its_last_step(browser):
    picture = animate("padding_strides", duration=30, plays=2)
    browser.show("a.svg", text(picture, ".svg"), size=picture.frames.pixel_size)
    timing = "return document.getAnimations()[0].effect.getComputedTiming()"
    assert browser.run(timing)["activeDuration"] == 2 * 9 * 30
    browser.run("document.getAnimations()[0].finish()")
    assert_alike(picture.image(8), browser.screenshot(*picture.frames.pixel_size))
    endless = animate("padding_strides", duration=30)
    browser.show("b.svg", text(endless, ".svg"), size=picture.frames.pixel_size)
    assert browser.run("return document.getAnimations()[0].effect.getComputedTiming().iterations === Infinity")


def test_a_growing_layer_keeps_what_it_has(browser):
    picture = animate("padding_strides")
    marks = replace(picture.frames.layers[-1], kind="growing")
    picture = Animation(picture.trace, replace(picture.frames, layers=(*picture.frames.layers[:-1], marks), dark=None))
    browser.show("a.svg", text(picture, ".svg"), size=picture.frames.pixel_size)
    for t in (0, 4, 8):
        browser.run(AT, 1000 * t + 500)
        assert_alike(picture.image(t), browser.screenshot(*picture.frames.pixel_size))


def test_texts_of_an_svg_have_the_width_that_was_planned(browser):
    picture = animate("padding_strides_odd_transposed", caption=True)
    browser.show("a.svg", text(picture, ".svg"))
    lengths = browser.run(
        "return [...document.querySelectorAll('text')].map(e => [e.textLength.baseVal.value, e.getBBox().width])"
    )
    assert len(lengths) > 20
    for planned, shown in lengths:
        assert shown == pytest.approx(planned, rel=0.03, abs=12)


# The player.


class Player:
    """The player on a page, as its reader uses it."""

    def __init__(self, browser, number: int = 0) -> None:
        self.browser = browser
        self.root = browser.driver.find_elements("css selector", "figure.convviz")[number]

    def find(self, selector: str):
        return self.root.find_element("css selector", selector)

    @property
    def state(self) -> tuple[int, str, str]:
        """The step that the picture shows, the text, and what the button would do."""
        shown, at, says, told, does = self.browser.run(
            """
            const [svg, input, p, button] = ['svg', 'input', 'p', 'button'].map(name => words[0].querySelector(name))
            const shown = svg.style.getPropertyValue('--n')
            return [shown, input.value, input.ariaValueText, p.textContent, button.ariaLabel]
            """,
            self.root,
        )
        assert (shown, says) == (at, told)
        return int(shown), told, does

    def press(self, *keys: str, held: str = "") -> None:
        from selenium.webdriver import ActionChains

        chain = ActionChains(self.browser.driver)
        if held:
            chain.key_down(held).send_keys(*keys).key_up(held).perform()
        else:
            chain.send_keys(*keys).perform()


@pytest.fixture
def keys():
    from selenium.webdriver.common.keys import Keys

    return Keys


def test_the_player_is_stepped_by_keys(browser, keys):
    picture = animate("padding_strides")
    browser.show("a.html", text(picture, ".html"), motion="reduce")
    player, says = Player(browser), picture.frames.step_text
    assert player.state == (0, says(0), "Play")  # reduced motion starts it paused
    assert player.find("p").get_attribute("aria-live") == "polite"
    for key, step in [
        (keys.ARROW_RIGHT, 1), (keys.ARROW_RIGHT, 2), (keys.ARROW_LEFT, 1), (keys.END, 8), (keys.ARROW_RIGHT, 8),
        (keys.HOME, 0), (keys.ARROW_LEFT, 0),
    ]:  # fmt: skip
        player.press(key)
        assert player.state == (step, says(step), "Play")
    for focus in ("button", "input"):
        browser.run("words[0].focus()", player.find(focus))
        player.press(keys.END, keys.ARROW_LEFT)
        assert player.state == (7, says(7), "Play")
        player.press(keys.SPACE)
        assert player.state[2] == "Pause"
        player.press(keys.SPACE)
        assert player.state[2] == "Play"
    browser.run("document.activeElement.blur()")
    before = player.state
    player.press(keys.HOME, held=keys.CONTROL)
    assert player.state == before  # the browser's own keys are left to it


def test_the_player_is_stepped_by_the_mouse(browser):
    from selenium.webdriver import ActionChains

    picture = animate("padding_strides")
    browser.show("a.html", text(picture, ".html"))
    player = Player(browser)
    assert player.state[2] == "Pause"
    assert player.find("p").get_attribute("aria-live") == "off"
    player.find("button").click()
    assert player.state[2] == "Play"
    slider = player.find("input")
    width = slider.size["width"]
    ActionChains(browser.driver).move_to_element_with_offset(slider, width // 2 - 4, 0).click().perform()
    assert player.state == (8, picture.frames.step_text(8), "Play")
    ActionChains(browser.driver).move_to_element_with_offset(slider, 0, 0).click().perform()
    assert player.state == (4, picture.frames.step_text(4), "Play")
    player.find("button").click()
    assert player.state[2] == "Pause"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_player_shows_the_picture(browser, theme):
    picture = animate("padding_strides_transposed", theme=theme)
    browser.show("a.html", text(picture, ".html"), motion="reduce", scheme=theme)
    player = Player(browser)
    browser.run("const s = words[0]; s.value = 13; s.dispatchEvent(new Event('input'))", player.find("input"))
    assert player.state[0] == 13
    shown = Image.open(io.BytesIO(player.find("svg[role=img]").screenshot_as_png))
    assert_alike(picture.image(13), shown)
    ink, paper = browser.run(
        "const s = getComputedStyle(words[0]); return [s.color, getComputedStyle(document.body).backgroundColor]",
        player.find("p"),
    )
    assert contrast(ink, paper) >= 4.5


def contrast(*colors: str) -> float:
    """The contrast ratio of two CSS colours (WCAG 2)."""
    bright = []
    for color in colors:
        channels = np.array([int(n) for n in re.findall(r"\d+", color)[:3]]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        bright.append(float(linear @ (0.2126, 0.7152, 0.0722)) + 0.05)
    return max(bright) / min(bright)


@pytest.mark.parametrize("width", [300, 500, 1400])
def test_the_player_fits_the_window(browser, width):
    browser.show("a.html", text(animate("full_padding_no_strides"), ".html"), size=(width, 900))
    player = Player(browser)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    for part in ("svg[role=img]", "button", "input", "p"):
        box = player.find(part).rect
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    shown, (drawn_width, drawn_height) = player.find("svg[role=img]").rect, (495, 576)
    assert shown["height"] / shown["width"] == pytest.approx(drawn_height / drawn_width, rel=0.01)


def test_the_player_plays_as_often_as_it_is_told(browser):
    picture = animate("no_padding_strides", duration=60, plays=2)
    browser.show("a.html", text(picture, ".html"))
    player = Player(browser)
    seen = browser.run(
        """
        const svg = words[0].querySelector('svg'), button = words[0].querySelector('button'), seen = []
        return new Promise(done => {
          const look = () => {
            const n = svg.style.getPropertyValue('--n')
            if (seen.at(-1) !== n) seen.push(n)
            if (button.getAttribute('aria-label') === 'Play') done(seen.join(''))
            else setTimeout(look, 5)
          }
          words[0].querySelector('button').click()
          words[0].querySelector('input').value = 0
          words[0].querySelector('input').dispatchEvent(new Event('input'))
          button.click()
          look()
        })
        """,
        player.root,
    )
    assert seen == "01230123"
    assert player.state[0] == 3
    player.find("button").click()  # from the end it begins anew
    assert player.state[2] == "Pause"


def test_a_player_of_one_step_has_nothing_to_play(browser):
    picture = animate(Conv(3, 3))
    browser.show("a.html", text(picture, ".html"))
    player = Player(browser)
    assert player.state == (0, picture.frames.step_text(0), "Play")
    assert not player.find("button").is_displayed()
    assert_alike(picture.image(0), Image.open(io.BytesIO(player.find("svg[role=img]").screenshot_as_png)))


def test_the_player_fetches_nothing_and_the_console_is_clean(browser, keys):
    browser.show("a.html", text(animate("padding_strides", caption=True), ".html"))
    player = Player(browser)
    player.press(keys.SPACE, keys.ARROW_RIGHT, keys.END)
    player.find("button").click()
    assert [url for url in browser.fetched() if not url.startswith("data:")] == [f"{browser.address}/a.html"]
    assert browser.messages() == []


def test_texts_of_the_player_are_shown_and_never_run(browser):
    nasty = (
        "</script><script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">&amp; DURATION TEXTS"
    )
    picture = animate("padding_strides", caption=True)
    frames = replace(picture.frames, name=nasty, title=nasty, step_text=lambda t: f"{t} {nasty}")
    browser.show("a.html", text(Animation(picture.trace, frames), ".html"), motion="reduce")
    player = Player(browser)
    assert player.state[1] == f"0 {nasty}"
    assert browser.driver.title == nasty
    assert [url for url in browser.fetched() if not url.startswith("data:")] == [f"{browser.address}/a.html"]


def test_two_players_on_a_page_leave_each_other_alone(browser, keys):
    pages = [text(animate(name, theme=theme), ".html") for name, theme in
             [("padding_strides", "light"), ("padding_strides", "light"), ("no_padding_strides", "dark")]]  # fmt: skip
    bodies = [page.split("<body>")[1].split("</body>")[0] for page in pages]
    browser.show("two.html", ICON + "".join(bodies), motion="reduce", size=(700, 1900))
    players = [Player(browser, n) for n in range(3)]
    browser.run("words[0].focus()", players[1].find("button"))
    players[1].press(keys.ARROW_RIGHT, keys.ARROW_RIGHT)
    assert [player.state[0] for player in players] == [0, 2, 0]
    browser.run("document.activeElement.blur()")
    players[0].press(keys.END)  # whose would it be?
    assert [player.state[0] for player in players] == [0, 2, 0]
    players[2].find("button").click()
    assert [player.state[2] for player in players] == ["Play", "Play", "Pause"]
    for player, picture, step in [
        (players[0], animate("padding_strides"), 0), (players[1], animate("padding_strides"), 2),
    ]:  # fmt: skip
        assert_alike(picture.image(step), Image.open(io.BytesIO(player.find("svg[role=img]").screenshot_as_png)))
    assert browser.messages() == []


def test_a_page_shows_the_notebooks_player_in_a_frame_of_its_own(browser):
    player = animate("padding_strides").player()
    frame = player._repr_mimebundle_()["text/html"]
    assert ElementTree.fromstring(frame).get("sandbox") == "allow-scripts"
    browser.show("frame.html", ICON + frame + frame, motion="reduce")
    browser.driver.switch_to.frame(1)
    try:
        inner = Player(browser)
        before = inner.state[2]
        inner.find("button").click()
        assert {before, inner.state[2]} == {"Play", "Pause"}
        assert browser.run("return document.documentElement.scrollHeight <= innerHeight")
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        browser.driver.switch_to.default_content()
    assert browser.messages() == []


# Moving pictures of pixels.

DECODE = """
const data = await (await fetch(words[0])).arrayBuffer()
const decoder = new ImageDecoder({data, type: words[1]})
await decoder.tracks.ready
await decoder.completed
const track = decoder.tracks.selectedTrack, durations = []
const canvas = document.createElement('canvas')
let last
for (let frameIndex = 0; frameIndex < track.frameCount; frameIndex++) {
  const {image} = await decoder.decode({frameIndex})
  durations.push(image.duration / 1000)
  canvas.width = image.displayWidth
  canvas.height = image.displayHeight
  canvas.getContext('2d').drawImage(image, 0, 0)
}
return [track.repetitionCount === Infinity ? 0 : track.repetitionCount + 1, durations, canvas.toDataURL()]
"""


@pytest.mark.parametrize("plays", [0, 1, 2, 5])
@pytest.mark.parametrize("suffix", ["gif", "apng", "webp"])
def test_plays_mean_the_same_in_all_formats(browser, suffix, plays):
    picture = animate("padding_strides", duration=120, plays=plays)
    picture.save(browser.folder / f"{plays}.{suffix}")
    browser.show("empty.html", ICON)
    played, durations, last = browser.run(DECODE, f"{plays}.{suffix}", f"image/{suffix}")
    assert (played, durations) == (plays, [120] * 9)
    shown = Image.open(io.BytesIO(base64.b64decode(last.partition(",")[2])))
    if suffix == "gif":
        assert_alike(picture.image(8), shown)
    else:
        np.testing.assert_array_equal(np.asarray(shown.convert("RGB")), np.asarray(picture.image(8).convert("RGB")))


def test_equal_steps_are_kept_apart(browser):
    picture = animate(Conv(3, 1, stride=5), duration=500)
    picture = Animation(picture.trace, replace(picture.frames, count=3, layers=picture.frames.layers[:1], dark=None))
    browser.show("empty.html", ICON)
    for suffix in ("gif", "apng", "webp"):
        picture.save(browser.folder / f"equal.{suffix}")
        assert browser.run(DECODE, f"equal.{suffix}", f"image/{suffix}")[1] == [500] * 3
