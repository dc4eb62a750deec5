"""The line this product does not cross: no words make it draw a depicted person unclothed.

The figure under the clothes is structure here (a parse map, a pose, a featureless mannequin), never pixels. Every place
where words reach something that draws (edits, plans, completions, the words of inpainters and fillers) asks
`check_words` first; docs/parts.md says why. The rule reads English and Chinese, and looks through spacing, accents,
look-alike digits and full-width letters. It would rather refuse a harmless phrase than let a harmful one through.
"""

from __future__ import annotations

import re
import unicodedata

from maskwright.errors import RefusedError

MESSAGE = "this asks for a picture of a person without their clothes; maskwright does not make such pictures."
HINT = "Garments can be recoloured, patterned, outlined or cut out as they are. (不制作脱去衣物的人像。)"

_COVER = (
    r"(?:cloth(?:es|ing)?|garments?|outfits?|attire|apparel|dress(?:es)?|gowns?|shirts?|t-?shirts?|tees?|tops?|blouses?"
    r"|sweaters?|hoodies?|jumpers?|cardigans?|vests?|jackets?|coats?|blazers?|suits?|robes?|kimonos?|uniforms?"
    r"|pants|trousers|jeans|shorts|leggings|tights|stockings|skirts?|kilts?"
    r"|bras?|bralettes?|panties|underwear|undergarments?|underpants|lingerie|boxers|briefs|thongs?|bikinis?"
    r"|swim(?:suits?|wear)|rompers?|bodysuits?|towels?)"
)  # fmt: skip
_OFF = (
    r"(?:remov\w*|tak(?:e|es|ing)\s+(?:\w+\s+){0,3}?off|took\s+off|delet\w*|eras\w*|strip(?:s|ped|ping)?|peel\w*|rip\w*|tear\w*|cut\w*\s+(?:away|off)"
    r"|get\s+rid\s+of|without|minus|lose|los(?:es|ing)|drop\w*|shed\w*|discard\w*|hid(?:e|es|ing)|lift\w*|pull\w*\s+(?:up|down|off|aside)"
    r"|unbutton\w*|unzip\w*|open(?:s|ed|ing)?|eliminat\w*|clear\w*|wip(?:e|es|ing)|dissolv\w*|fill\w*\s+in|inpaint\w*|see\s+(?:under|beneath|through|behind))"
)  # fmt: skip
_PERSON = (
    r"(?:her|him|them|his|their|she|he|they|me|my|it|woman|women|man|men|girls?|boys?|person|people|lady|ladies|guys?|model"
    r"|figure|child(?:ren)?|kids?|teen(?:ager)?s?|actress|actor|subject|body|everyone)"
)  # fmt: skip

