# ruff: noqa: RUF001 (look-alikes are the point)
"""JSON texts by the sections of RFC 8259: what its grammar allows, what it does not, and what of it is refused here.

In the tables blanks part the texts, and a control picture stands for its character: ␠ a space, ␊ a line feed, ␀ a NUL.
"""

from __future__ import annotations

from collections.abc import Iterable

PICTURES = {0x2400 + number: number for number in range(0x21)} | {0x2421: 0x7F}
_LEVELS, _DIGITS, _NAME = 100, 1_000, 50_000  # docs/messages.md


def _written(table: str) -> list[bytes]:
    return [text.translate(PICTURES).encode() for text in table.split()]


def _named(sections: dict[str, Iterable[bytes]]) -> dict[str, bytes]:
    """{section and text: text}; a long text is named by its beginning and its length."""
    named = {}
    for section, texts in sections.items():
        for text in texts:
            escaped = ascii(text)[1:]
            name = f"{section}: {escaped if len(escaped) <= 60 else f'{escaped[:40]}... of {len(text):,} bytes'}"
            assert name not in named, f"{name} is there twice"
            named[name] = text
    return named


VALID = _named(
    {
        "2 structure and white space": _written("""
            ␠0 0␠ ␉1␉ ␊2␊ ␍3␍␊ ␠␉␊␍null␍␊␉␠ [␠] [␊] {␉} {␍} [␠1␠,␠2␠] [␊␉1,␊␉2␊] {␠"a"␠:␠1␠} {␊"a"␉:␍1,␠␠"b":2␊}
        """),
        "3 values": _written("""true false null [true,false,null] {"a":true,"b":false,"c":null}"""),
        "4 objects": _written(r"""
            {} {"":0} {"␠":1} {"a":1} {"a":1,"b":2} {"a":1,"a":2} {"a":{},"a":[]} {"a":{"a":{"a":{}}}}
            {"a":[{"a":1}]} {"é":1} {"😀":1} {"\u0061":1} {"a\u0000b":1} {"\"":1} {"\\":1} {"{":"}"} {"true":true}
            {"A":1,"a":2}
        """),
        "5 arrays": [
            *_written("""[] [0] [0,1] [null] [""] [[]] [[],[]] [[[[]]]] [{}] [{},{}] [1,"a",true,null,{"a":1},[2]]"""),
            b"[" + b",".join(b"%d" % number for number in range(1000)) + b"]",
        ],
        "6 numbers": [
            *_written("""
                0 -0 1 -1 9 10 -10 123456789 0.0 -0.0 0.5 -0.5 1.0 1.50 10.01 0e0 0E0 0e+0 0e-0 1e5 1E5 1e+5 1E-5
                1e00 1e05 1.5e5 -1.5E-5 -0e-0 0.001e3 2147483648 9007199254740993 9223372036854775807
                9223372036854775808 -9223372036854775809 18446744073709551616 1000000000000000000000000000000 1e400
                -1e400 1e-400 1.7976931348623157e308 5e-324 0.1000000000000000055511151231257827 1E0000000001
            """),
            b"7" * _DIGITS,
        ],
        "7 strings": [
            *_written(r"""
                "" "a" "␠" "abc␠def" "'" "/" "[]" "{}" "," "//" "null" "1" "␡" "\"" "\\" "\/" "\b" "\f" "\n" "\r"
                "\t" "\\\\" "\\n" "\\u0041" "\u0041" "\uABCD" "\uabcd" "\uAbCd" "\u007f" "\u2028" "\ufeff" "\ufffe"
                "\uffff" "\ud800\udc00" "\uDBFF\uDFFF" "\uD83D\ude00" "a\ud83d\ude00b" "\ue000" "\ud7ff"
            """),
            *(b'"\\u%04x"' % control for control in range(0x20)),
            b'"' + bytes(sorted({*range(0x20, 0x7F)} - {*b'"\\'})) + b'"',
        ],
        "8 characters": [
            f'"{chr(point)}"'.encode()
            for point in (0x80, 0x85, 0xA0, 0xE9, 0x7FF, 0x800, 0x2028, 0x2029, 0xD7FF, 0xE000, 0xFDD0, 0xFEFF, 0xFFFD)
            + (0xFFFE, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF)
        ],
    }
)

