"""Settings of the studio."""

from __future__ import annotations

from pydantic import Field

from maskwright.config.frozen import Frozen


class StudioSettings(Frozen):
    """The web page: who may come, how much they may bring, how long it is kept."""

    host: str = Field("127.0.0.1", description="Where to listen; anything but loopback should come with auth.")
    port: int = Field(7860, ge=0, le=65535, description="0 takes a free one.")
    max_upload_mib: int = Field(64, ge=1, description="Largest file a visitor may send.")
    max_megapixels: float = Field(40.0, gt=0, description="Largest picture.")
    max_clip_s: float = Field(60.0, gt=0, description="Longest clip.")
    max_clip_frames: int = Field(1800, ge=1, description="Most frames of a clip.")
    idle_minutes: float = Field(60.0, gt=0, description="A session unused for so long is removed with its files.")
    max_sessions: int = Field(256, ge=1, description="More are refused until one ends.")
    queue: int = Field(256, ge=1, description="Jobs that may wait for one model; more are told to come back.")
    embeddings_mib: int = Field(512, ge=1, description="Memory for encoded pictures, shared by all sessions.")
    device_mib: int = Field(
        0, ge=0, description="Device memory for large models together; 0: nine tenths of what the device has."
    )
    history: int = Field(100, ge=1, description="Steps of undo kept for a picture.")
    folder: str = Field("", description="Where sessions are kept; empty: a folder of its own in the cache.")
