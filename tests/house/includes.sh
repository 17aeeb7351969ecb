#!/bin/sh
# Each room includes only the rooms before it: core/ itself, ops/ core, graph/ both. Tools and examples see the public
# headers alone. Public headers include public headers and C's own.
set -eu

awk '
    function room_of(path) { return substr(path, 1, index(path, "/") - 1) }
    function wrong(why) { print FILENAME ":" FNR ": " why; failed = 1 }
    BEGIN {
        may["core"] = " core "
        may["ops"] = " core ops "
        may["graph"] = " core ops graph "
        for (i = 1; i < ARGC; i++) { # where a public header lives
            split(ARGV[i], part, "/")
            if (ARGV[i] ~ /^(core|ops|graph)\/wengert\/[^\/]*[.]h$/)
                home["wengert/" part[3]] = part[1]
        }
    }
    /^[ \t]*#[ \t]*include[ \t]*["<]/ {
        name = $0
        sub(/^[^"<]*["<]/, "", name)
        sub(/[">].*/, "", name)
        quoted = $0 ~ /include[ \t]*"/
        room = room_of(FILENAME)
        header = FILENAME ~ /\/wengert\// || FILENAME == "graph/wengert.h"
        target = ""
        if (name in home)
            target = home[name]
        else if (name ~ /^(core|ops|graph)\//)
            target = room_of(name)
        else if (name == "wengert.h")
            target = "graph"

        if (room == "tools" || room == "examples") {
            if (target != "" && name !~ /^wengert/ || name ~ /^[.][.]/)
                wrong("a private header: " name)
        } else {
            if (target != "" && index(may[room], " " target " ") == 0)
                wrong(room "/ must not include from " target "/: " name)
            if (header && quoted && name ~ /\// && name !~ /^wengert\//)
                wrong("a public header includes a private one: " name)
            if (name ~ /^[.][.]/)
                wrong("write the path from the top: " name)
        }
    }
    END { exit failed }
' $(find core ops graph tools examples -name '*.[ch]')
