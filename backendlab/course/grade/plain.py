"""Text that a submission had a hand in, made fit to be shown: in a terminal, on nbgrader's pages."""

from __future__ import annotations

import re

TERMINAL_CODES = r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)?"
UNSEEN = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"


def printable(text: str) -> str:
    """Without terminal codes and other control characters."""
    text = re.sub(TERMINAL_CODES, "", text.replace("\r\n", "\n"))
    return re.sub(UNSEEN, "\N{REPLACEMENT CHARACTER}", text)


def harmless(text: str) -> str:
    """For a comment, which nbgrader's feedback shows as Markdown and its formgrader as text: without markup."""
    return re.sub(r"\s+", " ", printable(text)).translate(str.maketrans("<>&`[]", "‹›+'()"))


def escaped(text: str) -> str:
    """For a Markdown cell, which shows it as it is, but for what we put around it ourselves."""
    return re.sub(r"([<>&`\[\]!])", lambda match: f"&#{ord(match[1])};", text)
