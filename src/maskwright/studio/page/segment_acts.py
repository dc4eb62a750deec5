"""What happens on the Segment tab: every act changes the desk and gives what the tab shows next."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator
from typing import Any

import gradio as gr
from numpy.typing import NDArray
from PIL import Image as Pillow

from maskwright.media.samples import sample, sample_names
from maskwright.studio import marking
from maskwright.studio.desk import Desk
from maskwright.studio.drawing import draw, numbers, overview, shown_scale, strokes_of, thumbnail
from maskwright.studio.faults import told_line
from maskwright.studio.handing import hand_out
from maskwright.studio.page.frame import cost_text, spent_text
from maskwright.studio.sculpting import Turn, need_round, refuse_round, sculpt_rounds, take_round
from maskwright.studio.sessions import Session
from maskwright.studio.texts import named, say
from maskwright.values import Box, Image

SHOWN = 6
"""How many outputs every act refreshes: picture, status, alternatives, objects, name, cost."""


class SegmentActs:
    """The acts of the tab, without its components."""

    desk: Desk

    def show(self, session: Session, language: str, view: str = "tint", note: str | None = None) -> tuple[Any, ...]:
        """What every act refreshes: picture, status, alternatives, objects, name, cost."""
        board, picture = session.board, session.picture
        thing, name = board.thing, named(board.thing.name, language)
        if note is None:
            note = say(language, "status_ready")
            if picture is not None:
                note = say(language, "status_opened", w=picture.width, h=picture.height)
            if thing.mask is not None:
                score = "-" if thing.score is None else f"{thing.score:.2f}"
                note = say(language, "status_marked", name=name, area=thing.mask.area, score=score)
        others = [(thumbnail(picture, m), f"{s:.2f}") for m, s in thing.others] if picture is not None else []
        names = [(named(name, language), i) for i, name in enumerate(marking.names_of(board))]
        things = gr.Dropdown(choices=names, value=board.active)
        text = f"<span>{_escaped(note)}</span><span class='mw-small'>{spent_text(session, language)}</span>"
        return draw(session, view), text, others, things, name, cost_text(session, language)

    def refresh(self, session: Session, language: str, view: str) -> tuple[Any, ...]:
        return self.show(session, language, view)

    def open(self, session: Session, language: str, source: Any) -> tuple[Any, ...]:
        if source is None:
            return tuple(gr.skip() for _ in range(SHOWN + 1))
        if isinstance(source, str) and source in sample_names():
            source = sample(source)
        elif not isinstance(source, str):
            source = Image.of(source)
        self.desk.open_picture(session, source)
        return *self.show(session, language), ""

    def click(self, session: Session, language: str, place: Any, mode: str, view: str) -> tuple[Any, ...]:
        scale = shown_scale(session.need_picture())
        at = ((place[0] + 0.5) / scale, (place[1] + 0.5) / scale)
        if mode == "box":
            corner = session.extras.pop("corner", None)
            if corner is None:
                session.extras["corner"] = at
                return self.show(session, language, view, say(language, "status_box"))
            (x0, x1), (y0, y1) = sorted((corner[0], at[0])), sorted((corner[1], at[1]))
            self.desk.draw_box(session, Box(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)))
        elif mode == "wand":
            self.desk.wand(session, at)
        elif mode == "take":
            self._take_region(session, at)
        else:
            self.desk.click(session, at, inside=mode == "inside")
        return self.show(session, language, view)

    def _take_region(self, session: Session, at: tuple[float, float]) -> None:
        regions = self.desk.everything(session)
        found = marking.smallest_at(regions.unpack(), at)
        if found is not None:
            self.desk.take(session, regions[found], "region")

    def search(self, session: Session, language: str, phrase: str, view: str) -> tuple[Any, ...]:
        found = self.desk.words(session, phrase)
        session.extras["trace"] = found.trace
        if len(found.masks) > 1:
            return self.show(session, language, view, say(language, "status_several", n=len(found.masks)))
        if found.masks:
            return self.show(session, language, view)
        note = say(language, "status_none", phrase=phrase[:60], reason=told_line(found.reason, language))
        return self.show(session, language, view, note)

    def everything(self, session: Session, language: str) -> tuple[Any, ...]:
        regions = self.desk.everything(session)
        shown = self.show(session, language, "plain", say(language, "status_everything", n=len(regions)))
        picture, masks = session.need_picture(), list(regions)
        return (overview(picture, masks), *shown[1:], _numbered(numbers(picture, masks)), "take")

    def alternative(self, session: Session, language: str, index: int, view: str) -> tuple[Any, ...]:
        self.desk.choose(session, int(index))
        return self.show(session, language, view)

    def select(self, session: Session, language: str, index: Any, view: str) -> tuple[Any, ...]:
        self.desk.change(session, lambda b, p: marking.select_thing(b, int(index)))
        return self.show(session, language, view)

    def rename(self, session: Session, language: str, name: str, view: str) -> tuple[Any, ...]:
        self.desk.change(session, lambda b, p: marking.rename_thing(b, name))
        return self.show(session, language, view)

    def add(self, session: Session, language: str, view: str) -> tuple[Any, ...]:
        self.desk.change(session, lambda b, p: marking.add_thing(b))
        return self.show(session, language, view)

    def drop(self, session: Session, language: str, view: str) -> tuple[Any, ...]:
        self.desk.change(session, lambda b, p: marking.remove_thing(b))
        return self.show(session, language, view)

    def _then(self, act: Any) -> Any:
        def work(session: Session, language: str, view: str) -> tuple[Any, ...]:
            act(session)
            return self.show(session, language, view)

        return work

    def load_brush(self, session: Session, language: str) -> Any:
        return {"background": draw(session, "outline"), "layers": [], "composite": None}

    def _painter(self, add: bool) -> Any:
        def work(session: Session, language: str, value: Any, view: str) -> tuple[Any, ...]:
            strokes = strokes_of((value or {}).get("layers") or [], session.need_picture().size)
            self.desk.paint(session, strokes, add=add)
            return self.show(session, language, view)

        return work

    def import_mask(self, session: Session, language: str, path: str, view: str) -> tuple[Any, ...]:
        self.desk.import_mask(session, path)
        return self.show(session, language, view)

    def run_sculpt(self, session: Session, language: str, target: str, strategy: str, rounds: int) -> Iterator[Any]:
        for turn in sculpt_rounds(self.desk, session, target, strategy=strategy, rounds=int(rounds)):
            yield *self._compared(session, language, turn), self._rounds(session)

    def look(self, session: Session, language: str, place: int | None) -> tuple[Any, ...]:
        """A round beside what is marked now."""
        return self._compared(session, language, need_round(session, place))

    def take(self, session: Session, language: str, place: int | None, view: str) -> tuple[Any, ...]:
        turn = take_round(self.desk, session, place)
        return self.show(session, language, view, say(language, "status_round", n=turn.index))

    def refuse(self, session: Session, language: str, place: int | None, view: str) -> tuple[Any, ...]:
        """The round goes; the one before it is looked at next."""
        refuse_round(session, place)
        waiting = session.extras["rounds"]
        seen = self._compared(session, language, waiting[-1]) if waiting else (None, "")
        kept = self.show(session, language, view, say(language, "status_kept"))
        return *kept, *seen, self._rounds(session)

    def _compared(self, session: Session, language: str, turn: Turn) -> tuple[Any, Any]:
        area = 0 if turn.mask is None else turn.mask.area
        parts = [say(language, "round_text", n=turn.index, area=area)]
        if turn.change is not None:
            parts.append(say(language, "round_change", change=f"{turn.change:.3f}"))
        if turn.stop:
            parts.append(told_line(turn.stop, language))
        text = f"<p>{_escaped(say(language, 'comma').join(parts))}</p><p>{cost_text(session, language)}</p>"
        return (draw(session, "outline"), turn.picture), text

    def _rounds(self, session: Session) -> Any:
        """The rounds that wait, the newest chosen."""
        waiting = session.extras["rounds"]
        choices = [(str(turn.index), place) for place, turn in enumerate(waiting)]
        return gr.Radio(choices=choices, value=len(waiting) - 1 if waiting else None, visible=bool(waiting))

    def export(self, session: Session, language: str, form: str) -> str:
        return str(self.desk.offer(hand_out(session, form)))


def _escaped(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")


def _numbered(pixels: NDArray[Any]) -> str:
    """The numbers of regions as an image that the page's script reads."""
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "PNG")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}">'
