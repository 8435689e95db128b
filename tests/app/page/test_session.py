"""The pictures of the session: the table, CSV, several files at once, links, and the calls."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Download, Page, expect

from tests.app.page.browser import FORTY_TWO, SCRIBBLE, SEVEN, change_json, draw, wait_for_predictions
from tests.test_examples import NODE

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[3] / "app" / "page"


def rows(page: Page) -> list[str]:
    """Return the rows of the table, without the pictures."""
    texts = page.locator("#session tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].slice(1).map((cell) => cell.innerText).join(' | '))"
    )
    return [text.replace("\n", " ") for text in texts]


def open_session(page: Page) -> None:
    page.locator("#session summary").click()


def read_csv(download: Download, folder: Path) -> list[dict[str, str]]:
    download.save_as(folder / "a.csv")
    with (folder / "a.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_drawing_has_one_row_and_can_be_shown_and_corrected_again(page: Page, tmp_path: Path) -> None:
    expect(page.locator("#session")).to_be_hidden()
    for stroke in FORTY_TWO:  # three answers, one drawing
        draw(page, stroke)
    expect(page.locator("#answer .text")).to_have_text("42")
    wait_for_predictions(page)
    page.locator("#reading .boxes button").nth(1).click()
    expect(page.locator("#reading .selected")).to_contain_text("Digit 2 of 2")
    expect(page.locator(".prediction .digit").first).to_have_text("2")
    page.locator("#correction").get_by_role("button", name="3", exact=True).click()
    expect(page.locator("#correction p")).to_contain_text("Thank you.")
    page.get_by_role("button", name="Clear").click()
    draw(page, SEVEN)
    expect(page.locator("#answer .text")).to_have_text("7")
    open_session(page)
    drawn, seven = rows(page)
    assert drawn.startswith("Drawing 1 | 42 corrected: digit 2: 3 | ")
    assert seven.startswith("Drawing 2 | 7 | 99.")

    page.get_by_role("button", name="Show Drawing 1 again").click()
    expect(page.locator("#answer .text")).to_have_text("42")
    wait_for_predictions(page)
    assert rows(page) == [drawn, seven]  # the correction is kept

    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    assert download.value.suggested_filename == "digitserve.csv"
    first, second = read_csv(download.value, tmp_path)
    assert (first["picture"], first["answer"], first["correction"]) == ("Drawing 1", "42", "digit 2: 3")
    assert (second["answer"], second["abstained"], second["model"], second["problem"]) == ("7", "false", "convnet", "")
    assert float(second["confidence"]) > 0.9


def test_without_a_store_a_correction_is_noted_in_the_table(page: Page) -> None:
    change_json(page, "**/predict?*", lambda prediction: prediction.pop("prediction_id"))
    draw(page, SCRIBBLE)
    wait_for_predictions(page)
    expect(page.locator("#correction p")).to_contain_text("noted in the list of your pictures")
    page.locator("#correction").get_by_role("button", name="not a digit").click()
    expect(page.locator("#correction p")).to_have_text("Thank you. Noted as not a digit.")
    open_session(page)
    assert "corrected: not a digit" in rows(page)[0]
    assert rows(page)[0].endswith("not sure")


def test_several_files_are_read_into_the_table(context: BrowserContext, url: str, seven: bytes, tmp_path: Path) -> None:
    page = context.new_page()
    page.goto(url)
    page.locator("#choose").set_input_files(
        [
            {"name": "=cmd().png", "mimeType": "image/png", "buffer": seven},
            {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"7"},
            {"name": 'a "7", b.png', "mimeType": "image/png", "buffer": seven},
        ]
    )
    expect(page.locator("#session tbody tr")).to_have_count(3)
    expect(page.locator("#session")).to_have_attribute("open", "")
    expect(page.locator("#session .progress")).to_have_text("")
    first, second, third = rows(page)
    assert first.startswith("=cmd().png | 7 | 99.")
    assert second.startswith("notes.txt is not a picture.")
    assert third.startswith('a "7", b.png | 7 | 99.')
    expect(page.locator("#invitation")).to_be_visible()  # the pad is free
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    pictures = [row["picture"] for row in read_csv(download.value, tmp_path)]
    assert pictures == ["'=cmd().png", "notes.txt", 'a "7", b.png']  # no formula for a spreadsheet
    page.get_by_role("button", name='Show a "7", b.png again').click()
    expect(page.locator("#answer .text")).to_have_text("7")
    expect(page.locator("#session tbody tr")).to_have_count(3)


def test_a_link_opens_the_same_image_and_sends_nothing_of_it_in_the_address(
    context: BrowserContext, page: Page, url: str
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    draw(page, SEVEN)
    wait_for_predictions(page)
    page.get_by_role("button", name="Copy a link to it").click()
    expect(page.locator("#link")).to_have_text("Link copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{url}/#picture=iVBORw0KGgo")
    assert len(link) < 2000

    other = context.new_page()
    addresses: list[str] = []
    other.on("request", lambda request: addresses.append(request.url))
    other.goto(link)
    expect(other.locator("#answer .text")).to_have_text("7")
    assert all("iVBOR" not in address.partition("#")[0] for address in addresses if address.startswith("http"))
    wait_for_predictions(other)
    pixels = "() => [...document.querySelector('#model-input').getContext('2d').getImageData(0, 0, 28, 28).data]"
    assert other.evaluate(pixels) == page.evaluate(pixels)
    other.get_by_role("button", name="Clear").click()
    draw(other, SCRIBBLE)
    wait_for_predictions(other)
    assert other.url == f"{url}/"  # it is no longer the picture of the link


def test_where_the_browser_does_not_allow_copying_the_link_is_in_the_address_bar(page: Page, url: str) -> None:
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")  # as over plain HTTP
    draw(page, SEVEN)
    wait_for_predictions(page)
    page.get_by_role("button", name="Copy a link to it").click()
    expect(page.locator("#link")).to_have_text("The link is in the address bar")
    assert page.url.startswith(f"{url}/#picture=iVBORw0KGgo")


@pytest.mark.parametrize("fragment", ["#picture=", "#picture=iVBORw0KGgo!", "#picture=aGVsbG8"])
def test_a_link_that_was_cut_is_explained(context: BrowserContext, url: str, fragment: str) -> None:
    page = context.new_page()
    page.goto(f"{url}/{fragment}")
    expect(page.locator("#notice")).to_have_text("The link is incomplete, so its picture cannot be shown.")
    expect(page.locator("#answer")).to_be_hidden()


def run_call(title: str, code: str, folder: Path) -> object:
    """Run the code of a call in a folder, and return the answer that it prints."""
    commands = {"Shell, with curl": ["sh", "-c", code], "Python, with httpx": [sys.executable, "-c", code]}
    (folder / "call.mjs").write_text(code)
    outcome = subprocess.run(  # noqa: S603 - the page's own code
        commands.get(title, [NODE, "call.mjs"]), cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def calls(page: Page) -> dict[str, str]:
    """Open the section with the calls, and return the code by its title."""
    if page.locator("#call").get_attribute("open") is None:
        page.locator("#call summary").click()
    expect(page.locator("#call pre")).to_have_count(3)
    titles = page.locator("#call h3").all_inner_texts()
    return dict(zip(titles, page.locator("#call pre").all_inner_texts(), strict=True))


def test_each_call_runs_and_gives_the_answer_of_the_page(page: Page, tmp_path: Path) -> None:
    draw(page, SEVEN)
    wait_for_predictions(page)
    found = calls(page)
    assert list(found) == ["Shell, with curl", "Python, with httpx", "JavaScript"]
    shell = json.loads(str(run_call("Shell, with curl", found["Shell, with curl"], tmp_path)))
    assert (shell["digit"], shell["model"]) == (7, "convnet")
    assert "'digit': 7" in str(run_call("Python, with httpx", found["Python, with httpx"], tmp_path))
    assert "digit: 7" in str(run_call("JavaScript", found["JavaScript"], tmp_path))


def test_the_call_for_a_large_file_names_the_file_and_that_for_a_number_reads_it(page: Page, tmp_path: Path) -> None:
    for stroke in FORTY_TWO:
        draw(page, stroke)
    expect(page.locator("#answer .text")).to_have_text("42")
    assert json.loads(str(run_call("Shell, with curl", calls(page)["Shell, with curl"], tmp_path)))["text"] == "42"

    name, large = "it's a 7.png", (SAMPLES / "sample-note.webp").read_bytes() + bytes(20_000)
    (tmp_path / name).write_bytes(large)
    page.locator("#choose").set_input_files({"name": name, "mimeType": "image/webp", "buffer": large})
    expect(page.locator("#call pre").first).to_contain_text("it'\\''s a 7.png")
    for title, code in calls(page).items():
        assert "3" in str(run_call(title, code, tmp_path))
