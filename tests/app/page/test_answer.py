"""The answer below the pad: on phones, after a tap, in the order of the questions, and the tools of the pad."""

import base64
import io

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.app.page.browser import FORTY_TWO, SEVEN, draw, wait_for_predictions

pytestmark = pytest.mark.slow

# Returns the number of inked pixels on the pad, and the box that encloses them: left, top, right, bottom.
INK = """() => {
  const pad = document.querySelector("#pad");
  const { data } = pad.getContext("2d").getImageData(0, 0, pad.width, pad.height);
  const inked = [...Array(pad.width * pad.height).keys()].filter((index) => data[index * 4 + 3] > 100);
  const [x, y] = [inked.map((index) => index % pad.width), inked.map((index) => Math.floor(index / pad.width))];
  const least = (values) => values.reduce((one, other) => Math.min(one, other), pad.width);
  const most = (values) => values.reduce((one, other) => Math.max(one, other), -1);
  return [inked.length, least(x), least(y), most(x), most(y)];
}"""

# Has large.png open only when `release` is called.
HOLD_LARGE = """() => {
  const open = createImageBitmap;
  const opensLater = (file) => new Promise((resolve) => {
    window.release = () => {
      const opened = open(file);
      resolve(opened);
      return opened;
    };
  });
  window.createImageBitmap = (file) => (file.name === "large.png" ? opensLater(file) : open(file));
}"""

# Opens large.png, and returns how many requests the page sends then.
REQUESTS_AFTER_RELEASE = """async () => {
  let count = 0;
  const send = fetch;
  window.fetch = (...call) => {
    count += 1;
    return send(...call);
  };
  await window.release();
  await new Promise((resolve) => setTimeout(resolve));
  return count;
}"""

# Returns what can be tapped and is less than 44 pixels wide or high.
TOO_SMALL = """() => {
  const all = [...document.querySelectorAll("button, summary, .button, nav a, .pen input")];
  const isSmall = ({ width, height }) => width && (width < 44 || height < 44);
  return all.filter((element) => isSmall(element.getBoundingClientRect())).map((element) => element.outerHTML);
}"""


@pytest.mark.parametrize(("width", "height"), [(360, 740), (768, 1024)])
@pytest.mark.parametrize("what", ["digit", "number"])
def test_the_answer_is_visible_at_once_without_scrolling(
    browser: Browser, url: str, width: int, height: int, what: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(url)
    for stroke in [SEVEN] if what == "digit" else FORTY_TWO:
        draw(page, stroke)
    expect(page.locator("#answer .text")).to_have_text("7" if what == "digit" else "42")
    for part in (".text", "strong", ".details"):
        expect(page.locator(f"#answer {part}")).to_be_in_viewport(ratio=1)
    assert page.evaluate("scrollY") == 0
    wait_for_predictions(page)
    assert page.evaluate("document.documentElement.scrollHeight") <= 3500
    context.close()


def test_the_sections_are_folded_on_a_phone_and_ask_the_service_when_they_open(
    context: BrowserContext, url: str
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 360, "height": 740})
    paths: list[str] = []
    page.on("request", lambda request: paths.append(request.url.removeprefix(f"{url}/").partition("?")[0]))
    page.goto(url)
    draw(page, SEVEN)
    wait_for_predictions(page)
    assert {"explain", "metrics", "models/softmax/weights"}.isdisjoint(paths)
    page.locator("nav").get_by_role("link", name="Why").click()
    expect(page.locator("#occlusion-summary")).to_contain_text("7")
    page.locator("#accuracy summary").click()
    expect(page.locator("#report .tiles")).to_be_visible()
    assert {"explain", "metrics", "models/softmax/weights"} <= set(paths)


