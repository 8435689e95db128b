import gzip
from pathlib import Path

from app.assets import Assets


def write(folder: Path, **files: str) -> Path:
    for stem, text in files.items():
        (folder / stem.replace("_", ".")).write_text(text)
    return folder


def test_the_index_asks_for_the_files_by_their_digest(tmp_path: Path) -> None:
    assets = Assets(write(tmp_path, index_html='<script src="page/main.js">', main_js='import "./pad.js"'))
    assert assets.files["index.html"].body == f'<script src="page/{assets.digest}/main.js">'.encode()
    assert assets.files["main.js"].body == b'import "./pad.js"'


def test_another_content_or_name_has_another_digest(tmp_path: Path) -> None:
    first = Assets(write(tmp_path, index_html="", main_js="1")).digest
    assert Assets(write(tmp_path, main_js="1")).digest == first
    assert Assets(write(tmp_path, main_js="2")).digest != first
    (tmp_path / "main.js").rename(tmp_path / "other.js")
    assert Assets(write(tmp_path, other_js="1")).digest != first


def test_each_file_is_there_plain_and_compressed_with_its_type(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not for the page")
    files = Assets(write(tmp_path, index_html="<p>", style_css="p {}", icon_svg="<svg/>", main_js="1")).files
    assert {name: asset.media_type.partition(";")[0] for name, asset in files.items()} == {
        "index.html": "text/html",
        "style.css": "text/css",
        "icon.svg": "image/svg+xml",
        "main.js": "text/javascript",
    }
    for asset in files.values():
        assert gzip.decompress(asset.gzipped) == asset.body
