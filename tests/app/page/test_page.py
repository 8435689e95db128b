"""The page in a real browser, with a real service."""

import base64
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.app.page.browser import FORTY_TWO, SCRIBBLE, SEVEN, change_json, draw, wait_for_predictions
from tests.app.page.conftest import TITLES, publish_copy
from tests.app.service import service

pytestmark = pytest.mark.slow

KILOBYTE = 1000
MAX_BYTES = 1_500_000  # of a picture that is sent unchanged
SLOW_4G = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8}


def digits(page: Page) -> list[str]:
    """Return the predicted digits of both models."""
    wait_for_predictions(page)
    return page.locator(".prediction .digit").all_inner_texts()


def photograph() -> bytes:
    """Make a photograph of a 7 in blue ink on grey paper, half in shadow and slightly blurred."""
    rng = np.random.default_rng(7)
    shadow = (
        np.linspace(215, 120, 1200)[np.newaxis, :, np.newaxis] + np.linspace(0, -25, 900)[:, np.newaxis, np.newaxis]
    )
    paper = shadow + rng.normal(0, 4, (900, 1200, 1)) + np.array([0, -2, -10])
    picture = Image.fromarray(paper.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    pen.line([(470, 260), (700, 250), (690, 300), (560, 640)], fill=(35, 45, 120), width=26, joint="curve")
    file = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(2)).save(file, "JPEG", quality=85)
    return file.getvalue()


def test_both_models_predict_a_seven_drawn_with_the_mouse(page: Page) -> None:
    draw(page, SEVEN)
    assert digits(page) == ["7", "7"]
    expect(page.locator("#status")).to_contain_text("Convolutional network predicts 7")
    expect(page.locator("#time")).to_contain_text("The server took")
    expect(page.locator(".prediction .best .label")).to_have_text(["7", "7"])
    expect(page.locator("#weights .best b")).to_have_text("7")
    expect(page.locator("#occlusion-summary")).to_contain_text("7")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#invitation")).to_be_visible()
    expect(page.locator("#answer, #details")).to_have_count(2)
    expect(page.locator("#answer:visible, #details:visible")).to_have_count(0)
    draw(page, SEVEN)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#invitation")).to_be_visible()
    page.keyboard.press("Control+z")
    assert digits(page) == ["7", "7"]


def test_the_page_has_a_card_for_each_classifier_that_is_served(
    context: BrowserContext, models: Path, tmp_path: Path
) -> None:
    """The default model comes first. Its predictions are explained, and a model that has no title has its name."""
    shutil.copytree(models, tmp_path, dirs_exist_ok=True)
    publish_copy(tmp_path, "another", "Another network", original="convnet")
    card = json.loads((newest_card := next((tmp_path / "softmax").glob("*/model.json"))).read_text())
    newest_card.write_text(json.dumps(card | {"title": None}))
    page = context.new_page()
    settings = {"MODELS_DIR": str(tmp_path), "DEFAULT_MODEL": "another", "REQUIRED_MODELS": "another,convnet,softmax"}
    with service(WORKERS="1", ACCESS_LOG="false", **settings) as (_, url):
        page.goto(url)
        expect(page.locator("#report .tiles h3")).to_have_text(["Another network", "Convolutional network", "softmax"])
        expect(page.locator(".prediction h2")).to_have_text(["Another network", "Convolutional network", "softmax"])
        expect(page.locator("#occlusion-title")).to_have_text("Another network: what matters in your picture")
        expect(page.locator("#weights-title")).to_have_text("softmax: all that it has learned")
        with page.expect_request("**/explain?model=another"):
            draw(page, SEVEN)
        expect(page.locator(".prediction .digit")).to_have_text(["7", "7", "7"])
        expect(page.locator("#weights .best b")).to_have_text("7")
        assert Axe().run(page).violations_count == 0


@pytest.mark.parametrize(("name", "has_weights"), [("convnet", False), ("softmax", True)])
def test_the_page_of_a_service_with_one_classifier_has_one_card(
    context: BrowserContext, models: Path, tmp_path: Path, name: str, *, has_weights: bool
) -> None:
    """The weights are shown if it is affine. The finder is no classifier."""
    for kept in (name, "finder"):
        shutil.copytree(models / kept, tmp_path / kept)
    page = context.new_page()
    settings = {"MODELS_DIR": str(tmp_path), "DEFAULT_MODEL": name, "REQUIRED_MODELS": name}
    with service(WORKERS="1", ACCESS_LOG="false", **settings) as (_, url):
        page.goto(url)
        expect(page.locator("#report .tiles h3")).to_have_text([TITLES[name]])
        expect(page.locator("#occlusion-title")).to_have_text(f"{TITLES[name]}: what matters in your picture")
        expect(page.locator("#weights-card")).to_be_visible(visible=has_weights)
        draw(page, SEVEN)
        expect(page.locator(".prediction h2")).to_have_text([TITLES[name]])
        expect(page.locator(".prediction .digit")).to_have_text(["7"])
        expect(page.locator("#occlusion-summary")).to_contain_text("7")


