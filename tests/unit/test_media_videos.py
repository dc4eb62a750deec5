"""Clips in and out: counts, rates, times, rotation, sizes, sound, masks, damage."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from clip_makers import frame, make_clip, sound_packets
from maskwright.errors import BadMask, BadVideo
from maskwright.media.images import save_image, save_mask
from maskwright.media.limits import Limits
from maskwright.media.videos import open_clip, open_masks, write_clip
from maskwright.values import Image, Mask

NTSC = Fraction(30000, 1001)


def near(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two frames are the same picture, codec noise aside."""
    return a.shape == b.shape and float(np.abs(a.astype(int) - b.astype(int)).mean()) < 4


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "h264 mp4": ("a.mp4", {}),
    "h264 mov": ("a.mov", {}),
    "h264 with b-frames": ("a.mp4", {"options": {"bf": "3", "g": "6"}}),
    "open gop": ("a.mp4", {"options": {"bf": "2", "g": "6", "x264-params": "open-gop=1"}}),
    "intra only": ("a.mp4", {"options": {"g": "1"}}),
    "ntsc": ("a.mp4", {"rate": NTSC}),
    "ntsc in matroska": ("a.mkv", {"rate": NTSC}),
    "vp9 webm": ("a.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}}),
    "mpeg4 avi": ("a.avi", {"codec": "mpeg4", "options": {"bf": "2", "qscale": "3", "flags": "qscale"}}),
    "mjpeg avi": ("a.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p", "options": {"qscale": "2", "flags": "qscale"}}),
    "ten bits": ("a.mp4", {"pix_fmt": "yuv420p10le"}),
    "four four four": ("a.mkv", {"pix_fmt": "yuv444p", "size": (63, 47)}),
    "transport stream": ("a.ts", {"form": "mpegts"}),
    "ffv1": ("a.mkv", {"codec": "ffv1", "pix_fmt": "bgr0", "size": (33, 27)}),
}


@pytest.mark.parametrize(("name", "options"), KINDS.values(), ids=KINDS)
def test_every_frame_is_there_in_any_order(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    size = options.get("size", (64, 48))
    with open_clip(make_clip(tmp_path / name, 20, **options), trusted=True) as clip:
        assert (len(clip), clip.size, clip.rate) == (20, size, options.get("rate", 25))
        assert not clip.is_variable
        for index in [0, 19, 3, 4, 12, 2, 18, 7]:
            assert near(clip.frames[index], frame(index, *size)), index
    with open_clip(tmp_path / name, trusted=True) as again:
        assert all(near(shown, frame(i, *size)) for i, shown in enumerate(again.frames))


def test_the_child_process_gives_the_same_frames(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 12, audio=True)
    with open_clip(path) as apart, open_clip(path, trusted=True) as here:
        assert apart.info == here.info and apart.has_audio
        assert all(np.array_equal(a, b) for a, b in zip(apart.frames, here.frames, strict=True))
        child = apart._source._child
    assert child.returncode is not None


def test_a_sequence_of_frames_behaves_like_one(tmp_path: Path) -> None:
    with open_clip(make_clip(tmp_path / "a.mp4", 6), trusted=True) as clip:
        assert near(clip.frames[-1], frame(5)) and len(clip.frames[2:5]) == 3
        assert not clip.frames[0].flags.writeable
        with pytest.raises(IndexError, match="6 frames"):
            clip.frames[6]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_uneven_times_are_kept_in_and_out(tmp_path: Path, name: str) -> None:
    times = [0, 40, 70, 200, 230, 231, 600]
    path = make_clip(tmp_path / name, 7, times=times)
    with open_clip(path, trusted=True) as clip:
        assert clip.is_variable and [float(t) for t in clip.times] == pytest.approx([t / 1000 for t in times])
        out = write_clip(tmp_path / f"out-{name}", clip.frames, like=clip)
    with open_clip(out, trusted=True) as again:
        assert again.is_variable and [float(t) for t in again.times] == pytest.approx([t / 1000 for t in times])


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (270, 3), (-90, 3)])
def test_rotation_is_applied_and_baked(tmp_path: Path, degrees: int, turns: int) -> None:
    path = make_clip(tmp_path / "a.mp4", 3, rotation=degrees)
    with open_clip(path, trusted=True) as clip:
        assert all(near(shown, np.rot90(frame(i), turns)) for i, shown in enumerate(clip.frames))
        write_clip(tmp_path / "b.mp4", clip.frames, like=clip)
    with open_clip(tmp_path / "b.mp4", trusted=True) as again:
        assert again.size == clip.size and near(again.frames[1], np.rot90(frame(1), turns))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("size", [(63, 47), (64, 47), (63, 48), (1, 1)])