_WHOLE = rb'{"a":[0,-1.5e+3,"\u00e9\n",true,null],"b":{}}'
_ESCAPABLE = b'"\\/bfnrtu'
_NO_WHITE_SPACE = (
    "\x00\x01\x08\x0b\x0c\x1c\x1f\x7f\x85\xa0\u1680\u2000\u2003\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
_NO_UTF8 = (
    b"\xc0\xaf",  # two bytes for one
    b"\xc0\x80",  # two bytes for NUL
    b"\xc1\xbf",  # two bytes for the last of one
    b"\xe0\x9f\xbf",  # three bytes for two
    b"\xf0\x8f\xbf\xbf",  # four bytes for three
    b"\xed\xa0\x80",  # a first half of a pair
    b"\xed\xbf\xbf",  # a second half of a pair
    b"\xed\xa0\xbd\xed\xb8\x80",  # a pair
    b"\xf4\x90\x80\x80",  # beyond U+10FFFF
    b"\xf5\x80\x80\x80",  # a first byte of F5
    b"\xf8\x88\x80\x80\x80",  # five bytes
    b"\xfc\x84\x80\x80\x80\x80",  # six bytes
    b"\xfe",  # a byte of FE
    b"\xff",  # a byte of FF
    b"\x80",  # a following byte alone
    b"\xc3\xa9\xa9",  # a following byte too many
    b"\xc3",  # one byte of two
    b"\xe2\x82",  # two bytes of three
    b"\xf0\x9f\x98",  # three bytes of four
    "é".encode("latin-1"),  # Latin-1
)

INVALID = _named(
    {
        "2 structure": _written("""
            ␠ ␊ [ ] { } [[] [} {] [1␠1] [1} [1,2}} {"a":1] {"a":[1} [1]] {}} ({}) , : ; = 1␠2 {}{} [][] []{} 1:
            ,1 {"a":1}] {"a":1}, [1], <1> [1]; "a"␠"b" "a"+"b" truefalse
        """),
        "2 structure, cut off": (_WHOLE[:end] for end in range(1, len(_WHOLE))),
        "2 white space": [
            *(f"{blank}0".encode() for blank in _NO_WHITE_SPACE),
            *(f"[0,{blank}1]".encode() for blank in _NO_WHITE_SPACE),
            *_written(
                r"""\n0 \t0 &nbsp;0 \u00200 /**/0 0/*a*/ [0/*a*/,1] //0 0//a 0␊//a␊ #0 0#a [0␊#a␊,1] --a <!--a-->0"""
            ),
        ],
        "3 literals": _written("""
            True TRUE tRUE tru truee true1 tr␠ue False FALSE fals falsee Null NULL nul nulll nil None none undefined
            yes no on off t f NaN -NaN nan Infinity -Infinity +Infinity inf -inf INF NA a abc é ␀ ? ! $ @ ~ ^ * & %
            _ | \\ new␠Date() function(){} x=>x /a/ :true
        """),
        "4 objects": _written("""
            {a} {1} {"a"} {"a":} {"a":,} {:1} {"a"␠1} {"a",1} {"a"=1} {"a"=>1} {"a"::1} {"a":1:2} {"a":1,} {,"a":1}
            {,} {:} {""} {"a":1,,"b":2} {"a":1␠"b":2} {"a":1;"b":2} {"a":1,"b"} {a:1} {'a':1} {`a`:1} {1:1} {-1:1}
            {null:1} {true:1} {[]:1} {{}:1} {"a":1,b:2} {"a":{} {"a":"b} {"a:1} {"a"b:1} {"a":1,...} {...a}
            {{"a":1}} {[1]} {"a":(1)} {"a":1␠2}
        """),
        "5 arrays": _written("""
            [,] [1,] [,1] [1,,2] [,,] [1,2,,] [1␠2] [1;2] [1:2] ["a":1] [:] ["a"␠"b"] [a] [a,1] [...] [1,...] [(1)]
            (1) [[1] [1,[2] [[],] [[]␠[]] [{}␠{}] [{],}] <> [1␠,␠,␠2] [*] [1-] [+] [-]
        """),
        "6 numbers": _written("""
            + - +1 +0 ++1 --1 -+1 -␠1 00 01 -01 -00 007 0123 00.5 01e1 1. -1. 0. 1.e5 0.e1 .5 -.5 +.5 . -. 1..5
            1.5.5 1e 1E 1e+ 1e- 1.5e 1e5.5 1ee5 1e+-5 1e␠5 1␠e5 1␠.5 1.␠5 e5 E e 0x1F 0xg 0b1 0o7 1_000 1,000 1'000
            1f 1L 1n 1d 12:30 2017-12-04 1/2 1+2 1-2 1*2 1% $1 1i 1e5e 0e 0e+ -e5 -a 1a 1A 1e1a 1.2.3.4 −1 １ ١ ५ ½ ²
            Ⅷ ∞ 1٫5 1．5 0␀ 1␠000
        """),
        "7 strings": [
            *_written(r"""
                " "a a" "a"b" ""a"" ""␠"b" 'a' 'a" "a' `a` “a” «a» &quot;a&quot; @"a" u"a" \"a\" \u0022a\u0022 "\"
                "\\\" "a\ "\u" "\u1" "\u12" "\u123" "\u12␠4" "\u123g" "\uxyzw" "\u+123" "\u-123" "\u{41}" "\U0041"
                "\u00４1" "\x41" "\0" "\012" "\'" "\␠" "\␊" "\␀" "\é" "\😀" "\ud83d\u" "\ud83d\ude0" "\ud83d\ude00
            """),
            *(b'"a%cb"' % control for control in range(0x20)),
            *(b'"\\%c"' % letter for letter in range(0x41, 0x7B) if letter not in _ESCAPABLE and chr(letter).isalpha()),
        ],
        "8 no UTF-8": [b'"a' + wrong + b'b"' for wrong in _NO_UTF8],
        "8 no UTF-8, as a name": [b'{"' + wrong + b'":0}' for wrong in _NO_UTF8],
        "8 no UTF-8 at the end": [b'"a' + cut for cut in (b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98")],
        "8 another encoding": [
            text.encode(code)
            for text in ('{"a":"é"}', "[0]")
            for code in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")
        ],
        "8 byte order mark": [b"\xef\xbb\xbf" + text for text in (b"", b"0", b"{}", b"\xef\xbb\xbf[]", b'"a"')],
    }
)

# The grammar allows these, and the rule of docs/messages.md does not.
_REFUSED: dict[str, Iterable[bytes]] = {
    "half of a surrogate pair": _written(r"""
        "\ud800" "\uDBFF" "\udc00" "\uDFFF" "a\ud800" "\ud800a" "\ud800\ud800" "\udc00\ud800" "\ud800\u0041"
        "\ud800\n" "\ud83d\\ude00" "\ud83d\ude00\ud83d" ["\ud800"] {"\ud800":1} {"a":"\udc00"}
    """),
    "100 levels": [
        opened * levels + inner + closed * levels
        for levels in (_LEVELS, 500, 100_000)
        for opened, inner, closed in ((b"[", b"", b"]"), (b'{"a":', b"0", b"}"))
    ],
    "1,000 characters": [
        b"7" * (_DIGITS + 1),
        b"-" + b"7" * _DIGITS,
        b"0." + b"7" * _DIGITS,
        b"1e" + b"0" * _DIGITS,
        b"[1," + b"9" * 5000 + b"]",
    ],
    "50,000 bytes": [b'{"' + b"n" * (_NAME + 1) + b'":1}', b'[{"' + "é".encode() * (_NAME // 2 + 1) + b'":1}]'],
}
VALID_BUT_REFUSED = {rule: _named({rule: texts}) for rule, texts in _REFUSED.items()}
