"""Questions to vision-language models: prompt files, schema-checked answers, caches, fallbacks.

`Asker.ask` is the one place where a question leaves the product: prompt file -> messages -> Answer or Abstain.
"""

from maskwright.asking.ask import Answer, Asker
from maskwright.asking.prompts import PromptFile, load_prompt
from maskwright.asking.rate import RateLimit
from maskwright.asking.replies import Parsed, read_reply
from maskwright.asking.sheets import draw_sheet

__all__ = ["Answer", "Asker", "Parsed", "PromptFile", "RateLimit", "draw_sheet", "load_prompt", "read_reply"]