def test_odd_sizes_come_back_as_they_were(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    frames = [np.full((size[1], size[0], 3), 40 * i, np.uint8) for i in range(4)]
    with open_clip(write_clip(tmp_path / name, frames, rate=NTSC), trusted=True) as clip:
        assert (clip.size, clip.rate, len(clip)) == (size, NTSC, 4)
        assert all(near(a, b) for a, b in zip(clip.frames, frames, strict=True))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "frames"])
def test_lossless_is_lossless(tmp_path: Path, name: str) -> None:
    frames = list(np.random.default_rng(3).integers(0, 256, (5, 31, 45, 3), dtype=np.uint8))
    write_clip(tmp_path / name, iter(frames), rate=10, lossless=True)
    with open_clip(tmp_path / name, **({} if name == "frames" else {"trusted": True})) as clip:
        assert all(np.array_equal(a, b) for a, b in zip(clip.frames, frames, strict=True))


def test_browsers_can_play_what_is_written(tmp_path: Path) -> None:
    import av

    with av.open(str(write_clip(tmp_path / "a.mp4", [frame(i) for i in range(4)], rate=25))) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_sound_is_copied_packet_by_packet(tmp_path: Path, name: str) -> None:
    path = make_clip(tmp_path / "in.mp4", 25, audio=True)
    with open_clip(path) as clip:
        write_clip(tmp_path / name, clip.frames, like=clip)
        write_clip(tmp_path / ("silent-" + name), clip.frames, like=clip, audio=False)
    assert len(sound_packets(path)) > 5 and sound_packets(tmp_path / name) == sound_packets(path)
    assert not sound_packets(tmp_path / ("silent-" + name))
    with open_clip(tmp_path / name, trusted=True) as again:
        assert (len(again), again.rate) == (25, 25)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["in.mp4", name, "silent-" + name])


def test_plain_sound_of_an_avi_fits_into_matroska(tmp_path: Path) -> None:
    with open_clip(make_clip(tmp_path / "in.avi", 10, codec="mpeg4", audio=True)) as clip:
        out = write_clip(tmp_path / "out.mkv", clip.frames, like=clip)
        assert b"".join(sound_packets(out)) == b"".join(sound_packets(tmp_path / "in.avi"))


@pytest.mark.parametrize("given", [9, 11])
def test_another_number_of_frames_is_refused(tmp_path: Path, given: int) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", 10), trusted=True)
    with pytest.raises(BadVideo, match=f"{given} frames were given for a clip of 10"):
        write_clip(tmp_path / "b.mp4", [frame(i) for i in range(given)], like=clip)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


BAD_WRITES: dict[str, tuple[str, dict[str, Any], Callable[[], list[np.ndarray]]]] = {
    "no rate": ("a.mp4", {}, lambda: [frame(0)]),
    "rate 0": ("a.mp4", {"rate": 0}, lambda: [frame(0)]),
    "no frames": ("a.mp4", {"rate": 5}, list),
    "two sizes": ("a.mp4", {"rate": 5}, lambda: [frame(0), frame(1, 32, 32)]),
    "floats": ("a.mp4", {"rate": 5}, lambda: [frame(0) / 255.0]),
    "gif": ("a.gif", {"rate": 5}, lambda: [frame(0)]),
    "no frames for a folder": ("a", {"rate": 5}, list),
}


