"""The sample's layout, and its file whole, growing and torn."""

import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reports.record import HEADER_BYTES, OPERATOR, PACK, SAMPLE, SampleFile, SampleFileError, header, load


def packed(number: int) -> bytes:
    """One sample that can be told from every other."""
    floats = (float(number), number + 0.25, number + 0.5, number + 0.75)
    return PACK.pack(*floats, number, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4)


def test_a_sample_is_56_bytes_in_the_order_of_the_table() -> None:
    """Each field stands where the record's table says, worked out by hand: 4 x 8, 3 x 4, 4 x 2, 4 x 1, no gaps."""
    offsets = {"due": 0, "able": 8, "sent": 16, "done": 24, "device": 32, "bytes_in": 36, "bytes_out": 40}
    offsets |= {"step": 44, "status": 46, "reason": 48, "action": 50}
    offsets |= {"outcome": 52, "trigger": 53, "journey": 54, "attempt": 55}
    assert SAMPLE.itemsize == PACK.size == 56
    assert {name: SAMPLE.fields[name][1] for name in SAMPLE.names} == offsets
    assert OPERATOR == 4_294_967_295


def test_what_is_packed_is_what_numpy_reads() -> None:
    """The struct and the dtype agree on every field."""
    values = (1.5, 2.5, 3.5, 4.5, OPERATOR, 11, 12, 13, 503, 15, 16, 4, 3, 19, 255)
    assert np.frombuffer(PACK.pack(*values), SAMPLE)[0].item() == values


def test_the_header_never_changes_its_length() -> None:
    """It is rewritten in place, so a count of any size must fit."""
    assert {len(header(count)) for count in (0, 1, 10**7, 2**63)} == {HEADER_BYTES}


def test_numpy_loads_the_file_after_every_batch(tmp_path: Path) -> None:
    """numpy.load, which knows nothing of us, reads all whole batches while the file is still open."""
    path, wanted = tmp_path / "samples.npy", b""
    with SampleFile(path) as file:
        for size in (0, 1, 5, 2):
            batch = b"".join(packed(n) for n in range(size))
            file.append(batch)
            wanted += batch
            assert np.load(path).tobytes() == load(path).tobytes() == wanted
        assert file.count == 8


def test_a_batch_with_a_part_of_a_sample_is_our_own_bug(tmp_path: Path) -> None:
    """It is refused loudly and nothing of it is kept."""
    with SampleFile(tmp_path / "samples.npy") as file:
        with pytest.raises(ValueError, match="57 bytes"):
            file.append(packed(1) + b"x")
        assert load(tmp_path / "samples.npy").size == 0


def test_a_run_is_never_written_over(tmp_path: Path) -> None:
    """A second writer of the same file is refused."""
    SampleFile(tmp_path / "samples.npy").close()
    with pytest.raises(FileExistsError):
        SampleFile(tmp_path / "samples.npy")


def test_a_file_cut_at_any_byte_gives_its_whole_samples(tmp_path: Path) -> None:
    """Torn anywhere, the file loads: as many samples as lie whole before the cut, and their bytes unchanged."""
    path = tmp_path / "samples.npy"
    with SampleFile(path) as file:
        file.append(b"".join(packed(n) for n in range(3)))
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = max(0, cut - 512) // 56
        assert load(path).tobytes() == whole[512 : 512 + 56 * kept], cut


def test_a_batch_that_no_header_counts_yet_is_left_out(tmp_path: Path) -> None:
    """Killed between the batch and its header, the file holds what the header says, at every length of the batch."""
    path = tmp_path / "samples.npy"
    with SampleFile(path) as file:
        file.append(packed(1))
    whole = path.read_bytes()
    for cut in range(3 * 56):
        path.write_bytes(whole + (packed(2) * 3)[:cut])
        assert load(path)["device"].tolist() == np.load(path)["device"].tolist() == [1]


def test_a_missing_file_has_no_samples(tmp_path: Path) -> None:
    """A run killed before its first sample opens."""
    assert load(tmp_path / "samples.npy").size == 0


@pytest.mark.parametrize("array", [np.zeros(200), np.zeros(20, [("due", "<f8"), ("pad", "V48")])])
def test_another_array_is_refused_by_name(tmp_path: Path, array: np.ndarray) -> None:
    """A .npy file of other fields is named, never misread."""
    np.save(tmp_path / "samples.npy", array)
    with pytest.raises(SampleFileError, match=r"samples\.npy"):
        load(tmp_path / "samples.npy")


def test_garbage_is_refused_by_name(tmp_path: Path) -> None:
    """A file that is no array at all is named too."""
    (tmp_path / "samples.npy").write_bytes(b"x" * 2000)
    with pytest.raises(SampleFileError, match=r"samples\.npy"):
        load(tmp_path / "samples.npy")


def test_a_killed_writer_leaves_whole_batches(tmp_path: Path) -> None:
    """kill -9 while batches are being written: the file loads, and what it holds is a whole number of batches."""
    path = tmp_path / "samples.npy"
    script = (
        "import sys; from pathlib import Path; from reports.record import PACK, SampleFile\n"
        "file = SampleFile(Path(sys.argv[1])); number = 0\n"
        "while True:\n"
        "    file.append(PACK.pack(0, 0, 0, 0, number, *[0] * 10) * 7); number += 1\n"
        "    if number == 200: print('on', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"on\n"
        os.kill(writer.pid, signal.SIGKILL)
    samples = load(path)
    assert samples.size >= 1400
    assert samples.size % 7 == 0
    assert samples["device"].tolist() == [n // 7 for n in range(samples.size)]
    assert struct.unpack("<H", path.read_bytes()[8:10]) == (502,)
