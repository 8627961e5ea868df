"""How the pages look that the front end makes itself.

Runs in: the controller.  Nothing is loaded from elsewhere: no file, no font, no
script.
"""

PLAIN = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;margin:3em auto;max-width:60em;padding:0 1em}
"""

FRIENDLY = """
:root{color-scheme:light dark;--back:#f5f6f8;--card:#fff;--text:#1c2430;--dim:#657081;
--line:#dfe3e9;--bad:#b3261e;--bad-back:#fdf0ef;--good:#2f7d4f;--hint:#8a5a00;
--hint-back:#fff7e0;--hint-line:#f0d58a;--bar:#5b83c4}
@media(prefers-color-scheme:dark){:root{--back:#14181f;--card:#1d232d;--text:#e4e8ee;
--dim:#97a3b4;--line:#323b48;--bad:#ff8a80;--bad-back:#3a1f20;--good:#7fd3a0;
--hint:#ffd479;--hint-back:#332a14;--hint-line:#66531f;--bar:#7ea6e6}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
[role=main]{max-width:72rem;margin:0 auto;padding:2rem 1.25rem 3rem}
h1{font-size:1.9rem;line-height:1.2;margin:.3rem 0 .8rem;text-wrap:balance}
h2{font-size:1.05rem;margin:0 0 .7rem}
.status{color:var(--dim);font-size:.9rem;letter-spacing:.02em}
.summary{font-weight:600;margin:0;overflow-wrap:anywhere}
section,.summary{background:var(--card);border:1px solid var(--line);
border-radius:10px;padding:1rem 1.25rem;margin:0 0 1rem}
.summary{border-color:var(--bad);background:var(--bad-back);color:var(--bad)}
.advice{background:var(--hint-back);border-color:var(--hint-line)}
.advice h2{color:var(--hint)}
.advice p{margin:.2rem 0;white-space:pre-line;overflow-wrap:anywhere}
code,pre,td.path,.frame{font:.86rem/1.55 ui-monospace,"DejaVu Sans Mono",Menlo,
Consolas,monospace}
pre{margin:0;overflow:auto}
.output,details pre{max-height:32rem}
.excerpt span{display:block}
.excerpt .at{background:var(--bad-back);
color:var(--bad);font-weight:700}
.place{color:var(--dim);margin:0 0 .5rem;overflow-wrap:anywhere}
.frame{display:block;border-left:3px solid var(--line);padding:.1rem 0 .1rem .8rem;
margin:.25rem 0;color:var(--dim)}
.frame.own{border-left-color:var(--bad);color:var(--text)}
.frame.own .code{font-weight:700}
.frame .code{display:block}
.message{display:block;margin:.5rem 0 .25rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{padding:.28rem .9rem .28rem 0;text-align:left;vertical-align:top}
th{color:var(--dim);font-weight:500;border-bottom:1px solid var(--line)}
.journey td{white-space:nowrap;font-variant-numeric:tabular-nums}
.journey td:nth-child(5),.journey th:nth-child(5){text-align:right}
.journey .bar{width:40%;min-width:5rem;padding-right:0;vertical-align:middle}
.bar i{display:block;height:.6rem;min-width:2px;border-radius:3px;background:var(--bar)}
tr.done td:nth-child(4){color:var(--good)}
tr.failed td{color:var(--bad);font-weight:700}
tr.failed .bar i{background:var(--bad)}
.facts th{width:12rem;border:0}
td.path{overflow-wrap:anywhere}
details{margin:.6rem 0 0}
summary{cursor:pointer;color:var(--dim)}
footer{color:var(--dim);font-size:.9rem}
@media(max-width:48rem){th,td{padding-right:.6rem}
.facts th{width:7rem}h1{font-size:1.5rem}}
"""