def test_everything_to_tap_is_large_enough_for_a_finger(browser: Browser, url: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(url)
    expect(page.locator(".samples img").first).to_be_visible()

    def too_small() -> list[str]:
        found: list[str] = page.evaluate(TOO_SMALL)
        return found

    assert too_small() == []
    draw(page, SEVEN)
    wait_for_predictions(page)
    for section in ("#session", "#call"):
        page.locator(f"{section} summary").click()
    assert too_small() == []
    context.close()


def sent_picture(page: Page) -> Image.Image:
    """Return the picture that was sent last, in grey."""
    text = page.evaluate("async () => btoa(String.fromCharCode(...new Uint8Array(await window.sent.arrayBuffer())))")
    with Image.open(io.BytesIO(base64.b64decode(text))) as picture:
        return picture.convert("L")


@pytest.fixture
def pad(context: BrowserContext, url: str) -> Page:
    """Open the page, and have it keep what it sends instead of sending it."""
    page = context.new_page()
    page.goto(url)
    page.evaluate(
        "() => { const send = fetch; window.fetch = (path, options) => {"
        " if (!options?.body) return send(path, options);"
        " window.sent = options.body; return new Promise(() => {}); }; }"
    )
    return page


def test_a_tap_draws_a_dot(pad: Page) -> None:
    box = pad.locator("#pad").bounding_box()
    assert box
    pad.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    amount, left, top, right, bottom = pad.evaluate(INK)
    width = 0.08 * 560
    assert amount == pytest.approx(3.14 * width**2 / 4, rel=0.1)
    assert (left + right) / 2 == pytest.approx(280, abs=2)
    assert (top + bottom) / 2 == pytest.approx(140, abs=2)
    assert sent_picture(pad).getpixel((140, 70)) == 0


def picture(type_: str, side: int) -> bytes:
    """Return a white picture."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), "white").save(file, type_)
    return file.getvalue()


def test_a_picture_that_takes_long_to_open_does_not_replace_a_later_one(page: Page, seven: bytes) -> None:
    page.evaluate(HOLD_LARGE)
    files = [
        {"name": f"{name}.png", "mimeType": "image/png", "buffer": data}
        for name, data in (("large", picture("PNG", 900)), ("small", seven))
    ]
    for file in files:
        page.locator("#choose").set_input_files(file)
    expect(page.locator("#answer .text")).to_have_text("7")
    assert page.evaluate(REQUESTS_AFTER_RELEASE) == 0
    expect(page.locator("#answer .text")).to_have_text("7")
    expect(page.locator("#session .count")).to_have_text("1")


def test_an_answer_that_comes_late_does_not_replace_a_later_one(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/predict?*", hold, times=2)  # one for each model
    with page.expect_request("**/predict?*"):
        draw(page, [(0.5, 0.2), (0.5, 0.8)])
    page.get_by_role("button", name="Clear").click()
    draw(page, SEVEN)
    expect(page.locator("#answer .text")).to_have_text("7")
    for route in held:
        route.continue_()
    page.evaluate("fetch('health/ready')")  # the others have been answered by now
    expect(page.locator("#answer .text")).to_have_text("7")
    expect(page.locator("#session .count")).to_have_text("1")


def test_the_eraser_removes_ink_and_needs_some(page: Page) -> None:
    eraser = page.get_by_role("button", name="Eraser")
    expect(eraser).to_be_disabled()
    draw(page, SEVEN)
    before = page.evaluate(INK)
    eraser.click()
    expect(eraser).to_have_attribute("aria-pressed", "true")
    draw(page, [(0.2, 0.25), (0.8, 0.25)])  # the bar
    after = page.evaluate(INK)
    assert after[0] < 0.8 * before[0]
    assert after[2] > before[2] + 20
    expect(page.locator("#answer .text")).not_to_have_text("7")
    page.get_by_role("button", name="Undo").click()
    assert page.evaluate(INK) == before
    expect(page.locator("#answer .text")).to_have_text("7")
    page.get_by_role("button", name="Clear").click()
    expect(eraser).to_be_disabled()
    expect(eraser).to_have_attribute("aria-pressed", "false")
    draw(page, SEVEN)
    assert page.evaluate(INK) == before  # with the pen again


def test_the_erased_pixels_are_white_in_the_file(pad: Page) -> None:
    draw(pad, SEVEN)
    pad.get_by_role("button", name="Eraser").click()
    draw(pad, [(0.2, 0.25), (0.8, 0.25)])  # the bar
    sent = sent_picture(pad)
    assert sent.getpixel((140, 70)) == 255
    assert min(sent.getpixel((x, 200)) for x in range(110, 150)) == 0
