"""Strings that break programs which take text for code, for markup, or for something that can be seen."""

CODE = """\
</script><script>window.hacked=1</script>
<script>window.hacked=1</script>
<SCRIPT SRC=x:/y.js></SCRIPT>
<scr<script>ipt>window.hacked=1</scr</script>ipt>
<img src=x onerror=window.hacked=1>
<img src="x" onerror="window.hacked=1">
<img/src='x'/onerror='window.hacked=1'>
<IMG SRC=javascript:window.hacked=1>
<img srcset=x onerror=window.hacked=1 //
<svg onload=window.hacked=1>
<svg/onload=window.hacked=1>
<svg><script>window.hacked=1</script></svg>
<svg><animate onbegin=window.hacked=1 attributeName=x dur=1s>
<svg><foreignObject><img src=x onerror=window.hacked=1>
<math><mi//xlink:href="data:x,<script>window.hacked=1</script>">
<body onload=window.hacked=1>
<body onpageshow=window.hacked=1>
<iframe src=javascript:parent.hacked=1></iframe>
<iframe srcdoc="<script>parent.hacked=1</script>"></iframe>
<object data=javascript:window.hacked=1>
<embed src=javascript:window.hacked=1>
<a href=javascript:window.hacked=1>x</a>
<a href="jAvAsCrIpT:window.hacked=1">x</a>
<a href='java&#115;cript:window.hacked=1'>x</a>
<a href='data:text/html,<script>window.hacked=1</script>'>x</a>
<form action=javascript:window.hacked=1><button>x</button></form>
<button onclick=window.hacked=1 autofocus onfocus=window.hacked=1>x
<input autofocus onfocus=window.hacked=1>
<input type=image src=x onerror=window.hacked=1>
<select onfocus=window.hacked=1 autofocus>
<details open ontoggle=window.hacked=1>
<video><source onerror=window.hacked=1></video>
<audio src=x onerror=window.hacked=1>
<marquee onstart=window.hacked=1>
<style>*{display:none}</style>
<style>@import 'x:y';body{background:url(x:z)}</style>
<link rel=stylesheet href=x:y>
<base href=x:y>
<meta http-equiv=refresh content="0;url=x:y">
<div style="animation:x 1s" onanimationstart=window.hacked=1>
<p style="position:fixed;inset:0;background:url(x:y)">
<template><script>window.hacked=1</script></template>
<noscript><p title="</noscript><img src=x onerror=window.hacked=1>">
<textarea></textarea><script>window.hacked=1</script>
<title></title><script>window.hacked=1</script>
<xmp></xmp><script>window.hacked=1</script>
<plaintext>
<b
<
>
</
</>
</p></div></body></html>
</table></td></tr>
</option></select>
</pre></code>
<!--
-->
<!-->
<!--<script>
--><script>window.hacked=1</script>
<![CDATA[<script>window.hacked=1</script>]]>
]]>
<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>
" onmouseover="window.hacked=1
' onmouseover='window.hacked=1
" autofocus onfocus="window.hacked=1" x="
"><script>window.hacked=1</script>
'><script>window.hacked=1</script>
`><script>window.hacked=1</script>
"/><img src=x onerror=window.hacked=1>
';window.hacked=1;//
";window.hacked=1;//
`;window.hacked=1;//
\\';window.hacked=1;//
\\";window.hacked=1;//
*/window.hacked=1/*
//window.hacked=1
};window.hacked=1;{
window.hacked=1
javascript:window.hacked=1
javascript://%0Awindow.hacked=1
vbscript:window.hacked=1
data:text/html;base64,PHNjcmlwdD53aW5kb3cuaGFja2VkPTE8L3NjcmlwdD4=
eval('window.hacked=1')
__import__('os').system('true')
constructor.constructor('window.hacked=1')()
__proto__
constructor
prototype
toString
hasOwnProperty
undefined
null
None
true
NaN
-Infinity
1e999
0x1F
-0
[object Object]
${window.hacked=1}
#{window.hacked=1}
{{window.hacked=1}}
{{constructor.constructor('window.hacked=1')()}}
{%raw%}{{7*7}}{%endraw%}
<%= 7*7 %>
${7*7}
$(true)
`true`
%{x}
%{y:.3f}<extra></extra>
%{customdata}
%s %d %n %x
%(name)s
%
%%
100 % of 5%
{0}
{}
{x}
{{}}
{{{
}}}
{css}{esm}{state}
{params}{script}{alt}{nonce}
PYTHON_PARAMS
\\1 \\g<0> $& $1 $$
{0.__class__.__init__.__globals__}
$x$
$$\\sum_{i=0}^n x_i$$
$\\alpha
$
$5 and $6
\\(x\\) \\[y\\]
\\begin{document}\\input{/etc/passwd}
\\undefined{command}
\\
\\\\
\\n\\t\\u0041\\x41
\\u003c/script\\u003e
_a_ *b* **c** ~~d~~
# heading
- item
1. item
> quote
| a | b |
[x](javascript:window.hacked=1)
![x](x:y)
```js
`code`
<http://x>
---
&amp;
&lt;b&gt;
&#60;b&#62;
&#x3c;b&#x3e;
&
&;
&copy &nbsp; &zwj;
&notit; &AMP
&#0; &#xD800; &#1114112;
&lt;script&gt;window.hacked=1&lt;/script&gt;
&amp;lt;script&amp;gt;
"
'
`
''
\"\"\"
'\"`'\"`
“ ” ‘ ’ „ ‚ « » ‹ ›
「」『』
′ ″ ‴ ʼ ´
/etc/passwd
../../../etc/passwd
C:\\Windows\\System32
\\\\server\\share
file:///etc/passwd
~/.ssh/id_rsa
CON NUL aux.txt
a/b\\c:d*e?f
{"a": [1, "b", null]}
{"__proto__": {"hacked": 1}}
[1, 2,
a,b,"c,d"
=cmd|'/C calc'!A0
=1+1
+1
@SUM(1)
a;b;c
'; DROP TABLE users;--
1 OR 1=1
!!python/object/apply:os.system [true]
[MASK]
[CLS] [SEP] [PAD] [UNK]
[MASK][MASK]
<s> </s> <pad> <mask> <unk> <sep> <cls>
<|endoftext|>
##s
Ġthe
▁the
@@ bpe</w>
[unused1]""".splitlines()

