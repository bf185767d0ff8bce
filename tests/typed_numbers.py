"""Numbers as people type them, and what they mean on English and on Russian pages; None where they are refused."""

CASES = [
    ("5", 5.0, 5.0),
    ("5,5", 5.5, 5.5),
    ("0,1", 0.1, 0.1),
    (" 7 ", 7.0, 7.0),
    ("\t7\u00a0", 7.0, 7.0),
    (".5", 0.5, 0.5),
    ("5.", 5.0, 5.0),
    ("-1", -1.0, -1.0),
    ("\u22121", -1.0, -1.0),
    ("+2", 2.0, 2.0),
    ("1e3", 1000.0, 1000.0),
    ("2,5E-1", 0.25, 0.25),
    ("\u0665", 5.0, 5.0),  # Arabic digits
    ("\u06f1\u06f2\u066b\u06f5", 12.5, 12.5),
    ("\uff11\uff10", 10.0, 10.0),  # full width
    ("\U0001d7d9", 1.0, 1.0),  # mathematical: runs of ten that follow each other
    ("10 000", 10000.0, 10000.0),
    ("1\u00a0234,5", 1234.5, 1234.5),
    ("1,234", None, 1.234),
    ("0,125", 0.125, 0.125),
    ("1,234.5", None, None),
    ("1.234,5", None, None),
    ("1,2,3", None, None),
    ("0x10", None, None),
    ("1_000", None, None),
    ("5 s", None, None),
    ("5 5", None, None),
    ("--1", None, None),
    ("nan", None, None),
    ("Infinity", None, None),
    ("1e999", None, None),
    ("\u00bd", None, None),
    ("\u4e94", None, None),
    ("", None, None),
]
LISTS = [
    ("1, 2.5; 4", [1.0, 2.5, 4.0], [1.0, 2.5, 4.0]),
    ("1,2,3", [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
    ("3 1.5 40", [3.0, 1.5, 40.0], [3.0, 1.5, 40.0]),
    ("5,5", ["5,5"], [5.5]),
    ("0,5 1,5", ["0,5", "1,5"], [0.5, 1.5]),
    ("1 two", [1.0, "two"], [1.0, "two"]),
    ("", [], []),
]
