"""Draw docs/img/top4.svg: the top-4 pool share of each month, from the packaged figures. `python scripts/top4_chart.py`"""

from __future__ import annotations

from pathlib import Path

from ingest.sources.figures import Month, read_figures

WIDTH, HEIGHT = 920, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 34, 30
LOW, HIGH, LINE = 0.45, 0.85, 0.75
INK, MUTED, ACCENT, OVER = "#1f2933", "#8a94a3", "#2563a8", "#c2410c"
UNKNOWN = "unknown"


def top4_share(month: Month) -> float:
    """Share of the month's four largest pools of all its blocks; unknown is not a pool."""
    pools = sorted((n for pool, n in month.blocks_by_pool.items() if pool != UNKNOWN), reverse=True)
    return sum(pools[:4]) / month.blocks


def main() -> None:
    months = read_figures().months
    shares = [top4_share(month) for month in months]

    def x(index: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * index / (len(months) - 1)

    def y(share: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (HIGH - share) / (HIGH - LOW)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-size="12" '
        'font-family="system-ui, sans-serif"><title>Top-4 mining pool share of Bitcoin blocks, by month</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" fill="{INK}" font-size="14" font-weight="600">'
        "Blocks mined by the four largest pools, by month</text>",
    ]
    for percent in range(50, 90, 10):
        level = y(percent / 100)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{level:.1f}" y2="{level:.1f}" stroke="#e4e7eb"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{level + 4:.1f}" fill="{MUTED}" text-anchor="end">{percent} %</text>')
    for index, month in enumerate(months):
        if month.name.endswith("-01"):
            parts.append(f'<text x="{x(index):.1f}" y="{HEIGHT - 8}" fill="{MUTED}">{month.name[:4]}</text>')
    path = " ".join(f"{'M' if index == 0 else 'L'}{x(index):.1f} {y(share):.1f}" for index, share in enumerate(shares))
    line = y(LINE)
    parts += [
        f'<defs><clipPath id="over"><rect x="0" y="0" width="{WIDTH}" height="{line:.1f}"/></clipPath></defs>',
        f'<path d="{path}" fill="none" stroke="{ACCENT}" stroke-width="2"/>',
        f'<path d="{path}" fill="none" stroke="{OVER}" stroke-width="2.5" clip-path="url(#over)"/>',
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{line:.1f}" y2="{line:.1f}" stroke="{OVER}" stroke-dasharray="5 4"/>',
        f'<text x="{LEFT + 4}" y="{line - 6:.1f}" fill="{OVER}">the line: 75 %</text>',
        "</svg>",
    ]
    target = Path(__file__).resolve().parents[1] / "docs" / "img" / "top4.svg"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
