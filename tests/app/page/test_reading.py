"""The digits of a number on the page, in a real browser, with a real service and a tiny finder."""

import io
import re
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.app.dark_blobs import draw_page, page_file
from tests.app.page.browser import FORTY_TWO, SEVEN, change_json, draw, wait_for_predictions

pytestmark = pytest.mark.slow

ROWS = ("17", "0 ")
NOT_READ = "There seem to be several digits, but they could not be read one by one."
ROTATED = 6  # the EXIF orientation of a picture to be turned clockwise

# Returns the number of dark pixels of the picture outside all boxes, and then inside each.
COUNT_INK = """() => {
  const canvas = document.querySelector("#reading canvas");
  const frame = canvas.getBoundingClientRect();
  const scale = canvas.width / frame.width;
  const boxes = [...document.querySelectorAll("#reading .boxes button")].map((box) => box.getBoundingClientRect());
  const counts = [0, ...boxes.map(() => 0)];
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let index = 0; index < data.length; index += 4) {
    if (data[index] > 100 || data[index + 3] < 100) continue;
    const x = frame.left + ((index / 4) % canvas.width) / scale;
    const y = frame.top + Math.floor(index / 4 / canvas.width) / scale;
    const encloses = ({ left, right, top, bottom }) => x > left - 2 && x < right + 2 && y > top - 2 && y < bottom + 2;
    counts[boxes.findIndex(encloses) + 1] += 1;
  }
  return counts;
}"""


def choose(page: Page, data: bytes, media_type: str = "image/png") -> None:
    """Choose a picture file, and wait until its number is shown."""
    page.locator("#choose").set_input_files({"name": "picture", "mimeType": media_type, "buffer": data})
    expect(page.locator("#reading")).to_be_visible()
    wait_for_predictions(page)


def name(text: str) -> re.Pattern[str]:
    """Return a pattern for the name of a box: its text and a confidence."""
    return re.compile(rf"^Digit {re.escape(text)}, \d+\.\d\s%$")


def boxes(page: Page) -> list[str | None]:
    """Return the names of the boxes, without the confidences."""
    names = [box.get_attribute("aria-label") for box in page.locator("#reading .boxes button").all()]
    return [name and name.rpartition(",")[0] for name in names]


def test_a_drawn_42_reads_42_and_each_digit_has_its_own_predictions(page: Page) -> None:
    for stroke in FORTY_TWO:
        draw(page, stroke)
    expect(page.locator("#answer .text")).to_have_text("42")
    wait_for_predictions(page)
    assert boxes(page) == ["Digit 1 of 2: 4", "Digit 2 of 2: 2"]
    expect(page.locator("#status")).to_contain_text("The picture shows the digits 4 2. Digit 1 of 2. Convolutional")
    expect(page.locator(".prediction .digit").first).to_have_text("4")
    expect(page.locator("[aria-pressed=true]")).to_have_accessible_name(name("1 of 2: 4"))

    page.locator("#reading .boxes button").nth(1).click()
    expect(page.locator(".prediction .digit").first).to_have_text("2")
    expect(page.locator("[aria-pressed=true]")).to_have_accessible_name(name("2 of 2: 2"))
    expect(page.locator("#reading .selected")).to_have_text(name("2 of 2: 2"))
    expect(page.locator("#status")).to_contain_text("Digit 2 of 2. Convolutional network predicts 2")
    expect(page.locator("#occlusion-summary")).to_contain_text("2")
    page.locator("#correction").get_by_role("button", name="2", exact=True).click()
    expect(page.locator("#correction p")).to_have_text("Thank you. Stored for training as a 2.")

    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#reading")).to_be_hidden()
    expect(page.locator(".prediction .digit").first).to_have_text("4")


def test_one_digit_is_not_sent_to_be_read(page: Page) -> None:
    paths: list[str] = []
    page.on("request", lambda request: paths.append(request.url.rpartition("/")[2].partition("?")[0]))
    draw(page, SEVEN)
    wait_for_predictions(page)
    assert "predict" in paths
    assert "read" not in paths
    expect(page.locator("#reading")).to_be_hidden()


@pytest.mark.parametrize("width", [360, 1180])
@pytest.mark.parametrize("turned", [False, True])
def test_each_box_encloses_its_digit(page: Page, width: int, turned: bool) -> None:  # noqa: FBT001 - a parameter
    page.set_viewport_size({"width": width, "height": 800})
    file, exif = io.BytesIO(), Image.Exif()
    picture = draw_page(ROWS, scale=4).crop((0, 0, 440, 480))  # not square
    if turned:
        picture = picture.rotate(90, expand=True)
        exif[0x0112] = ROTATED
    picture.save(file, "JPEG", exif=exif, quality=95)
    choose(page, file.getvalue(), "image/jpeg")
    expect(page.locator("#answer .text")).to_have_text("17\n0", use_inner_text=True)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    outside, *inside = page.evaluate(COUNT_INK)
    assert outside == 0
    assert len(inside) == 3
    assert all(inside)