_ENGLISH = [
    r"\b(?:un|dis)dress(?:ed|es|ing)?\b", r"\bdisrobe", r"\bunclad\b", r"\bunclothed?\b", r"\bunclothing\b",
    r"\bnaked(?:ness)?\b", r"\bnudes?\b", r"\bnudity\b", r"\bnudif\w*\b", r"\bdenud\w*\b", r"\bnudist\w*\b",
    r"\b(?:top|bottom|shirt|bra|pant|panty|cloth|clothes|clothing|garment)-?\s?less\b", r"\bsemi-?\s?nud\w*\b", r"\bhalf-?\s?(?:nude|naked)\b",  # noqa: E501
    r"\bin\s+the\s+(?:buff|raw)\b", r"\bbirthday\s+suit\b", r"\bbuck\s?naked\b", r"\bau\s+naturel\b", r"\bnsfw\b", r"\bporn\w*\b",  # noqa: E501
    r"\bxxx\b", r"\berotic\w*\b", r"\bhentai\b", r"\bdeep\s?nude\b", r"\bstrip\s?(?:tease|per)\w*\b", r"\buncensor\w*\b",  # noqa: E501
    r"\bx-?\s?ray\b", r"\bsee-?\s?thr(?:ough|u)\b", r"\bgenital\w*\b", r"\bnipples?\b", r"\bareol\w*\b", r"\bbreasts?\b", r"\bboobs?\b",  # noqa: E501
    r"\btits?\b", r"\bpenis\w*\b", r"\bvagina\w*\b", r"\bvulva\w*\b", r"\bcrotch\w*\b", r"\bbuttocks?\b", r"\bbutts?\b", r"\bcleavage\b",  # noqa: E501
    r"\bprivate\s+parts?\b", r"\bbare\s+(?:\w+\s+)?(?:chest|body|breasts?|skin|torso|bottom|back|shoulders?|bum|flesh)\b",  # noqa: E501
    r"\b(?:skin|flesh)\s?-?\s?(?:colou?red|toned?|tint\w*|colou?rs?)\b", r"\b(?:body|skin|figure|flesh)\s+(?:\w+\s+){0,2}?(?:under|beneath|underneath|below|behind)\b",  # noqa: E501
    rf"\bwhat(?:'?s| is| lies)?\s+(?:under|beneath|underneath|behind|below)\s+(?:\w+\s+){{0,3}}?{_COVER}\b",
    rf"\b(?:under|underneath|beneath)\s+(?:her|his|their|the|my)?\s*{_COVER}\b",
    rf"\bstrip(?:s|ped|ping)?\s+(?:down|off|bare|away|{_PERSON}|the\s+{_PERSON}|that\s+{_PERSON})\b",
    rf"\b{_OFF}\b(?:\s+[\w'’-]+){{0,5}}?\s+{_COVER}\b",
    rf"\btake\b(?:\s+[\w'’-]+){{0,5}}?\s+{_COVER}\b(?:\s+\w+){{0,2}}?\s+(?:off|away)\b",
    rf"\b{_COVER}\b(?:\s+[\w'’-]+){{0,4}}?\s+(?:off|away|removed|gone|invisible|transparent|translucent|sheer|disappears?|vanish\w*|missing)\b",
    rf"\b(?:invisible|transparent|translucent|sheer|no|zero|without|fewer|less)\s+(?:any\s+|her\s+|his\s+|their\s+|the\s+)?{_COVER}\b",
    rf"\b(?:make|turn|render)\b(?:\s+[\w'’-]+){{0,4}}?\s+{_COVER}\s+(?:invisible|transparent|translucent|sheer|disappear|vanish)\b",
    r"\b(?:wear(?:s|ing)?|dressed\s+in|in|into)\s+(?:nothing|only|just|nothing\s+but|her|his|their|a|some)?\s*(?:underwear|lingerie|panties|bras?|thongs?|g-?strings?)\b",
    r"\bwear(?:s|ing)?\s+(?:nothing|no\b|not\s+a\s+thing)", r"\bnothing\s+on\b", r"\bexpos(?:e|ed|ing)\s+(?:\w+\s+){0,3}?(?:skin|body|chest|torso|flesh|her|him|them|herself|himself)\b",  # noqa: E501
    r"\breveal(?:s|ed|ing)?\s+(?:\w+\s+){0,3}?(?:skin|body|chest|torso|flesh)\b", r"\bshow\s+(?:\w+\s+){0,3}?(?:bare|body|chest|skin)\b",  # noqa: E501
    r"\bbody\s+suit\s+of\s+skin\b", r"\bsexy\b", r"\bsexual\w*\b", r"\bseduct\w*\b",
]  # fmt: skip
_CHINESE = [
    r"裸", r"赤身", r"赤条", r"光(?:着|身|屁|膀|溜)", r"一丝不挂", r"走光", r"露(?:点|乳|胸|臀|体|阴|肉|出(?:身体|皮肤|胸|肉))",  # noqa: E501
    r"(?:不|没|未|无)(?:有)?(?:穿|着|挂)(?:任何)?(?:衣|服|裤|裙|上|下|内|东西|$)?", r"无衣", r"衣不蔽体",
    r"(?:脱|褪|剥|扒|卸|撕|掀|撩|解)(?:去|掉|下|光|开|了|除)?[^,。;]{0,8}?(?:衣|服|裤|裙|衫|袜|内|罩|袍|装|套|毛)",
    r"脱(?:光|掉|下|了|去|除)", r"(?:去|除|移|删|擦|抹|消|清|弄|拿|取)(?:掉|除|去|下|走|失)?[^,。;]{0,10}?(?:衣|服装|裤|裙|衬衫|t恤|汗衫|毛衫|背心|内衣|文胸|胸罩|泳装|比基尼|外套|夹克|西装|毛巾|丝袜)",  # noqa: E501
    r"(?:衣|裤|裙|衫|t恤|外套|夹克|内衣|文胸|胸罩|泳装|比基尼|背心|服装?|衣物)[^,。;]{0,6}?(?:去掉|脱|移除|删除|消失|不见|透明|隐形|去除|拿掉|弄没|没了|变没)",
    r"透视", r"透明(?:的)?(?:衣|裤|裙|衫|内)", r"(?:衣|裤|裙)[^,。;]{0,3}(?:里|下|底)(?:面|边)?的?(?:身|皮|肉|体)", r"衣服(?:下|里|底下)", r"肉色|肤色的?(?:衣|裤|裙|衫)?",  # noqa: E501
    r"色情", r"情色", r"性感", r"乳(?:房|头|沟|晕)", r"阴(?:部|道|茎|毛)", r"生殖器", r"私处", r"屁股", r"臀部", r"胸部", r"身体的皮肤",  # noqa: E501
    r"只(?:穿|剩)[^,。;]{0,4}(?:内|底裤|胸罩|文胸)", r"去衣",
]  # fmt: skip
_TRADITIONAL = str.maketrans(
    "脫褲裙襯體內別國無沒著條絲掛貼陰頭溝膚視開東穿們剝撕層", "脱裤裙衬体内别国无没着条丝挂贴阴头沟肤视开东穿们剥撕层"
)
_LOOKALIKES = str.maketrans("013457@$!|", "oleastasil")
_PATTERN = re.compile("|".join(_ENGLISH), re.IGNORECASE)
_PATTERN_CHINESE = re.compile("|".join(_CHINESE))
_SQUEEZED = ("naked", "nude", "nudity", "undress", "topless", "unclothe", "disrobe", "removeclothes", "removetheclothes",  # noqa: E501
             "removeherclothes", "removehisclothes", "takeoffclothes", "deepnude")  # fmt: skip