@pytest.mark.parametrize(("name", "options", "frames"), BAD_WRITES.values(), ids=BAD_WRITES)
def test_what_cannot_be_written(tmp_path: Path, name: str, options: Any, frames: Any) -> None:
    with pytest.raises(BadVideo):
        write_clip(tmp_path / name, frames(), **options)
    assert not list(tmp_path.iterdir())


# -- folders and masks


def make_folder(path: Path, count: int, size: tuple[int, int] = (64, 48)) -> Path:
    for index in range(count):
        save_image(path / f"img{index}.png", Image(frame(index, *size)))
    return path


def test_a_folder_is_sorted_by_number(tmp_path: Path) -> None:
    clip = open_clip(make_folder(tmp_path, 12), rate="24000/1001")
    assert len(clip) == 12 and clip.rate == Fraction(24000, 1001) and clip.size == (64, 48)
    assert all(np.array_equal(clip.frames[i], frame(i)) for i in range(12))


def test_a_folder_of_two_sizes_names_the_file(tmp_path: Path) -> None:
    make_folder(tmp_path, 3)
    save_image(tmp_path / "img3.png", Image(frame(3, 32, 32)))
    with pytest.raises(BadVideo, match=r"img3\.png is 32x32"):
        open_clip(tmp_path)


def masks(count: int) -> list[Mask]:
    return [Mask(frame(i)[:, :, 0] == 235) for i in range(count)]


def mask_folder(path: Path, count: int) -> Path:
    for index, mask in enumerate(masks(count)):
        save_mask(path / f"{index:05d}.png", mask)
    return path


def mask_video(path: Path, count: int) -> Path:
    return write_clip(path, [np.repeat(m.array[:, :, None] * np.uint8(255), 3, 2) for m in masks(count)], rate=25)


def test_masks_from_a_folder_a_video_or_one_file(tmp_path: Path) -> None:
    clip = open_clip(make_folder(tmp_path / "clip", 6))
    wanted = [m.array for m in masks(6)]
    for path in (mask_folder(tmp_path / "masks", 6), mask_video(tmp_path / "m.mp4", 6)):
        assert all(np.array_equal(a, b) for a, b in zip(open_masks(path, like=clip), wanted, strict=True))
    one = open_masks(save_mask(tmp_path / "m.png", masks(1)[0]), like=clip)
    assert len(one) == 6 and np.array_equal(one[5], wanted[0])


@pytest.mark.parametrize(
    ("there", "align", "wanted"),
    [(4, "refuse", None), (8, "refuse", None), (4, "crop", None), (8, "repeat-last", None),
     (4, "repeat-last", [0, 1, 2, 3, 3, 3]), (8, "crop", [0, 1, 2, 3, 4, 5])],
)  # fmt: skip
def test_another_number_of_masks(tmp_path: Path, there: int, align: Any, wanted: list[int] | None) -> None:
    clip = open_clip(make_folder(tmp_path / "clip", 6))
    path = mask_folder(tmp_path / "masks", there)
    if wanted is None:
        with pytest.raises(BadMask, match=f"{there} masks for 6 frames"):
            open_masks(path, like=clip, align=align)
    else:
        found = open_masks(path, like=clip, align=align)
        assert all(np.array_equal(a, masks(8)[i].array) for a, i in zip(found, wanted, strict=True))


def test_masks_of_another_size_are_refused(tmp_path: Path) -> None:
    clip = open_clip(make_folder(tmp_path / "clip", 2, (32, 32)))
    with pytest.raises(BadMask, match="64x48, the clip 32x32"):
        open_masks(mask_folder(tmp_path / "masks", 2), like=clip)
    with pytest.raises(BadMask, match="no file or folder"):
        open_masks(tmp_path / "nowhere", like=clip)


# -- damage and hostility


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_clip_cut_short_is_refused_or_kept_on_demand(tmp_path: Path, name: str) -> None:
    options = {"codec": "mpeg4"} if name == "a.avi" else {"options": {"g": "5"}}
    path = make_clip(tmp_path / name, 60, rate=20, size=(96, 64), **options)
    if name == "a.mp4":
        write_clip(path, [frame(i, 96, 64) for i in range(60)], rate=20)  # its index comes first
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(BadVideo, match=r"of the 60 frames|ends at|frames it names"):
        open_clip(path)
    with open_clip(path, damaged="keep") as clip:
        assert 10 < len(clip) < 60
        assert near(clip.frames[5], frame(5, 96, 64)) and clip.frames[len(clip) - 1].shape == (64, 96, 3)


