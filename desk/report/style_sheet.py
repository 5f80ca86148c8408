"""The style sheet of the report and of drawings that stand alone. Pure.

People with any colour vision can distinguish blue and orange; alerts are crimson and always named in words beside it.
"""

from __future__ import annotations

from typing import Final

from counterpoise.plots.marks import drawing, element

LIGHT: Final = """
  --page: #fff; --panel: #f6f7f9; --ink: #15202b; --muted: #586473; --rule: #dde2e8; --grid: #e9ecf0; --axis: #9aa5b1;
  --mining: #0b5fa5; --ai: #a84e00; --alert: #b3264a; --rest: #aeb7c2;
  --font: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
"""

DARK: Final = """
  --page: #10151b; --panel: #181f27; --ink: #e9eef4; --muted: #a2aebb; --rule: #2b3540; --grid: #222b35; --axis: #5d6976;
  --mining: #6fb4f2; --ai: #f0a04b; --alert: #f27a96; --rest: #56616d;
"""

DRAWING: Final = """
text { font: 12px var(--font); fill: var(--muted); font-variant-numeric: tabular-nums }
.name, .value, .label { fill: var(--ink) }
.label.quiet { fill: var(--muted) }
.label.strong { font-weight: 650 }
.label.title { font-size: 15px }
.label.mining { fill: var(--mining) }
.label.ai { fill: var(--ai) }
.label.alert { fill: var(--alert) }
.label.strip { fill: var(--muted); font-size: 11px }
.grid { stroke: var(--grid) }
.axis { stroke: var(--axis) }
.zero { stroke: var(--ink); stroke-width: 1.2 }
.line { fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round }
.line.thin { stroke-width: 1.1 }
.line.mining { stroke: var(--mining) }
.line.ai { stroke: var(--ai) }
.line.alert { stroke: var(--alert); stroke-width: 2.4 }
.dot { stroke: var(--page); stroke-width: 1.5 }
.mining.dot, .mining.interval, .mining.range, .mining.bar { fill: var(--mining) }
.ai.dot, .ai.envelope { fill: var(--ai) }
.interval { opacity: .15 }
.range { opacity: .3 }
.envelope { opacity: .16 }
.second.bar { opacity: .45 }
.bar.rest { fill: var(--rest) }
.whisker { stroke: var(--ink); stroke-width: 1.5 }
.rule { stroke: var(--ink); stroke-dasharray: 6 4; stroke-width: 1.1 }
.rule.faint { opacity: .45 }
.episode { fill: var(--alert); opacity: .1 }
.firing { fill: var(--alert) }
.reach { stroke-width: 1.6; opacity: .6 }
.core { opacity: .75 }
.middle { stroke: var(--page); stroke-width: 1.6 }
.reach.none { stroke: var(--axis) }
.reach.ai { stroke: var(--ai) }
.reach.mining { stroke: var(--mining) }
.core.none { fill: var(--axis) }
.core.ai { fill: var(--ai) }
.core.mining { fill: var(--mining) }
.strip.call { fill: var(--grid) }
.strip.call.ai { fill: var(--ai); opacity: .3 }
.strip.call.mining { fill: var(--mining); opacity: .3 }
"""

