#!/usr/bin/env python3
"""Draws docs/measurements/performance.svg from docs/measurements/performance.json: python3 benches/chart.py

The JSON is a list of {name, warm_cpu_ratio, cold_https_cpu_ms, peak_mib, zip_kib}; the first entry is ours. A
figure that is missing or 0 is drawn as "not measured". Python 3 and nothing else is needed.
"""

import json
import pathlib
from xml.sax.saxutils import escape

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs" / "measurements"

# What each panel shows: member, title, format.
PANELS = [
    ("warm_cpu_ratio", "CPU of a warm invocation, by that of an empty function", "{:.1f} ×"),
    ("cold_https_cpu_ms", "CPU from start to the first answer, keys over https", "{:.1f} ms"),
    ("peak_mib", "Peak memory", "{:.1f} MiB"),
    ("zip_kib", "Size of the package", "{:,.0f} KiB"),
]

# The picture has its own light ground, so it reads the same on a dark page.
GROUND, EDGE, TEXT, FAINT = "#fbfbf9", "#d8d8d2", "#2b2f36", "#6b7280"
OURS, OTHERS = "#2f7d6d", "#b9c6d3"

WIDTH, MARGIN, NAMES, VALUES = 760, 28, 200, 84
TITLE, BAR, GAP, PANEL_GAP = 30, 18, 7, 26


def panel(entries, member, title, form, top):
    """The parts of one panel, and where it ends."""
    yield f'<text x="{MARGIN}" y="{top + 15}" class="title">{escape(title)}</text>'
    room = WIDTH - 2 * MARGIN - NAMES - VALUES
    largest = max((entry.get(member) or 0 for entry in entries), default=0) or 1
    for place, entry in enumerate(entries):
        y = top + TITLE + place * (BAR + GAP)
        value = entry.get(member) or 0
        length = max(room * value / largest, 2) if value else 0
        text = form.format(value) if value else "not measured"
        colour, weight = (OURS, "ours") if place == 0 else (OTHERS, "")
        middle = y + BAR / 2 + 4.5
        yield f'<text x="{MARGIN + NAMES - 10}" y="{middle}" class="name {weight}">{escape(entry["name"])}</text>'
        if value:
            yield f'<rect x="{MARGIN + NAMES}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{colour}"/>'
        kind = "value" if value else "none"
        yield f'<text x="{MARGIN + NAMES + length + 8:.1f}" y="{middle}" class="{kind} {weight}">{escape(text)}</text>'


def chart(entries):
    step = TITLE + len(entries) * (BAR + GAP) + PANEL_GAP
    height = 2 * MARGIN + step * len(PANELS) - PANEL_GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="what">',
        '<title id="what">Lambda authorizers compared: shorter bars are better</title>',
        "<style>text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; "
        f"fill: {TEXT} }} .title {{ font-weight: 600 }} .name {{ text-anchor: end }} "
        f".none {{ fill: {FAINT}; font-style: italic }} .ours {{ font-weight: 600 }}</style>",
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" fill="{GROUND}" stroke="{EDGE}"/>',
    ]
    for place, (member, title, form) in enumerate(PANELS):
        parts += panel(entries, member, title, form, MARGIN + place * step)
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    measured = json.loads((DOCS / "performance.json").read_text(encoding="utf-8"))
    (DOCS / "performance.svg").write_text(chart(measured), encoding="utf-8")
