#!/usr/bin/env python3
"""Checks src/ for what no compiler checks, and prints each violation as FILE:LINE: text.

    layers  a file includes its own folder and those on lines below it, nothing above or beside
    vendor  a library's header is included only by the folder that wraps it
    names   what a header declares has a module's prefix (module_verb_noun); no typedef of a struct
    sizes   no file has more than 1,000 lines

    scripts/check-layers.py [--self-test]

Each line of checks ends in `NAME: N files, N violations`; the exit code is 1 if there is one.
"""
import re
import sys
import tempfile
from pathlib import Path

# From the top; folders of one line do not see each other. docs/ARCHITECTURE.md has the picture.
LAYERS = [
    ["cli"],
    ["api", "web", "jobs"],
    ["serve"],
    ["sync"],
    ["chat"],
    ["store", "live"],
    ["db", "http"],
    ["json", "crypto"],
    ["base"],
]
RANK = {folder: rank for rank, line in enumerate(LAYERS) for folder in line}

# Headers of libraries (by their beginning) and the folders that may name them.
VENDOR = {
    "microhttpd": ["http"],
    "zlib": ["web"],
    "sqlite3": ["db"],
    "libpq": ["db"],
    "mysql": ["db"],
    "jwt": ["crypto"],
    "openssl/": ["crypto"],
    "uv.h": ["live"],
    "wslay/": ["live"],
}

LINES_MAX = 1000
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def check_layers(name, text):
    own = name.split("/")[0] if "/" in name else None  # main.c is above all
    for match in INCLUDE.finditer(text):
        kind, header = match.groups()
        if kind == "<":
            continue
        folder = header.split("/")[0] if "/" in header else None
        if folder not in RANK:
            yield line_of(text, match.start()), '"%s" does not name a folder of src/' % header
        elif own is not None and own not in RANK:
            yield 1, "folder %s/ has no place in the layers" % own
            return
        elif own is not None and folder != own and RANK[folder] <= RANK[own]:
            where = "above" if RANK[folder] < RANK[own] else "beside"
            yield line_of(text, match.start()), (
                '%s/ includes "%s", which is %s it' % (own, header, where))


def check_vendor(name, text):
    own = name.split("/")[0]
    for match in INCLUDE.finditer(text):
        kind, header = match.groups()
        for prefix, folders in VENDOR.items():
            if kind == "<" and header.startswith(prefix) and own not in folders:
                yield line_of(text, match.start()), (
                    "<%s> belongs behind %s/" % (header, "/, ".join(folders)))


def blank(match):
    """Takes text away but keeps its lines."""
    return "\n" * match.group(0).count("\n")


def declarations(text):
    """The text without comments, strings, preprocessor lines and what stands in braces."""
    text = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                  blank, text, flags=re.S)
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)
    inner = re.compile(r"\{[^{}]*\}")
    while inner.search(text):
        text = inner.sub(lambda match: ";" + blank(match), text)
    return text


PROTOTYPE = re.compile(r"(?!typedef\b|_Static_assert\b|static\b)[\w\s*]*?\b(\w+)\s*\(")
PREFIXED = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
OWN_NAMES = {"sha1", "sha256"}  # the name of a standard says enough


def check_names(name, text):
    if not name.endswith(".h"):
        return
    own_names = OWN_NAMES | {Path(name).stem}  # identify.h may have identify()
    at = 0
    for part in declarations(text).split(";"):
        line = part.count("\n", 0, len(part) - len(part.lstrip())) + at + 1
        at += part.count("\n")
        match = PROTOTYPE.match(part.strip())
        public = match.group(1) if match else None
        if public and public not in own_names and not PREFIXED.fullmatch(public):
            yield line, "%s() has no module's prefix" % public
        if re.match(r"typedef\s+struct\b(?![^(]*\(\s*\*)", part.strip()):
            yield line, "typedef of a struct"


def check_sizes(name, text):
    lines = text.count("\n")
    if lines > LINES_MAX:
        yield lines, "more than %d lines" % LINES_MAX


CHECKS = {"layers": check_layers, "vendor": check_vendor, "names": check_names,
          "sizes": check_sizes}


def check_tree(src):
    """{check: [violation, ...]} and the number of files."""
    files = sorted(path for path in src.rglob("*") if path.suffix in (".c", ".h", ".def"))
    found = {check: [] for check in CHECKS}
    for path in files:
        name = path.relative_to(src).as_posix()
        text = path.read_text(encoding="utf-8")
        for check, function in CHECKS.items():
            for line, complaint in function(name, text):
                found[check].append("src/%s:%d: %s" % (name, line, complaint))
    return found, len(files)


def self_test():
    """A checker that finds nothing looks like a clean tree, so it has to find these."""
    bad = {
        "base/a.c": ('#include "json/b.h"\n', "layers", "above"),
        "db/a.c": ('#include "db/x.h"\n\n  # include "http/b.h"\n', "layers", ":3: "),
        "chat/a.h": ('#include "a.h"\n', "layers", "name a folder"),
        "extra/a.c": ('#include "base/str.h"\n', "layers", "no place"),
        "chat/b.c": ("#include <sqlite3.h>\n", "vendor", "behind db/"),
        "db/b.h": ("struct x {\n    int a;\n};\n\nint open(struct x *x);\n", "names", ":5: open()"),
        "db/c.h": ("typedef struct {\n    int a;\n} x;\n", "names", "typedef"),
        "db/d.c": ("\n" * 1001, "sizes", "more than"),
    }
    good = {
        "main.c": '#include "cli/serve.h"\n#include "base/str.h"\n',
        "db/e.h": '#include <sqlite3.h>\n#include "db/b.h"\n#include "json/read.h"\n'
                  "typedef void (*hook)(struct x *x);\n"
                  "static inline int peek(int a)\n{\n    return a;\n}\n"
                  '/* open(x); */\nvoid db_close(const char *s) __attribute__((cold));\n',
    }
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        src = Path(folder)
        for name, text in [(n, b[0]) for n, b in bad.items()] + list(good.items()):
            (src / name).parent.mkdir(exist_ok=True)
            (src / name).write_text(text, encoding="utf-8")
        found, _ = check_tree(src)
    everything = [(check, text) for check, texts in found.items() for text in texts]
    for name, (_, check, part) in bad.items():
        hits = [hit for hit in everything if hit[1].startswith("src/%s:" % name)]
        if len(hits) != 1 or hits[0][0] != check or part not in hits[0][1]:
            print("self-test: %s: wanted %s '%s', got %s" % (name, check, part, hits))
            failed += 1
    for name in good:
        for hit in everything:
            if hit[1].startswith("src/%s:" % name):
                print("self-test: %s" % hit[1])
                failed += 1
    print("self-test: %d files, %d violations" % (len(bad) + len(good), failed))
    return failed


def main():
    if sys.argv[1:] == ["--self-test"]:
        return 1 if self_test() else 0
    found, files = check_tree(Path(__file__).resolve().parent.parent / "src")
    for check, violations in found.items():
        for violation in violations:
            print(violation)
        print("%s: %d files, %d violations" % (check, files, len(violations)))
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