WRITING = """\
Füße, naïve, œuvre, Ærø, İstanbul, ẞ
ﬁ ﬂ ﬀ ｆｕｌｌ ①② Ⅳ ½ ℌ
عربى
السلام عليكم، كيف حالك؟
שלום עולם
abc עברית 123 عربى xyz
(עברית) [عربى]
١٢٣ ۱۲۳ १२३
日本語のテキスト
中文,没有空格的句子。
한국어 텍스트 한국어
ไทยไม่มีช่องว่าง
हिन्दी क्षत्रिय
தமிழ் ಕನ್ನಡ မြန်မာ ភាសាខ្មែរ
ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ
Ελληνικά Кириллица ქართული Հայերեն
раураl scope ѕсоре
🙂
👩‍👩‍👧‍👦
👍🏽 👩🏿‍🚀
🇩🇪🇫🇷🇺
🏴󠁧󠁢󠁳󠁣󠁴󠁿
❤️ ❤︎ ☺️
1️⃣ #️⃣ *️⃣
é è é
Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘
𝕳𝖊𝖑𝖑𝖔 𝒲ℴ𝓇𝓁𝒹
𠜎 𠜱 𠝹 𓀀 𒀀
﷽
㍿ ㎏ ㈱
Ａ　Ｂ
¿¡§¶†‡•…‰
∀x∈ℝ: ⌈x⌉ = −⌊−x⌋
←→↔⇒ ─│┌┐ ░▒▓█
٪ ％ ﹪
＜script＞window.hacked=1＜/script＞
‹script›""".splitlines()

UNSEEN = [
    *(
        "\x00",
        "a\x00b",
        "\x01\x02\x03",
        "\x07\x08",
        "\x0b\x0c",
        "\x1b[31mred\x1b[0m",
        "\x7f",
        "\x80\x9f",
        "\x85",
    ),
    *(
        "a\nb",
        "a\r\nb\r\n",
        "a\rb",
        "\ta\tb",
        "\n",
        "\r\n",
        " ",
        "   ",
        "\t \n",
        "a" + " " * 200 + "b",
        " a ",
    ),
    *(
        "\u00a0",
        "a\u00a0b",
        "\u1680\u2000\u2003\u200a\u202f\u205f\u3000",
        "\u2028",
        "a\u2029b",
        "\u00ad",
        "a\u00adb",
    ),
    *(
        "\u200b",
        "a\u200bb",
        "\u200c\u200d",
        "a\u200db",
        "\u2060",
        "\ufeff",
        "\ufeffabc",
        "\u180e",
        "\u034f",
        "\u115f",
    ),
    *(
        "\u202eabc",
        "\u202dabc\u202c",
        "\u202a\u202b",
        "\u2066abc",
        "\u2067abc\u2069",
        "\u2068",
        "\u200e\u200f",
        "\u061c",
    ),
    *("user\u202etxt.exe", "\u202e</script><script>window.hacked=1</script>", "a\u202eb\u202ec\u2066d"),
    *("\u2061\u2062\u2063\u2064", "\u206a\u206f", "\ufe0f", "\ufe00a", "\U000e0041\U000e0042", "\U000e0001"),
    *(
        "\ufffd",
        "\ufffe",
        "\uffff",
        "\U0001ffff",
        "\ue000",
        "\U000f0000",
        "\U0010ffff",
        "\ufff9a\ufffab\ufffb",
    ),
    *("\ud800", "\udfff", "a\ud83db", "\udc00\ud800", "\ud800<script>", "\udcff"),
    *(
        "\u0301",
        "\u0301\u0302\u0303",
        "e\u0301",
        "a" + "\u0301" * 100,
        "\u20dd",
        "\u0e4a\u0e4a\u0e4a",
        "\u1160",
    ),
]

LONG = [
    *("x" * 10_000, "word " * 2_000, "<b>" * 1_000, "🙂" * 500, "日" * 600, "-" * 1_000, "&amp;" * 500),
    *("a" * 300, "Donaudampfschifffahrtsgesellschaftskapitän" * 5, "http://x/" + "y" * 500, "\u202e" * 300),
]

STRINGS = list(dict.fromkeys([*CODE, *WRITING, *UNSEEN, *LONG]))
