# For guards: what they look at.
# shellcheck shell=bash

# Prints the arguments that are files, one a line; fails when there is none.
files() {
    local file found=
    for file in "$@"; do
        if [ -f "$file" ]; then
            echo "$file"
            found=yes
        fi
    done
    [ -n "$found" ] || missing "$*"
}

missing() {
    echo "found nothing to look at in: $*" >&2
    exit 1
}

sources() {
    files mod_alloy/*.[ch] mod_alloy/core/*.[ch] mod_alloy/resources/*.[ch] \
        plugins/*/*.[ch]
}

# Prints a C file without comments and, as "", without the texts of strings;
# lines keep their numbers.
code() {
    perl -0777 -pe '
        s{("(?:[^"\\\n]|\\.)*")|(\x27(?:[^\x27\\\n]|\\.)*\x27)|(/\*.*?\*/|//[^\n]*)}
         {my ($s, $c, $x) = ($1, $2, $3);
          defined $s ? "\"\"" : defined $c ? "0" : $x =~ tr/\n//cdr || " "}gse' \
        "$1"
}