def test_a_frame_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", 10, codec="ffv1", pix_fmt="bgr0", options={"slicecrc": "1"})
    import av

    with av.open(str(path)) as container:
        place = [(p.pos, p.size) for p in container.demux(video=0)][6]
    data = bytearray(path.read_bytes())
    start = data.index(bytes(data[place[0] : place[0] + 4])) + 8
    data[start : start + place[1] - 10] = bytes(place[1] - 10)
    path.write_bytes(data)
    with open_clip(path) as clip:
        shown = []
        for index in range(10):
            try:
                shown.append(near(clip.frames[index], frame(index)))
            except BadVideo as error:
                assert f"frame {index} of 10" in error.message
                shown.append(False)
    assert len(shown) == 10 and shown[:6] == [True] * 6


HOSTILE = {
    "empty": b"",
    "text": b"not a video",
    "playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "concat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\n",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(600),
    "ftyp and nothing": b"\x00\x00\x00\x18ftypisom" + bytes(600),
    "ebml and nothing": b"\x1a\x45\xdf\xa3" + bytes(600),
    "riff and nothing": b"RIFF\xff\xff\xff\x7fAVI LIST" + bytes(600),
    "ts of nothing": (b"\x47" + bytes(187)) * 30,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_allowed_clip_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(data)
    with pytest.raises(BadVideo):
        open_clip(tmp_path / "a.mp4")


def test_sound_alone_is_no_clip(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        part = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.float32), format="fltp", layout="mono")
        part.sample_rate = 8000
        container.mux([*stream.encode(part), *stream.encode(None)])
    with pytest.raises(BadVideo, match="no video"):
        open_clip(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("limits", "words"),
    [(Limits(pixels=100), "64x48"), (Limits(frames=5), "more than 5"), (Limits(open_s=0.001), "too long"),
     (Limits(child_mib=60), "ended early|memory|decod")],
)  # fmt: skip
def test_limits_of_the_child(tmp_path: Path, limits: Limits, words: str) -> None:
    path = make_clip(tmp_path / "a.mp4", 10)
    with pytest.raises(BadVideo, match=words):
        open_clip(path, limits=limits)


def test_a_killed_child_is_an_error_not_a_hang(tmp_path: Path) -> None:
    clip = open_clip(make_clip(tmp_path / "a.mp4", 10))
    os.killpg(clip._source._child.pid, 9)
    with pytest.raises(BadVideo, match="ended"):
        clip.frames[3]
    clip.close()


def test_paths(tmp_path: Path) -> None:
    with pytest.raises(BadVideo, match="no file"):
        open_clip(tmp_path / "none.mp4")
    with pytest.raises(BadVideo, match="no pictures"):
        open_clip(tmp_path)
    with pytest.raises(BadVideo, match="rate of its own"):
        open_clip(make_clip(tmp_path / "a.mp4", 3), rate=3)


def _plain(path: Path, size: tuple[int, int], **tags: Any) -> Path:
    """A clip whose every pixel has luma 150 and chroma 90, 180; `tags` are set on the encoder."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = (*size, "yuv420p")
        wide = tags.pop("wide", None)
        if wide is not None:
            stream.sample_aspect_ratio = stream.codec_context.sample_aspect_ratio = wide
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for index in range(3):
            picture = av.VideoFrame(*size, "yuv420p")
            for plane, value in zip(picture.planes, (150, 90, 180), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            picture.pts = index
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def _written(path: Path, out: Path) -> tuple[list[int], Any]:
    """The clip read and written: the middle of each plane, and the stream's codec."""
    with open_clip(path) as clip:
        write_clip(out, clip.frames, like=clip)
    with av.open(str(out)) as container:
        picture = next(container.decode(video=0))
        middles = [np.frombuffer(plane, np.uint8)[plane.line_size * 9 + 9] for plane in picture.planes]
        return [int(value) for value in middles], container.streams.video[0].codec_context


