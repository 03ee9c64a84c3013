#!/usr/bin/env python3
"""Writes a C file that holds the given files.

    scripts/embed.py migrations OUTPUT FILE...                as src/db/embedded.h declares them
    scripts/embed.py assets OUTPUT FOLDER... -- FILE...       as src/web/embedded.h declares them

Assets are compressed (RFC 1952) and named by their path inside the FOLDER that they are in; a
FOLDER may be NAME=FOLDER: then that name stands before it.
Bytes, not string literals: C17 promises literals of 4,095 bytes only.
"""
import gzip
import hashlib
import os
import sys

LINE = 24
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
}


def c_array(name, data):
    rows = []
    for i in range(0, len(data), LINE):
        rows.append("    " + "".join("'\\x%02x'," % byte for byte in data[i:i + LINE]))
    rows.append("    '\\0'")
    return "static const char %s[] = {\n%s\n};\n" % (name, "\n".join(rows))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(output, header, kind, symbol, arrays, rows, empty):
    with open(output, "w", encoding="ascii") as out:
        out.write("/* Made by scripts/embed.py; changes here are lost. */\n")
        out.write('#include "%s"\n\n' % header)
        out.write("\n".join(arrays))
        # The last row keeps the array from being empty; it is not counted.
        out.write("\nconst struct %s %s[] = {\n%s    {%s},\n};\n"
                  % (kind, symbol, "".join(rows), empty))
        out.write("const size_t %s_count = %d;\n" % (symbol, len(rows)))


def migrations(output, paths):
    arrays, rows = [], []
    for number, path in enumerate(sorted(paths, key=os.path.basename)):
        arrays.append(c_array("file_%d" % number, read(path)))
        rows.append('    {"%s", file_%d, sizeof(file_%d) - 1},\n'
                    % (os.path.basename(path), number, number))
    write(output, "db/embedded.h", "embedded_file", "embedded_migrations", arrays, rows,
          "NULL, NULL, 0")


def asset_name(path, folders):
    for folder in folders:
        name, _, place = folder.rpartition("=")
        inside = os.path.relpath(path, place)
        if not inside.startswith(".."):
            return (name + "/" if name else "") + inside
    sys.exit("embed.py: %s is in none of the folders" % path)


def assets(output, words):
    cut = words.index("--")
    folders = words[:cut]
    named = sorted((asset_name(path, folders), path) for path in words[cut + 1:])
    arrays, rows = [], []
    for number, (name, path) in enumerate(named):
        data = read(path)
        media_type = MEDIA_TYPES.get(os.path.splitext(path)[1])
        if media_type is None:
            sys.exit("embed.py: %s: no media type is known for it" % path)
        arrays.append(c_array("file_%d" % number, gzip.compress(data, mtime=0)))
        rows.append('    {"%s", "%s", "%s", file_%d, sizeof(file_%d) - 1, %d},\n'
                    % (name, media_type, hashlib.sha256(data).hexdigest()[:32], number, number,
                       len(data)))
    write(output, "web/embedded.h", "embedded_asset", "embedded_assets", arrays, rows,
          "NULL, NULL, NULL, NULL, 0, 0")


if __name__ == "__main__":
    {"migrations": migrations, "assets": assets}[sys.argv[1]](sys.argv[2], sys.argv[3:])