def test_an_abstention_on_a_scribble_shows_its_reason(page: Page) -> None:
    draw(page, SCRIBBLE)
    wait_for_predictions(page)
    for message in (page.locator("#answer .message"), page.locator("[data-model=convnet] .message")):
        expect(message).to_contain_text("Not sure Perhaps a")
        expect(message).to_contain_text("This does not look like a digit.")


@pytest.mark.parametrize(
    ("confidence", "text"),
    [(0.9999, "99.9"), (0.99996, "99.9"), (1 - 1e-9, "99.9"), (0.98765, "98.8"), (1, "100.0")],
)
def test_a_confidence_below_1_is_never_shown_as_100_percent_and_the_same_everywhere(
    page: Page, confidence: float, text: str
) -> None:
    def change(prediction: dict[str, Any]) -> None:
        others = [(1 - confidence) / 9] * 9
        prediction.update(digit=0, confidence=confidence, probabilities=[confidence, *others], abstained=False)

    change_json(page, "**/predict?*", change)
    draw(page, SEVEN)
    wait_for_predictions(page)
    expect(page.locator("#answer .details")).to_have_text(f"{text}\u202f% sure")
    expect(page.locator(".prediction .message strong")).to_have_text([f"{text}\u202f% sure"] * 2)
    expect(page.locator(".prediction .best .share")).to_have_text([f"{text}\u202f%"] * 2)
    expect(page.locator("#status")).to_contain_text(f"predicts 0 with {text}\u202f% confidence")
    expect(page.locator("#session td").last).to_have_text(f"{text}\u202f%")


def colours(page: Page, selector: str) -> NDArray[np.int_]:
    """Return the colours of a raster on the page, (28, 28, 3) RGB, without their opacity."""
    values: list[int] = page.evaluate(
        "(selector) => Array.from(document.querySelector(selector).getContext('2d').getImageData(0, 0, 28, 28).data)",
        selector,
    )
    return np.array(values).reshape(28, 28, 4)[..., :3]


def text_colour(page: Page, selector: str) -> NDArray[np.int_]:
    style: str = page.locator(selector).first.evaluate("(element) => getComputedStyle(element).color")
    return np.array(re.findall(r"\d+", style)[:3], int)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_positive_weights_are_blue_and_negative_weights_are_orange(
    context: BrowserContext, url: str, scheme: str
) -> None:
    def change(softmax: dict[str, Any]) -> None:
        softmax["weights"] = [[[1.0] * 14 + [-1.0] * 14] * 28] * 10

    page = context.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    change_json(page, "**/models/softmax/weights?*", change)
    page.goto(url)
    expect(page.locator("#report .tiles")).to_be_visible()

    blue, orange = text_colour(page, "#explanation .for"), text_colour(page, "#explanation .against")
    expect(page.locator("#explanation .for")).to_have_text("blue")
    assert blue[2] > blue[0]
    assert orange[0] > orange[2]
    page.wait_for_function(
        "document.querySelector('#weights canvas').getContext('2d').getImageData(0, 0, 1, 1).data[3]"
    )
    pixels = colours(page, "#weights canvas")
    np.testing.assert_allclose(pixels[:, :14], np.broadcast_to(blue, (28, 14, 3)), atol=2)
    np.testing.assert_allclose(pixels[:, 14:], np.broadcast_to(orange, (28, 14, 3)), atol=2)


def test_the_occlusion_map_is_orange_where_covering_lowers_the_confidence(page: Page) -> None:
    def change(occlusion: dict[str, Any]) -> None:
        occlusion["confidence"] = 0.9
        occlusion["confidences"] = [[0.9 for _ in row] for row in occlusion["confidences"]]
        occlusion["confidences"][0][0] = 0.0

    change_json(page, "**/explain?*", change)
    draw(page, SEVEN)
    wait_for_predictions(page)
    ink = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink-rgb')")
    pixels = colours(page, "#occlusion")
    np.testing.assert_allclose(pixels[0, 0], text_colour(page, "#explanation .against"), atol=2)
    row, column = np.argwhere(pixels[14:].any(axis=2))[0]
    np.testing.assert_allclose(pixels[14 + row, column], np.array(ink.split(), int), atol=12)