def test_colours_of_a_large_clip_that_says_nothing_stay(tmp_path: Path) -> None:
    """Players read them by BT.709; reading them by BT.601 would turn 150 into 142."""
    planes, codec = _written(_plain(tmp_path / "in.mp4", (1280, 720)), tmp_path / "out.mp4")
    assert np.abs(np.subtract(planes, (150, 90, 180))).max() <= 1
    assert codec.colorspace == 1


def test_reading_keeps_the_brightness(tmp_path: Path) -> None:
    """libswscale's usual rounding would take a level off each channel."""
    picture = np.kron(np.random.default_rng(0).integers(20, 235, (9, 16, 3)), np.ones((20, 20, 1))).astype(np.uint8)
    path = write_clip(tmp_path / "a.mp4", [picture] * 2, rate=25, crf=1)
    with open_clip(path) as clip:
        off = clip.frames[0].astype(int) - picture
    assert np.abs(off.mean(axis=(0, 1))).max() < 0.5


def test_high_dynamic_range_is_still_said(tmp_path: Path) -> None:
    path = _plain(tmp_path / "in.mp4", (64, 48), colorspace=9, color_primaries=9, color_trc=16)
    _, codec = _written(path, tmp_path / "out.mp4")
    assert (codec.color_primaries, codec.color_trc) == (9, 16)


def test_pixels_that_are_not_square_stay_so(tmp_path: Path) -> None:
    path = _plain(tmp_path / "in.mp4", (64, 48), wide=Fraction(4, 3))
    assert _written(path, tmp_path / "out.mp4")[1].sample_aspect_ratio == Fraction(4, 3)


@pytest.mark.parametrize(
    ("matrix", "corner"),
    [
        ((0, 1, -1, 0), "top right"), ((-1, 0, 0, -1), "bottom right"), ((0, -1, 1, 0), "bottom left"),
        ((-1, 0, 0, 1), "top right"), ((1, 0, 0, -1), "bottom left"), ((0, 1, 1, 0), "top left"),
    ],
)  # fmt: skip
def test_turned_and_mirrored_clips_stand_upright(tmp_path: Path, matrix: tuple[int, ...], corner: str) -> None:
    """Every display matrix that keeps the sides; the picture's upper left corner is blue."""
    picture = np.full((64, 96, 3), 128, np.uint8)
    picture[:16, :16] = (0, 0, 255)
    data = bytearray(write_clip(tmp_path / "a.mp4", [picture] * 3, rate=25).read_bytes())
    a, b, c, d = (value * 65536 for value in matrix)
    start = data.find(b"tkhd") + 44
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (tmp_path / "b.mp4").write_bytes(data)
    with open_clip(tmp_path / "b.mp4") as clip:
        shown = clip.frames[0]
    y, x = {"top left": (3, 3), "top right": (3, -4), "bottom left": (-4, 3), "bottom right": (-4, -4)}[corner]
    assert shown[y, x, 2] > 180 and shown[y, x, 0] < 80


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_mulaw"])
def test_sound_that_mp4_does_not_hold_is_made_over(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "in.avi"
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio: Any = container.add_stream(codec, rate=8000, layout="mono")
        for index in range(25):
            picture = av.VideoFrame(64, 48, "yuv420p")
            picture.pts = index
            container.mux(video.encode(picture))
        wave = (20_000 * np.sin(np.arange(8000) / 8000 * 2 * np.pi * 440)).astype(np.int16)[None]
        heard = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        heard.rate, heard.pts = 8000, 0
        for part in av.AudioResampler(audio.codec_context.format, "mono", 8000).resample(heard):
            container.mux(audio.encode(part))
        container.mux(audio.encode(None))
        container.mux(video.encode(None))
    with open_clip(path) as clip:
        out = write_clip(tmp_path / "out.mp4", clip.frames, like=clip)
    with av.open(str(out)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert 0.9 * 8000 < len(samples) < 1.4 * 8000 and np.abs(samples).max() > 0.3