PAGE: Final = """
* { box-sizing: border-box }
html { background: var(--page); color: var(--ink); font: 16px/1.5 var(--font); -webkit-text-size-adjust: 100% }
body { margin: 0 auto; max-width: 1000px; padding: 40px 24px 64px }
p, figure, dd { margin: 0 }
h1 { font-size: 15px; line-height: 1.5; font-weight: 650; margin: 0 }
h2 { font-size: 20px; line-height: 1.3; letter-spacing: -.01em; margin: 0 0 4px }
h3 { font-size: 15px; margin: 0 }
header { display: flex; flex-wrap: wrap; gap: 4px 24px; justify-content: space-between; color: var(--muted); font-size: 14px }
header h1 { color: var(--ink) }
.notice { margin-top: 20px; padding: 10px 14px; border-left: 4px solid var(--ai); background: var(--panel); font-size: 15px }
.headline { margin-top: 36px }
.eyebrow { font-size: 13px; font-weight: 650; margin-bottom: 6px }
.eyebrow.mining { color: var(--mining) }
.eyebrow.ai { color: var(--ai) }
.statement { font-size: 24px; line-height: 1.35; letter-spacing: -.012em; text-wrap: pretty }
.statement.second { font-size: 19px; line-height: 1.45; letter-spacing: -.005em }
.statement b { font-weight: 650 }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 14px 24px; margin: 18px 0 0 }
.facts dt { font-size: 13px; color: var(--muted) }
.facts dd { font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
section { margin-top: 52px; padding-top: 20px; border-top: 1px solid var(--rule) }
.lede { color: var(--muted); max-width: 80ch; margin-bottom: 16px; text-wrap: pretty }
svg { display: block; width: 100%; height: auto; overflow: visible }
.narrow { display: none }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 32px }
.pair svg { max-width: 460px }
.pair .lede { margin-bottom: 8px }
details { margin-top: 10px; font-size: 14px }
details + details { margin-top: 4px }
summary { cursor: pointer; color: var(--muted); width: fit-content }
summary:hover { color: var(--ink) }
summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--mining); outline-offset: 2px }
.scroll { overflow: auto; max-height: 420px; margin-top: 8px }
.plain { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: 6px 16px 6px 0; border-bottom: 1px solid var(--rule); vertical-align: top }
th:last-child, td:last-child { padding-right: 0 }
thead th { color: var(--muted); font-weight: 500; font-size: 13px; vertical-align: bottom }
.scroll thead th { position: sticky; top: 0; background: var(--page) }
tbody th { font-weight: 500 }
.n { text-align: right; white-space: nowrap }
.n + :not(.n) { padding-left: 12px }
section[aria-labelledby="alerts"] :is(th, td) { white-space: nowrap }
.attention { color: var(--alert); font-weight: 650 }
.none-yet { padding: 16px 20px; background: var(--panel); border-radius: 6px; color: var(--muted) }
.none-yet b { color: var(--ink) }
pre, code { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
pre { margin: 8px 0 0; padding: 12px 14px; background: var(--panel); border-radius: 6px; overflow: auto; max-height: 420px }
footer { margin-top: 52px; padding-top: 20px; border-top: 1px solid var(--rule); font-size: 14px; color: var(--muted) }
footer code { overflow-wrap: anywhere }
@media (max-width: 680px) {
  body { padding: 24px 16px 48px }
  .statement { font-size: 20px }
  .statement.second { font-size: 17px }
  .facts { grid-template-columns: 1fr 1fr }
  .pair { grid-template-columns: 1fr }
  section { margin-top: 40px }
  .wide { display: none }
  .narrow { display: block }
}
@media print {
  html { font-size: 13px }
  body { max-width: none; padding: 0 }
  .statement { font-size: 19px }
  .statement.second, h2 { font-size: 15px }
  .headline { margin-top: 18px }
  .facts { margin-top: 10px; gap: 8px 24px }
  .lede { max-width: none; margin-bottom: 10px }
  section { margin-top: 22px; padding-top: 12px; break-inside: avoid }
  figure, tr { break-inside: avoid }
  table, thead th { font-size: 12px }
  th, td { padding-top: 3px; padding-bottom: 3px }
  details { display: none }
  .wide { display: block }
  .narrow { display: none }
  .pair { grid-template-columns: 1fr 1fr }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
}
"""


def _schemes(selector: str) -> str:
    """The colours for light and dark; paper is always light."""
    return f"{selector} {{{LIGHT}}}\n@media screen and (prefers-color-scheme: dark) {{ {selector} {{{DARK}}} }}\n"


def page_style() -> str:
    """The whole style sheet of the page."""
    return f":root {{ color-scheme: light dark }}\n{_schemes(':root')}{DRAWING}{PAGE}"


def standalone(body: str, *, width: float, height: float, name: str, title: str, description: str) -> str:
    """A drawing as a separate document, with a margin, for a page that shows it as an image."""
    style = element("style", f"{_schemes('svg')}{DRAWING}.sheet {{ fill: var(--page) }}".replace("&", "&amp;"))
    margin = 20.0
    sheet = element("rect", width=width + 2 * margin, height=height + 2 * margin, rx=6.0, class_="sheet")
    inside = element("g", body, transform=f"translate({margin:g} {margin:g})")
    return (
        drawing(
            style + sheet + inside,
            width=width + 2 * margin,
            height=height + 2 * margin,
            name=name,
            title=title,
            description=description,
        )
        + "\n"
    )
