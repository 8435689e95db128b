import gzip
from pathlib import Path

from app.web.page_files import PageFiles


def write(folder: Path, **files: str) -> Path:
    for stem, text in files.items():
        (folder / stem.replace("_", ".")).write_text(text)
    return folder


def test_the_index_refers_to_files_by_their_digest(tmp_path: Path) -> None:
    page_files = PageFiles(write(tmp_path, index_html='<script src="page/main.js">', main_js='import "./pad.js"'))
    assert page_files.files["index.html"].body == f'<script src="page/{page_files.digest}/main.js">'.encode()
    assert page_files.files["main.js"].body == b'import "./pad.js"'


def test_the_digest_changes_with_the_content_and_the_names(tmp_path: Path) -> None:
    first = PageFiles(write(tmp_path, index_html="", main_js="1")).digest
    assert PageFiles(write(tmp_path, main_js="1")).digest == first
    assert PageFiles(write(tmp_path, main_js="2")).digest != first
    (tmp_path / "main.js").rename(tmp_path / "other.js")
    assert PageFiles(write(tmp_path, other_js="1")).digest != first


def test_each_file_has_a_media_type_and_a_compressed_body(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not for the page")
    files = PageFiles(write(tmp_path, index_html="<p>", style_css="p {}", icon_svg="<svg/>", main_js="1")).files
    assert {name: page_file.media_type.partition(";")[0] for name, page_file in files.items()} == {
        "index.html": "text/html",
        "style.css": "text/css",
        "icon.svg": "image/svg+xml",
        "main.js": "text/javascript",
    }
    for page_file in files.values():
        assert gzip.decompress(page_file.gzipped) == page_file.body