def test_a_format_that_the_browser_cannot_show_has_boxes_nevertheless(page: Page) -> None:
    choose(page, page_file(ROWS, scale=4, type_="TIFF"), "image/tiff")
    assert boxes(page) == ["Digit 1 of 3: 1", "Digit 2 of 3: 7", "Digit 3 of 3: 0"]
    frame = page.locator("#reading .picture").bounding_box()
    assert frame
    assert frame["width"] == pytest.approx(frame["height"], abs=1)


def test_the_arrow_keys_move_between_the_digits_and_enter_opens_one(page: Page) -> None:
    choose(page, page_file(ROWS, scale=4))
    page.locator("#answer").get_by_role("button", name="Copy").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#reading button:focus-visible")).to_have_accessible_name(name("1 of 3: 1"))
    for key, expected in (("ArrowRight", "2 of 3: 7"), ("ArrowDown", "3 of 3: 0"), ("ArrowUp", "1 of 3: 1")):
        page.keyboard.press(key)
        expect(page.locator("#reading button:focus-visible")).to_have_accessible_name(name(expected))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".prediction .digit").first).to_have_text("7")
    expect(page.locator("#reading button:focus")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Tab")
    expect(page.locator("#reading button:focus")).to_have_count(0)
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#reading button:focus")).to_have_accessible_name(name("2 of 3: 7"))


def test_the_number_can_be_copied(context: BrowserContext, page: Page) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    choose(page, page_file(ROWS, scale=4))
    page.locator("#answer").get_by_role("button", name="Copy").click()
    expect(page.locator("#status")).to_have_text("Copied.")
    expect(page.locator("#answer .details")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == "17\n0"


def test_the_number_is_selected_where_the_browser_does_not_allow_copying(page: Page) -> None:
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")  # as over plain HTTP
    choose(page, page_file(ROWS, scale=4))
    page.locator("#answer").get_by_role("button", name="Copy").click()
    expect(page.locator("#status")).to_contain_text("The number is selected")
    expect(page.locator("#answer .details")).to_contain_text("The number is selected")
    assert page.evaluate("getSelection().toString().trim()") == "17\n0"


def test_digits_that_are_not_reliable_or_missing_are_named(page: Page) -> None:
    def change(reading: dict[str, Any]) -> None:
        reading["lines"][0]["digits"][1].update(abstained=True, reason="unsure", confidence=0.5)
        reading.update(text="1?\n0", truncated=True)
        reading["lines"][0]["text"] = "1?"

    change_json(page, "**/read?*", change)
    choose(page, page_file(ROWS, scale=4))
    assert boxes(page) == ["Digit 1 of 3: 1", "Digit 2 of 3: not sure, perhaps 7", "Digit 3 of 3: 0"]
    expect(page.locator("#status")).to_contain_text("The picture shows the digits 1 unsure; 0.")
    expect(page.locator("#answer .details")).to_have_text(
        "A question mark stands for a digit that is not clear: 1 of 3. The picture has more digits than these."
    )
    page.locator("#reading .boxes button").nth(1).click()
    expect(page.locator("[data-model=convnet] .message")).to_contain_text("Perhaps a 7")


def test_an_empty_reading_leaves_the_prediction(page: Page) -> None:
    change_json(page, "**/read?*", lambda reading: reading.update(text="", lines=[]))
    for stroke in FORTY_TWO:
        draw(page, stroke)
    expect(page.locator("#notice")).to_have_text(NOT_READ)
    wait_for_predictions(page)
    expect(page.locator("[data-model=convnet] .message")).to_contain_text("There seems to be more than one digit.")
    expect(page.locator("#reading")).to_be_hidden()
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#notice")).to_be_hidden()


def test_a_missing_finder_leaves_the_prediction_and_says_why(context: BrowserContext, url: str) -> None:
    page = context.new_page()
    page.goto(url)
    problem = '{"detail": "Digits cannot be found in pictures now."}'
    headers = {"Retry-After": "1", "Content-Type": "application/problem+json"}
    page.route("**/read?*", lambda route: route.fulfill(status=503, headers=headers, body=problem))
    for stroke in FORTY_TWO:
        draw(page, stroke)
    expect(page.locator("#notice")).to_have_text(NOT_READ)
    wait_for_predictions(page)
    expect(page.locator("[data-model=convnet] .message")).to_contain_text("There seems to be more than one digit.")
    expect(page.locator("#reading")).to_be_hidden()


def test_a_server_that_cannot_be_reached_is_asked_again_for_the_whole_picture(
    context: BrowserContext, url: str
) -> None:
    page = context.new_page()
    page.goto(url)
    page.route("**/read?*", lambda route: route.abort(), times=1)
    choose(page, page_file(ROWS, scale=4))
    expect(page.locator("#answer .text")).to_have_text("17\n0", use_inner_text=True)
    expect(page.locator("#notice")).to_be_hidden()


def test_a_digit_of_a_picture_that_has_changed_does_not_open(page: Page) -> None:
    choose(page, page_file(ROWS, scale=4))
    page.evaluate(
        "() => { const pad = document.querySelector('#pad'); pad.focus();"
        " for (const key of [' ', ...Array(12).fill('ArrowDown'), ' '])"
        " pad.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));"
        " document.querySelectorAll('#reading .boxes button')[1].click(); }"
    )
    expect(page.locator("#reading")).to_be_hidden()
    expect(page.locator(".prediction .digit").first).to_have_text("1")
