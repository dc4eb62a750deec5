"""Colour words, English and Chinese, as RGB."""

from __future__ import annotations

import colorsys
import re

Rgb = tuple[int, int, int]

ENGLISH: dict[str, Rgb] = {
    "red": (205, 35, 40), "crimson": (180, 20, 50), "scarlet": (220, 40, 20), "maroon": (115, 20, 30), "burgundy": (110, 20, 45),  # noqa: E501
    "wine": (110, 25, 50), "pink": (240, 130, 170), "rose": (225, 90, 120), "magenta": (215, 30, 160), "fuchsia": (215, 30, 150),  # noqa: E501
    "salmon": (245, 135, 115), "coral": (250, 120, 90), "peach": (250, 190, 150), "orange": (240, 130, 25), "amber": (245, 175, 20),  # noqa: E501
    "gold": (215, 170, 40), "golden": (215, 170, 40), "yellow": (245, 215, 40), "mustard": (205, 165, 45), "lemon": (250, 235, 70),  # noqa: E501
    "cream": (245, 235, 205), "beige": (220, 200, 165), "ivory": (245, 240, 220), "khaki": (170, 155, 110), "tan": (200, 165, 120),  # noqa: E501
    "brown": (120, 75, 45), "chocolate": (90, 50, 30), "bronze": (160, 110, 50), "copper": (180, 105, 65), "olive": (115, 115, 35),  # noqa: E501
    "lime": (150, 215, 40), "green": (40, 140, 60), "emerald": (20, 155, 95), "mint": (150, 225, 190), "sage": (150, 165, 130),  # noqa: E501
    "teal": (15, 125, 125), "turquoise": (60, 200, 195), "cyan": (30, 190, 215), "aqua": (60, 205, 215), "azure": (50, 140, 230),  # noqa: E501
    "blue": (40, 85, 190), "navy": (25, 35, 90), "indigo": (65, 45, 140), "cobalt": (25, 70, 165), "sky blue": (125, 190, 235),  # noqa: E501
    "royal blue": (50, 80, 200), "violet": (125, 70, 190), "purple": (115, 45, 150), "lavender": (185, 170, 225), "lilac": (195, 160, 210),  # noqa: E501
    "plum": (120, 50, 105), "mauve": (180, 140, 165), "black": (28, 28, 30), "white": (242, 242, 240), "grey": (128, 128, 128),  # noqa: E501
    "gray": (128, 128, 128), "silver": (190, 192, 196), "charcoal": (55, 58, 62), "rust": (165, 70, 30), "denim": (65, 95, 140),  # noqa: E501
    "blonde": (222, 188, 120), "blond": (222, 188, 120),
}  # fmt: skip
CHINESE: dict[str, Rgb] = {
    "大红": ENGLISH["scarlet"], "酒红": ENGLISH["burgundy"], "粉红": ENGLISH["pink"], "玫红": ENGLISH["rose"], "橙黄": ENGLISH["amber"],  # noqa: E501
    "天蓝": ENGLISH["sky blue"], "海军蓝": ENGLISH["navy"], "藏青": ENGLISH["navy"], "宝蓝": ENGLISH["royal blue"], "墨绿": (20, 70, 45),  # noqa: E501
    "草绿": (110, 165, 50), "军绿": ENGLISH["olive"], "青绿": ENGLISH["teal"], "米白": ENGLISH["ivory"], "米黄": ENGLISH["cream"],  # noqa: E501
    "金": ENGLISH["gold"], "银": ENGLISH["silver"], "红": ENGLISH["red"], "粉": ENGLISH["pink"], "橙": ENGLISH["orange"],  # noqa: E501
    "橘": ENGLISH["orange"], "黄": ENGLISH["yellow"], "绿": ENGLISH["green"], "青": ENGLISH["cyan"], "蓝": ENGLISH["blue"],  # noqa: E501
    "靛": ENGLISH["indigo"], "紫": ENGLISH["purple"], "棕": ENGLISH["brown"], "褐": ENGLISH["brown"], "咖啡": ENGLISH["chocolate"],  # noqa: E501
    "黑": ENGLISH["black"], "白": ENGLISH["white"], "灰": ENGLISH["grey"], "卡其": ENGLISH["khaki"], "米": ENGLISH["beige"],  # noqa: E501
}  # fmt: skip
_SHADES = {
    "dark": -0.45, "deep": -0.35, "light": 0.4, "pale": 0.5, "pastel": 0.45, "bright": 0.15, "vivid": 0.1, "soft": 0.25, "very dark": -0.65,  # noqa: E501
}  # fmt: skip
_SHADES_CHINESE = {"深": -0.45, "暗": -0.45, "浅": 0.4, "淡": 0.5, "亮": 0.15, "鲜": 0.1}

_names = "|".join(sorted((re.escape(n).replace(r"\ ", r"\s+") for n in ENGLISH), key=len, reverse=True))
_shades = "|".join(sorted((s.replace(" ", r"\s+") for s in _SHADES), key=len, reverse=True))
_names_zh = "|".join(sorted(CHINESE, key=len, reverse=True))
COLOUR_WORD = rf"\b(?:{_names})\b|(?:{_names_zh})"
"""A colour by its name alone, as a piece of a pattern."""
COLOUR = re.compile(
    rf"#(?P<hex>[0-9a-f]{{6}}|[0-9a-f]{{3}})\b|\b(?:(?P<shade>{_shades})[\s-]+)?(?P<name>{_names})\b"
    rf"|(?P<shade_zh>[{''.join(_SHADES_CHINESE)}]?)(?P<name_zh>{_names_zh})色?",
    re.IGNORECASE,
)


def find_colour(text: str) -> tuple[Rgb, tuple[int, int]] | None:
    """The last colour named in the text and where it stands; None without one."""
    found = list(COLOUR.finditer(text))
    return (colour_of(found[-1]), found[-1].span()) if found else None


def colour_of(match: re.Match[str]) -> Rgb:
    """RGB of one match of COLOUR."""
    digits = match["hex"]
    if digits:
        wide = digits if len(digits) == 6 else "".join(2 * d for d in digits)
        return (int(wide[:2], 16), int(wide[2:4], 16), int(wide[4:], 16))
    if match["name"]:
        shade = re.sub(r"\s+", " ", (match["shade"] or "").lower())
        return shaded(ENGLISH[re.sub(r"\s+", " ", match["name"].lower())], _SHADES.get(shade, 0.0))
    return shaded(CHINESE[match["name_zh"]], _SHADES_CHINESE.get(match["shade_zh"] or "", 0.0))


def shaded(colour: Rgb, by: float) -> Rgb:
    """The colour lighter (by > 0) or darker (< 0), its hue kept."""
    hue, light, saturation = colorsys.rgb_to_hls(*(v / 255 for v in colour))
    light = light + (1 - light) * by if by > 0 else light * (1 + by)
    red, green, blue = colorsys.hls_to_rgb(hue, light, saturation)
    return (round(red * 255), round(green * 255), round(blue * 255))