def test_a_drawing_is_sent_without_the_asynchronous_to_blob(page: Page) -> None:
    page.evaluate("HTMLCanvasElement.prototype.toBlob = () => {}")  # as in a Chromium that is never idle
    draw(page, SEVEN)
    assert digits(page) == ["7", "7"]


def test_a_photograph_can_be_chosen(page: Page) -> None:
    page.locator("#choose").set_input_files({"name": "p.jpg", "mimeType": "image/jpeg", "buffer": photograph()})
    assert digits(page)[0] == "7"
    expect(page.locator("#invitation")).to_be_hidden()


def test_a_large_photograph_is_reduced_before_it_is_sent(page: Page) -> None:
    file = io.BytesIO()
    with Image.open(io.BytesIO(photograph())) as picture:
        picture.resize((2400, 1800)).save(file, "BMP")
    assert len(file.getvalue()) > MAX_BYTES
    with page.expect_request("**/predict?*") as sent:
        page.locator("#choose").set_input_files({"name": "p.bmp", "mimeType": "image/bmp", "buffer": file.getvalue()})
    assert sent.value.headers["content-type"] == "image/jpeg"
    assert digits(page)[0] == "7"
    assert 0 < int(sent.value.all_headers()["content-length"]) < MAX_BYTES


def test_a_picture_can_be_pasted(context: BrowserContext, page: Page, seven: bytes) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        "async (text) => { const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));"
        " const item = new ClipboardItem({'image/png': new Blob([bytes], {type: 'image/png'})});"
        " await navigator.clipboard.write([item]); }",
        base64.b64encode(seven).decode(),
    )
    page.keyboard.press("Control+v")
    assert digits(page) == ["7", "7"]


def test_a_picture_can_be_dropped(page: Page, seven: bytes) -> None:
    transfer = page.evaluate_handle(
        "(text) => { const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));"
        " const transfer = new DataTransfer(); transfer.items.add(new File([bytes], 'x.png', {type: 'image/png'}));"
        " return transfer; }",
        base64.b64encode(seven).decode(),
    )
    page.dispatch_event("#explanation", "drop", {"dataTransfer": transfer})
    assert digits(page) == ["7", "7"]


def test_a_format_that_the_browser_cannot_show_is_sent_nevertheless(page: Page, seven: bytes) -> None:
    file = io.BytesIO()
    with Image.open(io.BytesIO(seven)) as picture:
        picture.save(file, "TIFF")
    page.locator("#choose").set_input_files({"name": "7.tiff", "mimeType": "image/tiff", "buffer": file.getvalue()})
    assert digits(page) == ["7", "7"]
    expect(page.locator("#invitation")).to_have_text("Your browser cannot show this file")


def test_more_pressure_draws_a_wider_line(page: Page) -> None:
    def ink(pressure: float) -> float:
        page.evaluate(
            "(pressure) => { const pad = document.querySelector('#pad'); const box = pad.getBoundingClientRect();"
            " const at = (x) => ({pointerId: 1, pointerType: 'pen', pressure, button: 0, bubbles: true,"
            " clientX: box.left + x * box.width, clientY: box.top + box.height / 2});"
            " pad.setPointerCapture = () => {};"
            " pad.dispatchEvent(new PointerEvent('pointerdown', at(0.2)));"
            " pad.dispatchEvent(new PointerEvent('pointermove', at(0.8)));"
            " pad.dispatchEvent(new PointerEvent('pointerup', at(0.8))); }",
            pressure,
        )
        wait_for_predictions(page)
        amount: float = page.evaluate(
            "() => { const pad = document.querySelector('#pad');"
            " const data = pad.getContext('2d').getImageData(0, 0, pad.width, pad.height).data;"
            " return data.reduce((sum, value, index) => sum + (index % 4 === 3 ? value : 0), 0); }"
        )
        page.get_by_role("button", name="Clear").click()
        return amount

    assert ink(1.0) > 2 * ink(0.1)


