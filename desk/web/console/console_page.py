"""The console's HTML. Names, tables and results come by script; without it the page names the command."""

from __future__ import annotations

from typing import Final

from counterpoise.plots.marks import text_of

EXAMPLE: Final = """SELECT time, top4_share, top4_share_low, top4_share_high
FROM concentration_shares
WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 1008
ORDER BY height DESC
LIMIT 1000"""

_BODY: Final = """<main class="console">
<p class="about"><a href="./">Counterpoise desk</a></p>
<h1>SQL console</h1>
<p class="about">Dataset <b>{dataset}</b>{mark}. The console only reads. <span id="limits"></span></p>
<noscript><p role="alert">The console needs JavaScript. <code>counterpoise sql</code> runs the same statements.</p></noscript>
<div class="work">
<section class="editor" aria-label="Statement">
<p class="row"><label for="named">Named query</label> <select id="named"><option value="">none</option></select>
<label for="history">History</label> <select id="history"><option value="">none</option></select></p>
<p id="about-query" class="about" hidden></p>
<div id="parameters" class="row"></div>
<div class="field"><label for="sql">SQL</label>
<textarea id="sql" rows="12" spellcheck="false" autocomplete="off" autocapitalize="off" aria-autocomplete="list"
 aria-controls="choices" aria-describedby="keys">{example}</textarea>
<ul id="choices" role="listbox" aria-label="Completions" hidden></ul>
<p id="offered" class="unseen" aria-live="polite"></p></div>
<p id="keys" class="about">Ctrl+Enter runs. Ctrl+Space completes; arrows choose, Enter or Tab takes, Escape closes.</p>
<p class="row"><button id="run" type="button">Run</button> <button id="cancel" type="button" disabled>Cancel</button>
<button id="link" type="button">Copy link</button>
<button class="export" type="button" data-format="csv">CSV</button>
<button class="export" type="button" data-format="jsonl">JSON lines</button>
<button class="export" type="button" data-format="parquet">Parquet</button></p>
<p id="state" role="status" aria-live="polite"></p>
<pre id="pointer" hidden></pre>
</section>
<nav class="tables" aria-label="Tables and columns"><label for="filter">Find</label> <input id="filter" type="search">
<div id="tables"></div></nav>
</div>
<section id="result" aria-label="Result" hidden>
<div id="plot"></div>
<div class="scroll" tabindex="0" role="region" aria-label="Rows of the result"><table><thead></thead><tbody></tbody></table></div>
</section>
</main>
<script type="module" src="sql/static/console.js"></script>
"""


def page(dataset: str, dataset_kind: str) -> str:
    """The whole page."""
    mark = "" if dataset_kind == "live" else f" ({text_of(dataset_kind)} data)"
    body = _BODY.format(dataset=text_of(dataset), mark=mark, example=text_of(EXAMPLE))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>SQL console – Counterpoise</title>'
        '<link rel="icon" href="static/icon.svg">'
        f'<link rel="stylesheet" href="sql/static/console.css"></head><body>\n{body}</body></html>\n'
    )
