"""The report as PDF, read back with another library: its pages, numbers, texts and fonts."""

import io
import subprocess
import sys
from pathlib import Path

import made_run
import pytest
from made_nights import Nights
from pypdf import PdfReader

from reports import pdf
from reports.runfolder import RunData
from simulator.cli import main
from simulator.series_conclusion import conclude_series

A4_PT = (595, 842)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunData, PdfReader]:
    """A small morning in which something went wrong, and what report --public --pdf --lang ja made of it."""
    folder = tmp_path_factory.mktemp("made")
    run = made_run.run_json(devices=300, machine={"cores": 2, "processor": "Xeon-4711"})
    data = made_run.write(folder, made_run.morning(300, broken=0.1), run, made_run.health(120))
    file = folder / "x.pdf"
    assert main(["report", "--lang", "ja", "--public", "--pdf", str(file), str(data.path)]) == 1
    return data, PdfReader(file)


def embedded(reader: PdfReader) -> dict[str, bool]:
    """Each font by name, and whether its glyphs are in the file."""
    found = {}
    for one in reader.pages:
        for font in one["/Resources"]["/Font"].values():
            inner = font.get_object()["/DescendantFonts"][0].get_object()
            descriptor = inner["/FontDescriptor"].get_object()
            found[str(inner["/BaseFont"])] = any(key in descriptor for key in ("/FontFile2", "/FontFile3"))
    return found


@pytest.mark.skipif(bool(pdf.japanese_missing()), reason="no Japanese font is installed")
def test_the_report_is_a4_numbered_and_japanese(made: tuple[RunData, PdfReader]) -> None:
    """Every page is A4 and says its number and how many there are; the first is the council's; Japanese text can be
    searched, and every font lies in the file."""
    _, reader = made
    texts = ["".join(one.extract_text().split()) for one in reader.pages]
    count = len(texts)
    assert 5 <= count <= 20
    for number, (one, text) in enumerate(zip(reader.pages, texts, strict=True), 1):
        assert (round(one.mediabox.width), round(one.mediabox.height)) == A4_PT
        assert f"{number}/{count}" in text
    assert "30秒以内に仕事を始められる。" in texts[0]
    assert "リハーサルでは耐えられない" in texts[1]
    assert not any("秒以内に仕事を" in text for text in texts[1:])
    whole = "".join(texts)
    for words in ("次にすること", "朝の全体像", "本庁舎", "もう一度実行するには", "identity.login"):
        assert words in whole, words
    fonts = embedded(reader)
    assert fonts
    assert all(fonts.values()), fonts
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert reader.trailer["/Root"]["/Lang"] == "ja"


def test_charts_are_in_the_pdf_in_the_light_theme_s_colours(made: tuple[RunData, PdfReader]) -> None:
    """Lines are drawn in the colour of the first series and in that of the fourth."""
    _, reader = made
    drawn = b"".join(one.get_contents().get_data() for one in reader.pages)
    for colour in ("1f6fb5", "0d766c"):
        parts = " ".join(f"{int(colour[at : at + 2], 16) / 255:.6f}".rstrip("0") for at in (0, 2, 4))
        assert f"{parts} RG".encode() in drawn, colour


@pytest.mark.skipif(bool(pdf.japanese_missing()), reason="no Japanese font is installed")
def test_a_series_has_its_pdf(tmp_path: Path) -> None:
    """As a run has: A4 throughout, numbered, the council's sheet first and alone, then the objectives run by run; as
    public as asked, in Japanese, every font in the file; it links to no page."""
    targets = {"identity": {"url": "https://idp.city.example", "basis": "target"}}
    folder = Nights(tmp_path).repeat(4, targets={**made_run.run_json()["targets"], **targets})
    file = tmp_path / "x.pdf"
    conclude_series(folder, io.StringIO(), "ja", public=True, pdf=file)
    reader = PdfReader(file)
    texts = ["".join(one.extract_text().split()) for one in reader.pages]
    for number, (one, text) in enumerate(zip(reader.pages, texts, strict=True), 1):
        assert (round(one.mediabox.width), round(one.mediabox.height)) == A4_PT
        assert f"{number}/{len(texts)}" in text
    assert "秒以内に仕事を始められる。" in texts[0]
    assert not any("秒以内に仕事を" in text for text in texts[1:])
    whole = "".join(texts[1:])
    for words in ("実行間の幅", "run-04", "何をテストしたか", "上限までの余裕"):
        assert words in whole, words
    assert "idp.city.example" not in "".join(texts)
    assert all(embedded(reader).values())
    links = [link.get_object() for one in reader.pages for link in one.get("/Annots", ())]
    assert not any("/URI" in link.get("/A", {}) for link in links)


def test_what_is_missing_is_said_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra one line says what to install, exit 2, and nothing is written; so for more runs than one."""
    data = made_run.write(tmp_path, made_run.morning(60), made_run.run_json())
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    assert main(["report", "--pdf", str(tmp_path / "x.pdf"), str(data.path)]) == 2
    assert capsys.readouterr().err == "fleetrush: --pdf needs WeasyPrint: python -m pip install 'fleetrush[pdf]'\n"
    monkeypatch.undo()
    assert main(["report", "--pdf", str(tmp_path / "x.pdf"), str(data.path), str(data.path)]) == 2
    assert main(["report", "--pdf", str(tmp_path / "none" / "x.pdf"), str(data.path)]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert not list(data.path.glob("*.html"))
    assert not list(tmp_path.glob("*.pdf"))


def test_a_missing_font_is_told(tmp_path: Path) -> None:
    """Where no font has Japanese letters the warning names a package that does; where one has, nothing is said."""
    empty = tmp_path / "fonts.conf"
    empty.write_text("<?xml version='1.0'?><!DOCTYPE fontconfig SYSTEM 'fonts.dtd'><fontconfig></fontconfig>")
    told = subprocess.run(
        [sys.executable, "-c", "from reports.pdf import japanese_missing; print(japanese_missing())"],
        capture_output=True,
        text=True,
        check=True,
        env={"FONTCONFIG_FILE": str(empty), "PATH": "/usr/bin:/bin"},
    ).stdout
    assert told == "no Japanese font is installed, so boxes stand for its letters: apt install fonts-ipaexfont-gothic\n"


def test_the_pages_are_there_and_the_pdf_is_as_public_as_asked(made: tuple[RunData, PdfReader]) -> None:
    """The pages, the masked pages beside them, and a PDF of the masked ones, all in the language that was asked for."""
    data, reader = made
    pages = {one.name: one.read_text("utf-8") for one in data.path.glob("*.html")}
    assert set(pages) == {"report.html", "council.html", "report-public.html", "council-public.html"}
    assert all('<html lang="ja">' in text for text in pages.values())
    assert "Xeon-4711" in pages["report.html"]
    assert "Xeon-4711" not in pages["report-public.html"] + pages["council-public.html"]
    assert "Xeon-4711" not in "".join(one.extract_text() for one in reader.pages)