def test_a_digit_can_be_drawn_and_corrected_with_the_keyboard_alone(page: Page) -> None:
    def tab_to(selector: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
        pytest.fail(f"Tab does not lead to {selector}")

    tab_to("#pad")
    expect(page.locator("#pad-help")).to_be_visible()
    keys = ["ArrowLeft"] * 5 + [" "] + ["ArrowRight"] * 9 + ["ArrowDown", "ArrowDown", "ArrowLeft"] * 6 + [" "]
    for key in keys:
        page.keyboard.press(key)
    assert digits(page) == ["7", "7"]
    tab_to("#correction button:nth-of-type(8)")
    page.keyboard.press("Enter")
    expect(page.locator("#correction p")).to_have_text("Thank you. Stored for training as a 7.")
    tab_to(".confusion tbody td")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".confusion + .summary").first).to_contain_text("980 zeros are taken for 1")


@pytest.mark.parametrize(
    ("name", "media_type", "data", "message"),
    [
        ("notes.txt", "text/plain", b"7", "notes.txt is not a picture. Please choose a photo, a scan or a screenshot"),
        ("page.pdf", "application/pdf", b"%PDF-1.7", "page.pdf is a PDF, and only pictures can be read. Please take a"),
        ("x.png", "image/png", b"no picture at all", "x.png is not a picture that can be read. Please choose a photo"),
        ("x.jpg", "image/jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF", "x.jpg cannot be opened: the file is damaged"),
        ("x.heic", "image/heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "x.heic cannot be opened: the file is damaged"),
        ("empty.png", "image/png", b"", "empty.png is empty. Please choose another file."),
        ("large.tif", "image/tiff", b"II*\0" + bytes(9_000_000), "large.tif is too large. Please choose a smaller"),
    ],
)
def test_a_file_that_cannot_be_read_is_explained_in_words_for_people(
    context: BrowserContext, url: str, name: str, media_type: str, data: bytes, message: str
) -> None:
    page = context.new_page()
    page.goto(url)
    draw(page, SEVEN)
    wait_for_predictions(page)
    page.locator("#choose").set_input_files({"name": name, "mimeType": media_type, "buffer": data})
    expect(page.locator("#notice")).to_contain_text(message)
    expect(page.locator("#answer:visible, #details:visible, #call:visible")).to_have_count(0)
    expect(page.locator("#session tr").last).to_contain_text(message)


def test_a_request_to_a_busy_server_is_repeated(context: BrowserContext, url: str) -> None:
    page = context.new_page()
    page.goto(url)
    problem = '{"detail": "The queue is full."}'
    headers = {"Retry-After": "1", "Content-Type": "application/problem+json"}
    page.route("**/predict?*", lambda route: route.fulfill(status=503, headers=headers, body=problem), times=1)
    draw(page, SEVEN)
    expect(page.locator("#notice")).to_have_text(
        "The server is busy or still starting. Your picture is sent again in a moment."
    )
    assert digits(page) == ["7", "7"]
    expect(page.locator("#notice")).to_be_hidden()


def test_the_page_asks_for_a_token_that_the_server_requires(context: BrowserContext, models: Path) -> None:
    page = context.new_page()
    with service(WORKERS="1", PREDICT_TOKEN="correct-token", MODELS_DIR=str(models)) as (_, url):
        page.goto(url)
        expect(page.locator("#report .tiles")).to_be_visible()
        expect(page.locator("#token")).to_be_hidden()
        draw(page, SEVEN)
        for number, token in enumerate(("wrong-token", "correct-token")):
            expect(page.locator("#notice")).to_contain_text("requires a token")
            expect(page.get_by_label("Token")).to_be_focused()
            assert Axe().run(page).violations_count == 0
            page.keyboard.type(token)
            page.keyboard.press("Enter")
            if not number:
                expect(page.get_by_label("Token")).to_have_value("")
        assert digits(page) == ["7", "7"]
        expect(page.locator("#token")).to_be_hidden()
        expect(page.locator("#notice")).to_be_hidden()
        page.reload()
        draw(page, SEVEN)
        assert digits(page) == ["7", "7"]


def test_the_page_works_behind_a_proxy_with_a_prefix(context: BrowserContext, models: Path) -> None:
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url) if not request.url.startswith("data:") else None)
    with service(WORKERS="1", ROOT_PATH="/team/digits", MODELS_DIR=str(models)) as (_, url):
        page.goto(f"{url}/team/digits/")
        expect(page.locator("#report .tiles")).to_be_visible()
        draw(page, SEVEN)
        assert digits(page) == ["7", "7"]
    assert [request for request in requests if not request.startswith((f"{url}/team/digits/", "blob:"))] == []


