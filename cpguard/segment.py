"""Split a text into segments: sentences of prose, and code, JSON and URLs kept whole.

Joining the segments gives the text back byte for byte. Sentence boundaries come from sentencex;
what this module adds is where it must not look (code, JSON, URLs) and an upper bound on length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from cpguard.results import SegmentKind

MAX_CHARS = 600
"""Longest prose segment, in characters; a longer sentence is cut at white space."""

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(?:.*?^[ \t]*\1[ \t]*(?:\n|\Z)|.*\Z)", re.M | re.S)
_JSON_START = re.compile(r"^[ \t]*(?=[\[{])", re.M)
_BARE_URL = re.compile(r"\s*[a-z][a-z0-9+.-]*://\S+\s*\Z", re.I)
_UNBREAKABLE = re.compile(r"`[^`\n]+`|[a-z][a-z0-9+.-]{1,20}://\S+", re.I)
_LINE = re.compile(r"[^\n]*\n+|[^\n]+\Z")
_LONG_LINE = 4 * MAX_CHARS
_SENTENCE_END = re.compile(r"[.!?]\s+")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Segment(NamedTuple):
    """Characters start (inclusive) to end (exclusive) of a text, and what they are."""

    start: int
    end: int
    kind: SegmentKind = "prose"


def split(text: str) -> list[Segment]:
    """Return the segments of a text, in order and without gaps.

    Args:
        text: Any string; empty gives no segments, blank space alone gives one.

    Returns:
        Segments that cover the text; white space after a sentence belongs to it.
    """
    segments: list[Segment] = []
    at = 0
    for block in [*_blocks(text), Segment(len(text), len(text))]:
        segments += _prose(text, at, block.start)
        if block.end > block.start:
            segments.append(block)
        at = block.end
    return _absorb_blank(text, segments)


def _blocks(text: str) -> Iterator[Segment]:
    """Yield fenced code and JSON values that start a line, in order, never overlapping."""
    at = 0
    for fence in _FENCE.finditer(text):
        yield from _json_blocks(text, at, fence.start())
        yield Segment(fence.start(), fence.end(), "code")
        at = fence.end()
    yield from _json_blocks(text, at, len(text))


def _json_blocks(text: str, start: int, end: int) -> Iterator[Segment]:
    decoder = json.JSONDecoder()
    at = start
    while match := _JSON_START.search(text, at, end):
        try:
            value, stop = decoder.raw_decode(text, match.end())
        except json.JSONDecodeError as exc:
            at = max(exc.pos, match.end() + 1)  # what was read before the error is no JSON value either
            continue
        except RecursionError:
            return
        at = stop
        if value and stop <= end and text[stop : stop + 1] in ("", "\n", "\r"):
            yield Segment(match.start(), stop, "json")


def _prose(text: str, start: int, end: int) -> Iterator[Segment]:
    """Yield the sentences of text[start:end]."""
    for line in _paragraphs(text, start, end):
        for sentence in _sentences(text, *line):
            kind: SegmentKind = "url" if _BARE_URL.match(text, *sentence) else "prose"
            for piece in _bounded(text, *sentence):
                yield Segment(*piece, kind)


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield lines, hard-wrapped ones joined; a very long line is cut, since sentencex is quadratic in it."""
    at = start
    for line in _LINE.finditer(text, start, end):
        stop = line.end()
        if stop - at < MAX_CHARS and _is_wrapped(text, at, stop, end):
            continue
        while stop - at > _LONG_LINE:
            ends = [m.end() for m in _SENTENCE_END.finditer(text, at + _LONG_LINE // 2, at + _LONG_LINE)]
            cut = ends[-1] if ends else at + _LONG_LINE
            yield at, cut
            at = cut
        yield at, stop
        at = stop


def _is_wrapped(text: str, start: int, stop: int, end: int) -> bool:
    """Whether the line that begins at stop continues the sentence of the line before it."""
    line = text[start:stop]
    continues = stop < end and text[stop].islower() and not _BARE_URL.match(text, stop, stop + 12)
    return continues and not line.endswith("\n\n") and line.rstrip()[-1:] not in ("", ".", "!", "?", ":")


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    from sentencex import get_sentence_boundaries

    line = _SURROGATE.sub("\ufffd", text[start:end])
    if not line.strip():
        yield start, end
        return
    forbidden = {i for match in _UNBREAKABLE.finditer(line) for i in range(match.start() + 1, match.end())}
    cuts = [boundary["end_index"] for boundary in get_sentence_boundaries("en", line)]
    at = 0
    for cut in [*(c for c in cuts if c not in forbidden and c < len(line)), len(line)]:
        if cut > at:
            yield start + at, start + cut
            at = cut


def _bounded(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield pieces of at most MAX_CHARS, cut after white space where there is any."""
    while end - start > MAX_CHARS:
        limit = start + MAX_CHARS
        space = max(text.rfind(" ", start, limit), text.rfind("\n", start, limit))
        cut = space + 1 if space > start else limit
        yield start, cut
        start = cut
    yield start, end


def _absorb_blank(text: str, segments: list[Segment]) -> list[Segment]:
    """Join segments of white space alone to the one before them, or else to the one after."""
    joined: list[Segment] = []
    for segment in segments:
        if joined and not text[segment.start : segment.end].strip():
            joined[-1] = joined[-1]._replace(end=segment.end)
        elif joined and not text[joined[-1].start : joined[-1].end].strip():
            joined[-1] = segment._replace(start=joined[-1].start)
        else:
            joined.append(segment)
    return joined
