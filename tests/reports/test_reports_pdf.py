"""The report as PDF, read back with another library: its pages, numbers, texts and fonts."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import made_run
import pytest
from pypdf import PdfReader

from reports import pdf
from reports.messages import Say
from reports.summary import summarise
from simulator.cli import main

A4_PT = (595, 842)


def read(tmp_path: Path, lang: Any) -> PdfReader:
    """The PDF of a small morning in which something went wrong."""
    samples = made_run.morning(300, broken=0.1)
    data = made_run.write(tmp_path, samples, made_run.run_json(devices=300), made_run.health(120))
    (tmp_path / "x.pdf").write_bytes(pdf.pdf(data, summarise(data), say=Say(lang)))
    return PdfReader(tmp_path / "x.pdf")


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
def test_the_report_is_a4_numbered_and_japanese(tmp_path: Path) -> None:
    """Every page is A4 and says its number and how many there are; the first is the council's; Japanese text can be
    searched, and every font lies in the file."""
    reader = read(tmp_path, "ja")
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


def test_charts_are_in_the_pdf_in_the_light_theme_s_colours(tmp_path: Path) -> None:
    """English too: the charts' labels are text, and their first colour is that of the light theme."""
    reader = read(tmp_path, "en")
    text = " ".join(" ".join(one.extract_text().split()) for one in reader.pages)
    for words in ("The morning in one picture", "expected by the plan", "In rehearsal, it did not hold.", "What to do"):
        assert words in text, words
    blue = b"0.121569 0.435294 0.709804"
    assert any(blue in one.get_contents().get_data() for one in reader.pages)


def test_what_is_missing_is_said_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
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


def test_the_command_line_makes_all_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """report --public --pdf --lang ja: the pages, the masked pages, and a PDF of the masked ones."""
    run = made_run.run_json(devices=100, machine={"cores": 2, "processor": "Xeon-4711"})
    data = made_run.write(tmp_path, made_run.morning(100), run)
    assert main(["report", "--lang", "ja", "--public", "--pdf", str(tmp_path / "x.pdf"), str(data.path)]) == 0
    made = {one.name: one.read_text("utf-8") for one in data.path.glob("*.html")}
    assert set(made) == {"report.html", "council.html", "report-public.html", "council-public.html"}
    assert all('<html lang="ja">' in text for text in made.values())
    assert "Xeon-4711" in made["report.html"]
    assert "Xeon-4711" not in made["report-public.html"] + made["council-public.html"]
    text = "".join(one.extract_text() for one in PdfReader(tmp_path / "x.pdf").pages)
    assert "Xeon-4711" not in text
    assert capsys.readouterr().out.endswith("report-public.html\n")