def test_the_page_waits_for_a_server_that_cannot_be_reached(context: BrowserContext, models: Path) -> None:
    page = context.new_page()
    with service(WORKERS="1", MODELS_DIR=str(models)) as (_, url):
        page.goto(url)
        expect(page.locator("#report .tiles")).to_be_visible()
    draw(page, SEVEN)
    expect(page.locator("#notice")).to_contain_text("The server cannot be reached. Your picture is kept")
    expect(page.locator("#answer")).to_be_hidden()
    with service(WORKERS="1", MODELS_DIR=str(models), PORT=url.rpartition(":")[2]):
        assert digits(page) == ["7", "7"]
        expect(page.locator("#notice")).to_be_hidden()
        expect(page.locator("#correction p")).to_contain_text("noted in the list")  # this service stores none


def test_the_page_fits_the_narrowest_phone(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    draw(page, SEVEN)
    assert digits(page) == ["7", "7"]
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("what", ["samples", "digit", "number"])
def test_axe_finds_no_accessibility_problem(page: Page, seven: bytes, scheme: str, what: str) -> None:
    """At all widths, with all sections open, and with a table of a picture and a file that is none."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    files = [{"name": f"{number}.png", "mimeType": "image/png", "buffer": seven} for number in range(2)]
    page.locator("#choose").set_input_files(files)
    expect(page.locator("#session tbody tr")).to_have_count(2)
    strokes = {"samples": [], "digit": [SEVEN if scheme == "light" else SCRIBBLE], "number": FORTY_TWO}[what]
    for stroke in strokes:
        draw(page, stroke)
    if what == "number":
        expect(page.locator("#reading")).to_be_visible()
    if strokes:
        wait_for_predictions(page)
        page.locator("#call summary").click()
        expect(page.locator("#call pre")).to_have_count(3)
    for width in (320, 360, 768, 1024, 1180):
        page.set_viewport_size({"width": width, "height": 800})
        results = Axe().run(page)
        assert results.violations_count == 0, f"{width} pixels: {results.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_cards_are_aligned(page: Page) -> None:
    """Only one of the two has a long message."""
    page.set_viewport_size({"width": 1024, "height": 800})
    change_json(page, "**/predict?model=softmax*", lambda body: body.update(abstained=True, reason="not_a_digit"))
    draw(page, SEVEN)
    wait_for_predictions(page)
    for part in ("h2", ".result", ".bars", ".bars li:last-child"):
        first, second = [each.bounding_box() for each in page.locator(f".prediction {part}").all()]
        assert first
        assert second
        assert (first["y"], first["height"]) == (second["y"], second["height"])


def test_no_line_joins_bins_of_a_few_images(context: BrowserContext, url: str) -> None:
    def change(body: dict[str, Any]) -> None:
        for model in body["models"].values():
            counts = [500, 19, 1, 20, 300, 0, 0, 0, 0, 0, 0, 1, 30, 40, 9000]
            model["test"]["reliability"] = [[count, (i + 0.5) / 15, (i + 0.5) / 15] for i, count in enumerate(counts)]

    page = context.new_page()
    change_json(page, "**/metrics", change)
    page.goto(url)
    expect(page.locator("#report .tiles")).to_be_visible()
    plot = page.locator("article", has_text="Can its confidence be trusted?").locator("svg")
    lines = plot.locator("path.series-0").evaluate_all("(lines) => lines.map((line) => line.getAttribute('d'))")
    assert [line.count("L") + 1 for line in lines] == [1, 2, 3]
    expect(plot.locator("circle.series-0")).to_have_count(6)


@pytest.mark.alone
def test_the_first_paint_on_a_slow_phone_takes_less_than_a_second(browser: Browser, url: str) -> None:
    def first_paint() -> float:
        context = browser.new_context(viewport={"width": 360, "height": 740})
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", SLOW_4G)
        page.goto(url)
        expect(page.locator(".samples img").last).to_be_visible()
        milliseconds: float = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        context.close()
        return milliseconds

    assert min(first_paint() for _ in range(3)) < 1000  # the minimum of three: the machine may be busy


def test_the_whole_page_transfers_less_than_170_kilobytes(context: BrowserContext, url: str) -> None:
    """With the samples, all sections and the answers for a digit."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    received: list[int] = []
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page.goto(url)
    expect(page.locator("#report .tiles")).to_be_visible()
    draw(page, SEVEN)
    wait_for_predictions(page)
    assert len(received) > 40
    assert sum(received) < 170 * KILOBYTE
