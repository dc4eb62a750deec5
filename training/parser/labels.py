"""From the 59 labels of Clothing Co-Parsing to the product's fixed vocabulary (see maskwright.ports.PART_LABELS)."""

from __future__ import annotations

BACKGROUND, FACE, HAIR, SKIN, UPPER, LOWER, DRESS, OUTERWEAR, SHOES, BAG, HAT, OTHER = range(12)

NAMES = {
    HAIR: "hair",
    SKIN: "skin",
    UPPER: "blouse bodysuit bra hoodie intimate jumper shirt sweater sweatshirt swimwear t-shirt top vest",
    LOWER: "jeans leggings panties pants shorts skirt stockings tights",
    DRESS: "dress romper",
    OUTERWEAR: "blazer cape cardigan coat jacket suit",
    SHOES: "boots clogs flats heels loafers pumps sandals shoes sneakers wedges",
    BAG: "bag purse wallet",
    HAT: "hat",
    OTHER: "accessories belt bracelet earrings glasses gloves necklace ring scarf socks sunglasses tie watch",
}


def mapping(names: list[str]) -> list[int]:
    """For each label of the source its index in the vocabulary."""
    where = {word: index for index, words in NAMES.items() for word in words.split()}
    return [where.get(name, BACKGROUND if name == "null" else OTHER) for name in names]
