#!/usr/bin/env python3
"""Writes a C file that holds the given files, as src/db/embedded.h declares them.

    scripts/embed.py embedded_migrations OUTPUT FILE...

Bytes, not string literals: C17 promises literals of 4,095 bytes only.
"""
import os
import sys

LINE = 24


def c_array(name, data):
    rows = []
    for i in range(0, len(data), LINE):
        rows.append("    " + "".join("'\\x%02x'," % byte for byte in data[i:i + LINE]))
    rows.append("    '\\0'")
    return "static const char %s[] = {\n%s\n};\n" % (name, "\n".join(rows))


def main(symbol, output, paths):
    paths = sorted(paths, key=os.path.basename)
    arrays, rows = [], []
    for number, path in enumerate(paths):
        with open(path, "rb") as file:
            data = file.read()
        arrays.append(c_array("file_%d" % number, data))
        rows.append('    {"%s", file_%d, sizeof(file_%d) - 1},\n'
                    % (os.path.basename(path), number, number))
    with open(output, "w", encoding="ascii") as out:
        out.write("/* Made by scripts/embed.py; changes here are lost. */\n")
        out.write('#include "db/embedded.h"\n\n')
        out.write("\n".join(arrays))
        # The last row keeps the array from being empty; it is not counted.
        out.write("\nconst struct embedded_file %s[] = {\n%s    {NULL, NULL, 0},\n};\n"
                  % (symbol, "".join(rows)))
        out.write("const size_t %s_count = %d;\n" % (symbol, len(paths)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
