"""Words -> Plan, by a small grammar of English and Chinese; what it cannot express it refuses, saying what it can."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from maskwright.asking.body_rule import check_words
from maskwright.errors import BadPhrase
from maskwright.models.editors.planner_colours import COLOUR, COLOUR_WORD, find_colour
from maskwright.models.editors.planner_plan import Plan

LONGEST = 500
CAN = (
    "recolour, remove, blur or pixelate, replace the background, brighten or darken, saturate or desaturate, contrast, warm or "  # noqa: E501
    "cool, stripes/dots/checks, outline, flip, scale"
)
_CLAUSES = re.compile(
    r"\s*(?:[,;.!,。;、!\n]|\band then\b|\bthen\b|\bthen also\b|\bplus\b|\band\b|然后|接着|并且|同时|而且|并|再)\s*",
    re.IGNORECASE,
)
_BACKGROUND = re.compile(
    r"back\s?(?:ground|drop)|behind(?=\s*(?:$|it\b|him\b|her\b|them\b))|surroundings|背景|后面(?!的)|周围(?!的)",
    re.IGNORECASE,
)
_BACKGROUND_ITSELF = re.compile(
    r"\b(?:remove|delete|erase|get rid of|wipe out|clean up|take (?:away|out))\s+"
    r"(?:(?:all|of|the|its|this|that|whole|entire)\s+)*(?:back\s?(?:ground|drop)|surroundings)(?!\s+\w)"
    r"|\b(?:take|wipe) the background (?:away|out)|"
    r"背景(?:都|全部)?(?:去|移|删|擦|抹|消|清)|(?:去掉|去除|移除|删除|删掉|擦除|擦掉|抹去|抹掉|消除|清除)(?:整个|全部)?背景(?!里|中|上|的)",
    re.IGNORECASE,
)
_CUTTING = re.compile(r"\b(?:crop|isolate|cut\s?out|transparent|extract)\b|抠图|抠出|透明|裁剪", re.IGNORECASE)
_PICTURE = re.compile(
    r"\b(?:whole|entire)?\s*(?:picture|image|photo|photograph|everything)\b|整(?:张|个|幅)(?:图|画|照)|图片|照片|全图",
    re.IGNORECASE,
)
_ALL_BUT = re.compile(
    r"\b(?:everything|everybody|everyone|all)(?: else)? (?:but|besides|apart from|other than|around)\b"
    r"|\bexcept(?: for)?\b"
    r"|除(?:了|去)?(?P<kept>[一-鿿]{1,8}?)(?:以外|之外)[的,，]*(?:都|全部|其他\w*|所有\w*)?",
    re.IGNORECASE,
)
"""What is left as it is, so that the rest of the picture is meant."""
_NOT_TO = re.compile(
    r"^(?:please )?(?:do not|don'?t|never|i do(?: not|n'?t) want)\b|^请?(?:不要|别|不用|不许|勿)", re.IGNORECASE
)
_SLIGHT = re.compile(
    r"\b(?:slightly|a bit|a little|little|somewhat|subtly|gently)\b|一点|稍微|略微|稍|略", re.IGNORECASE
)
_STRONG = re.compile(
    r"\b(?:much|a lot|very|strongly|heavily|far|extremely|really|way)\b|很多|非常|更加|大幅|强烈|特别|得多",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)\s*(%|percent|px|pixels?|倍|x\b|times)?", re.IGNORECASE)
_TIMES_WORDS = {
    "twice": 2.0,
    "double": 2.0,
    "half": 0.5,
    "triple": 3.0,
    "两倍": 2.0,
    "二倍": 2.0,
    "三倍": 3.0,
    "一半": 0.5,
}
Make = Callable[[str], dict[str, Any] | None]


def plan_words(words: str) -> Plan:
    """The plan of a phrase. Raises BadPhrase (too long, empty, contradictory, not understood), RefusedError."""
    check_words(words)
    if len(words) > LONGEST:
        raise BadPhrase(f"the edit is {len(words)} characters long, at most {LONGEST} are read.", "Say it shorter.")
    phrase = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", words)).strip()
    operations: list[dict[str, Any]] = []
    target = ""
    for clause in _clauses(phrase):
        if _NOT_TO.search(clause):
            raise BadPhrase(f"{_shown(clause)} says what not to do.", "Say what to change, one thing at a time.")
        operation = _read(clause)
        if operation is None:
            other = " To cut the object out, use maskwright cut." if _CUTTING.search(clause) else ""
            raise BadPhrase(f"{_shown(clause)} is not an edit this planner knows.", f"It can: {CAN}.{other}")
        operations.append(operation)
        thing = _target(clause, operation)
        if target and thing and _other(thing, target):
            raise BadPhrase(f"the edit speaks of two things: {target} and {thing}.", "Edit one after the other.")
        target = target or thing
    _paint_first(operations)
    if not operations:
        raise BadPhrase("the edit says nothing.", f"It can: {CAN}.")
    return make_plan({"words": phrase, "target": target, "operations": operations})


def _target(clause: str, operation: Mapping[str, Any]) -> str:
    """The thing to be found for a clause: what changes, or what is kept while all else does."""
    kept = _ALL_BUT.search(clause)
    if kept is not None:
        return kept["kept"] or named_thing(clause[kept.end() :], "colour" in operation)
    return named_thing(clause, "colour" in operation) if operation["where"] == "object" else ""


def _other(thing: str, target: str) -> bool:
    """Whether two names share no word: "the red car", "the car"."""
    chinese = re.search("[一-鿿]", thing + target)
    same = thing in target or target in thing if chinese else set(thing.lower().split()) & set(target.lower().split())
    return not same and (chinese is not None or thing.lower() not in ("one", "them", "they", "him", "her", "he", "she"))


def _paint_first(operations: list[dict[str, Any]]) -> None:
    """ "striped red and white": the ground is painted before what goes on it, not over it."""
    for i, operation in enumerate(operations):
        before = next((k for k in range(i) if operations[k]["op"] == "pattern"), None)
        if operation["op"] == "recolour" and before is not None:
            operations.insert(before, operations.pop(i))


def make_plan(value: Mapping[str, Any]) -> Plan:
    """A checked Plan; raises BadPhrase with what contradicts or is out of range."""
    try:
        return Plan.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        text = str(first["msg"]).removeprefix("Value error, ")
        raise BadPhrase(f"the edit cannot be carried out: {text}.", "Say one thing at a time.") from error


def _clauses(phrase: str) -> list[str]:
    """The phrase split into single edits; a piece that is no edit of its own stays with the one before."""
    protected = re.sub(r"\bblack and white\b", "monochrome", phrase, flags=re.IGNORECASE).replace("黑白", "去色")
    protected = re.sub(r"(\d)\.(\d)", r"\1·\2", protected)
    pieces: list[str] = []
    for piece in (p.replace("·", ".") for p in _CLAUSES.split(protected) if p.strip()):
        if pieces and _is_tail(piece, pieces[-1]):
            pieces[-1] = f"{pieces[-1]} and {piece}"
        else:
            pieces.append(piece)
    return pieces


def _is_tail(piece: str, before: str) -> bool:
    """Whether a piece belongs to the one before: a politeness, or the colour of its outline or pattern."""
    if re.fullmatch(r"(?:please|thanks?(?: you)?|请|谢谢)", piece.strip(), re.IGNORECASE):
        return True
    found = COLOUR.fullmatch(piece.strip())
    operation = _read(before) if found else None
    return operation is not None and operation["op"] in ("outline", "pattern") and "colour" not in operation


def _shown(clause: str) -> str:
    text = clause if len(clause) <= 60 else clause[:57] + "..."
    return f'"{text}"'


def _read(clause: str) -> dict[str, Any] | None:
    """One operation of one clause, by the first rule that fits."""
    for rule, make in RULES:
        if re.search(rule, clause, re.IGNORECASE):
            made = make(clause)
            if made is not None:
                return {"where": _where(clause), **made}
    return None


def _where(clause: str) -> str:
    if _BACKGROUND.search(clause) or _ALL_BUT.search(clause):
        return "background"
    return "picture" if _PICTURE.search(clause) else "object"


def _strength(clause: str, plain: float) -> float:
    """A named percentage as a share, else the plain amount made smaller or larger by adverbs."""
    number = _NUMBER.search(COLOUR.sub(" ", clause))
    if number and number[2] in ("%", "percent"):
        return float(number[1]) / 100
    return plain * (0.5 if _SLIGHT.search(clause) else 2.0 if _STRONG.search(clause) else 1.0)


def _colour_or_none(clause: str) -> tuple[int, int, int] | None:
    found = find_colour(clause)
    return None if found is None else found[0]


def _recolour(clause: str) -> dict[str, Any] | None:
    colour = None if _AMBIGUOUS.search(clause) else _colour_or_none(clause)
    return None if colour is None else {"op": "recolour", "colour": colour}


def _remove(clause: str) -> dict[str, Any] | None:
    """The background itself becomes white; "the people in the background" are a thing like any other."""
    if _BACKGROUND_ITSELF.search(clause) or _ALL_BUT.search(clause):
        return {"op": "replace", "where": "background", "colour": (255, 255, 255)}
    return {"op": "remove", "where": "object"}


def _replace(clause: str) -> dict[str, Any] | None:
    colour = _colour_or_none(_BACKGROUND.sub(" ", clause))
    return {"op": "replace", "colour": colour} if colour and _BACKGROUND.search(clause) else None


def _blur(clause: str) -> dict[str, Any]:
    blocks = re.search(r"pixel|mosaic|censor|anonymi|马赛克|像素|打码", clause, re.IGNORECASE) is not None
    return {"op": "blur", "amount": min(1.0, max(0.02, _strength(clause, 0.4))), "pixelate": blocks}


def _pattern(clause: str) -> dict[str, Any]:
    kinds = (
        ("dots", r"dot|spot|圆点|波点|斑点"),
        ("checks", r"check|plaid|tartan|gingham|格"),
        ("bands", r"horizontal\w*\s+stripe|stripe\w*\s+horizontal|横条|横纹"),
    )
    kind = next((k for k, rule in kinds if re.search(rule, clause, re.IGNORECASE)), "stripes")
    colour = _colour_or_none(clause)
    return {"op": "pattern", "kind": kind} | ({"colour": colour} if colour else {})


def _outline(clause: str) -> dict[str, Any]:
    number = _NUMBER.search(COLOUR.sub(" ", clause))
    colour = _colour_or_none(clause)
    width = {"width_px": round(float(number[1]))} if number and (number[2] or "px").startswith("p") else {}
    return {"op": "outline"} | ({"colour": colour} if colour else {}) | width


def _flip(clause: str) -> dict[str, Any]:
    upright = re.search(r"vertical|upside|up\s?-?side|上下|垂直|倒", clause, re.IGNORECASE)
    return {"op": "flip", "across": "vertical" if upright else "horizontal"}


def _scale(clause: str) -> dict[str, Any]:
    smaller = re.search(r"small|shrink|reduc|缩小|变小|小", clause, re.IGNORECASE) is not None
    for word, factor in _TIMES_WORDS.items():
        if word in clause.lower():
            return {"op": "scale", "factor": 1 / factor if smaller and factor > 1 else factor}
    number = _NUMBER.search(clause)
    if not number:
        step = 1.5 if _STRONG.search(clause) else 1.12 if _SLIGHT.search(clause) else 1.25
        return {"op": "scale", "factor": 1 / step if smaller else step}
    value = float(number[1]) / (100 if number[2] in ("%", "percent") else 1)
    share = number[2] in ("%", "percent")
    if share and not re.search(r"\bto\b|到|为|成", clause, re.IGNORECASE):  # "20 % smaller", not "to 20 %"
        return {"op": "scale", "factor": 1 - value if smaller else 1 + value}
    return {"op": "scale", "factor": 1 / value if smaller and value > 1 else value}


def _signed(op: str, field: str, plain: float, down: str) -> Make:
    def make(clause: str) -> dict[str, Any]:
        amount = _strength(clause, plain)
        return {"op": op, field: -amount if re.search(down, clause, re.IGNORECASE) else amount}

    return make


def _factor(op: str, plain: float, down: str) -> Make:
    def make(clause: str) -> dict[str, Any]:
        amount = _strength(clause, plain)
        return {
            "op": op,
            "factor": max(0.1, 1 - min(amount, 0.9)) if re.search(down, clause, re.IGNORECASE) else 1 + amount,
        }

    return make


def _grey(_: str) -> dict[str, Any]:
    return {"op": "saturate", "factor": 0.0}


_AMBIGUOUS = re.compile(
    r"^(?:a (?:bit|little) )?(?:less|more|not|no|without)\b|\b(?:swap|exchange|instead of|invert\w*)\b"
    rf"|\b(?:less|more|not)\s+(?:{COLOUR_WORD})|(?:少|多)一?点|互换|反色|不要",
    re.IGNORECASE,
)
"""A colour beside such words is not a colour to become: "less yellow", "swap red with blue"."""
_DARKER = r"dark|dim|lower|less|暗|深"
_COOLER = r"cool|cold|blue|冷"
_LESS = r"less|reduc|decreas|lower|soft|flat|mut|dull|降低|减|少"
_VERB = r"make|turn|paint|colou?r|recolou?r|dye|tint|change|shade|want|give|set|in(?:to)?\b|to\b|变|改|换|染|涂|上色|成|调|设"  # noqa: E501

RULES: tuple[tuple[str, Make], ...] = (
    (r"\b(?:outline|contour|stroke|border|edge line|silhouette line)\b|描.{0,3}边|轮廓|边框", _outline),
    (r"\b(?:strip(?:e|es|ed|y)|dots?|dotted|polka|spots|spotted|check(?:s|ed|ered|erboard)?|plaid|tartan|gingham|pattern)\b|条纹|横条|圆点|波点|斑点|格子|花纹|图案", _pattern),  # noqa: E501
    (r"\b(?:flip|mirror|upside)\w*\b|翻转|镜像|颠倒|左右对调", _flip),
    (r"\b(?:blur\w*|defocus|out of focus|bokeh|pixelat\w*|mosaic|censor|anonymi[sz]e)\b|模糊|虚化|马赛克|像素化|打码", _blur),  # noqa: E501
    (r"\b(?:monochrome|gr[ae]y\s?scale|desaturate|drain the colou?r|b\s?&\s?w)\w*\b|去色|黑白|灰度", _grey),
    (r"\b(?:saturat\w*|vibran\w*|vivid|colou?rful|more colou?r|less colou?r|muted?)\b|饱和|鲜艳", _factor("saturate", 0.5, _LESS)),  # noqa: E501
    (r"\b(?:contrast\w*|punch\w*)\b|对比", _factor("contrast", 0.3, _LESS)),
    (r"\b(?:remove|delete|erase|get rid of|take (?:it )?(?:away|out)|wipe out|clean up|inpaint)\b|去掉|去除|移除|删除|删掉|擦除|擦掉|抹去|抹掉|消除|清除", _remove),  # noqa: E501
    (rf"(?=.*(?:{_BACKGROUND.pattern}))(?=.*(?:replace|change|make|turn|set|put|plain|solid|swap|换|变|改|设))", _replace),  # noqa: E501
    (r"\b(?:bright\w*|lighten|lighter|darken|darker|dim(?:mer)?|more light|less light)\b(?!\s+(?:red|green|blue|yellow|pink|orange|purple|gr[ae]y|brown))|提亮|变亮|调亮|加亮|亮一|更亮|变暗|调暗|压暗|暗一|更暗|亮度", _signed("brighten", "amount", 0.4, _DARKER)),  # noqa: E501
    (r"\b(?:warm\w*|cool(?:er)?|colder)\b|暖|冷色|变冷|冷一", _signed("warm", "amount", 0.4, _COOLER)),
    (rf"(?:{_VERB})", _recolour),
    (r"\b(?:scale|resize|enlarge|bigger|larger|grow|shrink|smaller|zoom|twice|double|half)\b|放大|缩小|变大|变小|大一|小一", _scale),  # noqa: E501
    (COLOUR.pattern, _recolour),
)  # fmt: skip
"""(what a clause must hold, what makes the operation); the first that fits and can be filled wins."""

_NOT_THINGS = re.compile(
    r"(?:please|make|turn|paint|colou?r|recolou?r|dye|tint|change|remove|delete|erase|blur|flip|mirror|brighten|darken|lighten|scale|"
    r"desaturate|saturate|add|put|draw|give|with|without|an?|the|this|that|it|its|to|into|on|in|of|by|and|more|less|very|much|slightly|"
    r"bit|little|lot|outline|stripes?|striped|dots?|polka|checks?|checked|checkered|pattern|bright(?:er)?|dark(?:er)?|light(?:er)?|bigger|larger|"
    r"smaller|horizontal(?:ly)?|vertical(?:ly)?|upside|down|percent|px|pixels?|object|thing|get|rid|around|enlarge|shrink|resize|warmer|cooler|"
    r"contrast|monochrome|vivid|saturated?|vibrant|should|be|must|i|want|would|like|big|small|large|twice|half|double|colou?rs?|from|for|as|look|pixelate|white|replace|all|wide|thick|increase|decrease|reduce|lower|raise|boost|saturation|brightness|exposure|mark|apply|me|could|can|you|now|just|new|one|border|contour|colou?rful|them|him|her|his|their|my|your|behind|also|then|so|look|looks|tone|shade|shades|paler)|[\d.%#]+\w*",
    re.IGNORECASE,
)
_DESCRIBING = ("small", "big", "large", "little", "dark", "bright", "light", "white", "new", "horizontal", "vertical")
"""Words of an edit that say which thing is meant where they stand right before one."""
_THING_CHINESE = re.compile(
    r"(?:把|将|给|让|这[个只件条]?|那[个只件条]?)\s*([一-鿿]{1,12}?)"
    r"(?:的(?:颜色|色彩|亮度|对比度|饱和度|背景|大小|图案))?"
    r"(?:变|换|改|染|涂|调|描|加|去|删|擦|移|模|翻|放|缩|提|抹)"
)

_THING_AFTER = re.compile(
    r"(?:去掉|去除|移除|删除|删掉|擦除|擦掉|抹去|抹掉|消除|清除|模糊|放大|缩小|翻转|提亮|调亮|调暗)(?:这|那)?[个只件条张辆]?([一-鿿]{1,8})$"
)


def named_thing(clause: str, coloured: bool = False) -> str:
    """The thing a clause names ("the left jacket"), for finding a mask when none was given; empty when none is.
    `coloured`: its last colour is what the thing becomes; one before, what it is."""
    if re.search("[一-鿿]", clause):
        chinese = _THING_CHINESE.search(clause) or _THING_AFTER.search(clause)
        return "" if chinese is None or chinese[1] in (*_TIMES_WORDS, "它", "他", "她", "一点", "一些") else chinese[1]
    found = find_colour(clause) if coloured else None
    rest = clause if found is None else f"{clause[: found[1][0]]} {clause[found[1][1] :]}"
    words = re.findall(r"[\w#%-]+", re.sub(r"'s\b", "", rest))
    named = [i for i, word in enumerate(words) if not _NOT_THINGS.fullmatch(word) and not COLOUR.fullmatch(word)]
    if not named:
        return ""
    start, end = named[0], named[-1] + 1
    while start and (words[start - 1].lower() in _DESCRIBING or COLOUR.fullmatch(words[start - 1])):
        start -= 1
    return " ".join(words[start:end])[:120]