def check_words(words: str, *, where: str = "the words") -> None:
    """Raises RefusedError when the words ask for an unclothed rendering of a person."""
    if asks_unclothed(words):
        raise RefusedError(f"{where}: {MESSAGE}", HINT)


def asks_unclothed(words: str) -> bool:
    """Whether the words ask for what the rule refuses."""
    plain = _plain(words)
    for text in {plain, plain.translate(_LOOKALIKES)}:
        if _PATTERN.search(text) or any(w in _spelled_out(text) for w in _SQUEEZED):
            return True
    return bool(_PATTERN_CHINESE.search(re.sub(r"\s+", "", plain).translate(_TRADITIONAL)))


def _plain(words: str) -> str:
    """Lower case, full-width and accented letters made plain, invisible characters dropped."""
    text = unicodedata.normalize("NFKD", words)
    kept = "".join(c for c in text if c in "\n\t" or not _unseen(c))
    folded = kept.casefold().translate(_CYRILLIC)
    return re.sub(r"[\s_*+~^]+", " ", folded)


_CYRILLIC = str.maketrans("аеорсухіѕԁкнмт", "aeopcyxisdkhmt")


def _unseen(character: str) -> bool:
    return bool(unicodedata.combining(character)) or unicodedata.category(character) in ("Cf", "Cc")


def _spelled_out(text: str) -> str:
    """The runs of single letters joined ("n u d e", "n.u.d.e"), one blank between."""
    runs = re.findall(r"\b\w(?:[\W_]{1,2}\w\b){3,}", text)
    return " ".join(re.sub(r"[\W_]+", "", run) for run in runs)
