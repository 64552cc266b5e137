# embed.awk: turns one file of named SQL statements into C.
#
#   awk -v output=c -f sql/embed.awk sql/queries/ticket.sql > ticket.c
#   awk -v output=h -f sql/embed.awk sql/queries/ticket.sql > ticket.h
#
# The input, line by line:
#
#   -- use: ticket.sql                 takes the fragments of a file beside this
#   -- fragment: ticket_columns        names a text that @ticket_columns@ puts in
#   -- name: ticket_get :one :custom   begins a statement
#   -- sorts: t -created_at updated_at  the orders of the :page begun just above
#
# The first word after a statement's name says what it answers (:one :many
# :page :exec); :custom, :write, :slow and :within may follow. A statement that
# says INSERT, UPDATE, DELETE, MERGE or FOR SHARE is a :write by itself; one
# that writes through a function must say so. One that is :within looks at
# nothing of any project but :project, and alone in its transaction it is let
# see no other.
# :locks=ticket names the parameter with the id of the row it changes,
# :counts=project likewise for a row that everybody wants: writes that share a
# transaction are sorted by these ids, the latter last, so that two of them
# never wait for each other.
#
# The first word after "sorts:" is the alias whose columns the rest names, "-"
# before the largest first. A statement is made for each, the first under the
# name itself; @sort_key@, @sort_after@ and @sort_order@ stand for the column,
# for "behind the cursor" and for ORDER BY. A caller names an order by its word,
# except one in parentheses, which is what he gets without.
#
# :word is a parameter and becomes $1, $2, ... in the order of first use;
# :word? is a boolean parameter of its own, named "word?". Quoted texts, casts
# and := are left as they are; comments are dropped; $1 is refused, because
# it would silently collide with the numbers given here.

BEGIN {
    MODES["one"] = "ALLOY_SQL_ONE"
    MODES["many"] = "ALLOY_SQL_MANY"
    MODES["page"] = "ALLOY_SQL_PAGE"
    MODES["exec"] = "ALLOY_SQL_EXEC"
    FLAGS["custom"] = FLAGS["write"] = FLAGS["slow"] = FLAGS["within"] = 1
    NAME = "^[a-z][a-z0-9_]*$"
    kind = ""
    failed = 0
    count = 0
    source = ARGV[1]
    noun = source
    sub(/^.*\//, "", noun)
    sub(/\.sql$/, "", noun)
    if (noun !~ NAME) {
        fail(1, "the file's name \"" noun "\" can't be part of a C name; " \
                "use small letters, digits and _")
    }
}

/^--[ \t]*(name|fragment):/ {
    finish()
    begin()
    next
}

/^--[ \t]*use:/ {
    finish()
    use()
    next
}

/^--[ \t]*sorts:/ {
    begin_sorts()
    next
}

{
    if (kind != "") {
        text = text $0 "\n"
    } else if ($0 !~ /^[ \t\r]*(--.*)?$/) {
        fail(FNR, "text before the first \"-- name:\" or \"-- fragment:\" " \
                  "line belongs to no statement")
    }
}

END {
    if (!failed) {
        finish()
    }
    if (failed) {
        exit 1
    }
    if (output == "h") {
        print_header()
    } else {
        print_source()
    }
}

# ---- reading ----------------------------------------------------------------

function fail(line, message) {
    printf "%s:%d: %s.\n", source, line, message > "/dev/stderr"
    failed = 1
    exit 1
}

# Reads a "-- name:" or "-- fragment:" line.
function begin(    words, n, i) {
    first = FNR
    text = ""
    nsorts = 0
    sub(/\r$/, "")
    kind = ($0 ~ /^--[ \t]*name:/) ? "name" : "fragment"
    sub(/^--[ \t]*(name|fragment):[ \t]*/, "")
    n = split($0, words, /[ \t]+/)
    if (n > 0 && words[n] == "") {
        n--
    }
    name = (n > 0) ? words[1] : ""
    if (name !~ NAME) {
        fail(FNR, "\"" name "\" is no name for a " kind \
                  "; use small letters, digits and _, a letter first")
    }
    if (name in seen) {
        fail(FNR, "the name \"" name "\" is used twice, first in line " \
                  seen[name])
    }
    seen[name] = FNR
    if (kind == "name") {
        begin_statement(words, n)
    } else if (n > 1) {
        fail(FNR, "\"" words[2] "\" after a fragment's name means nothing")
    }
}

function begin_statement(words, n,    i, word) {
    count++
    names[count] = name
    lines[count] = FNR
    word = (n > 1) ? words[2] : ""
    if (word !~ /^:/ || !(substr(word, 2) in MODES)) {
        fail(FNR, "\"" word "\" is no mode of statement \"" name \
                  "\"; write :one, :many, :page or :exec")
    }
    mode[count] = MODES[substr(word, 2)]
    for (i = 3; i <= n; i++) {
        word = substr(words[i], 2)
        if (word ~ /^(locks|counts)=[a-z_]+$/) {
            flag[count, "counts"] = (word ~ /^counts/)
            sub(/^.*=/, "", word)
            locks[count] = word
            continue
        }
        if (words[i] !~ /^:/ || !(word in FLAGS)) {
            fail(FNR, "\"" words[i] "\" means nothing after statement \"" \
                      name "\"; write :custom, :write, :slow, :within, " \
                      ":locks=... or :counts=...")
        }
        flag[count, word] = 1
    }
}

# Reads a "-- use:" line and the fragments of the file it names.
function use(    path, line, status) {
    path = source
    sub(/[^\/]*$/, "", path)
    sub(/^--[ \t]*use:[ \t]*/, "")
    sub(/[ \t\r]*$/, "")
    path = path $0
    while ((status = (getline line < path)) > 0) {
        if (line ~ /^--[ \t]*(name|fragment):/) {
            finish()
            if (line ~ /^--[ \t]*fragment:/) {
                $0 = line
                begin()
            }
        } else if (kind != "") {
            text = text line "\n"
        }
    }
    if (status < 0) {
        fail(FNR, "there is no file \"" path "\" to take fragments from")
    }
    finish()
    close(path)
}

# Reads a "-- sorts:" line.
function begin_sorts(    words, n, i) {
    sub(/\r$/, "")
    sub(/^--[ \t]*sorts:[ \t]*/, "")
    n = split($0, words, /[ \t]+/)
    if (kind != "name" || mode[count] != "ALLOY_SQL_PAGE" || nsorts \
        || text != "") {
        fail(FNR, "a \"-- sorts:\" line belongs below the \"-- name:\" line " \
                  "of a :page")
    }
    if (n < 2 || words[1] !~ NAME) {
        fail(FNR, "after \"-- sorts:\" come an alias and at least one column")
    }
    first = FNR
    alias = words[1]
    for (i = 2; i <= n; i++) {
        if (words[i] !~ /^(-?[a-z][a-z0-9_]*|\(-?[a-z][a-z0-9_]*\))$/) {
            fail(FNR, "\"" words[i] "\" is no column to sort by")
        }
        sorts[++nsorts] = words[i]
    }
}

function finish() {
    if (kind == "") {
        return
    }
    text = clean(text)
    if (text == "") {
        fail(first, "the " kind " \"" name "\" has no text")
    }
    if (kind == "fragment") {
        fragments[name] = text
    } else if (nsorts) {
        sort_all(text)
    } else if (text ~ /@sort_(key|after|order)@/) {
        fail(first, "\"" name "\" is to be sorted, but no \"-- sorts:\" " \
                    "line says how")
    } else {
        number_parameters(text)
    }
    kind = ""
}

# ---- orders -----------------------------------------------------------------

# A statement for each order, copies of the one just begun.
function sort_all(s,    base, i, column) {
    base = count
    sorted[base] = nsorts
    for (i = 1; i <= nsorts; i++) {
        column = sorts[i]
        gsub(/[()]/, "", column)
        if (i > 1) {
            count++
            names[count] = names[base] "__" \
                (column ~ /^-/ ? substr(column, 2) "_desc" : column)
            mode[count] = mode[base]
            flag[count, "custom"] = flag[base, "custom"]
            flag[count, "slow"] = flag[base, "slow"]
            flag[count, "within"] = flag[base, "within"]
            copy_of[count] = base
        }
        word_of[base, i] = sorts[i] ~ /^\(/ ? "" : column
        index_of[base, i] = count
        number_parameters(sort_text(s, column))
    }
}

# A bare coalesce counts as leaky, which keeps a comparison out of the index
# condition where a policy stands before it; a sub-select does not.
function sort_text(s, column,    down, key, end, id) {
    down = sub(/^-/, "", column)
    key = alias "." column
    end = down ? "infinity" : "-infinity"
    id = down ? "ffffffff-ffff-ffff-ffff-ffffffffffff" \
              : "00000000-0000-0000-0000-000000000000"
    gsub(/@sort_key@/, key, s)
    gsub(/@sort_order@/, "ORDER BY " key (down ? " DESC" : "") ", " alias \
         ".id" (down ? " DESC" : ""), s)
    gsub(/@sort_after@/, "(" key ", " alias ".id) " (down ? "<" : ">") \
         " ((SELECT coalesce(:after_at::timestamptz, '" end "')), " \
         "(SELECT coalesce(:after_id::uuid, '" id "')))", s)
    return s
}

# ---- scanning ---------------------------------------------------------------

# Looks at what s begins with: sets token to its kind and returns its length.
function scan(s,    c, two) {
    c = substr(s, 1, 1)
    two = substr(s, 1, 2)
    if (two == "--") {
        token = "comment"
        return match(s, /\n/) ? RSTART - 1 : length(s)
    }
    if (two == "/*") {
        token = "comment"
        return block_length(s)
    }
    if (match(s, /^[eE]'/)) {
        token = "quoted"
        return match(s, /^[eE]'([^'\\]|\\.|\\\n|'')*'/) ? RLENGTH : 0
    }
    if (c == "'") {
        token = "quoted"
        return match(s, /^'[^']*'/) ? RLENGTH : 0
    }
    if (c == "\"") {
        token = "quoted"
        return match(s, /^"[^"]*"/) ? RLENGTH : 0
    }
    if (match(s, /^[A-Za-z_][A-Za-z_0-9$]*/)) {
        token = "word"
        return RLENGTH
    }
    if (c == "$") {
        return scan_dollar(s)
    }
    if (two == "::" || two == ":=") {
        token = "other"
        return 2
    }
    if (match(s, /^:[A-Za-z_][A-Za-z_0-9]*\??/)) {
        token = "parameter"
        return RLENGTH
    }
    if (match(s, /^@[a-z][a-z0-9_]*@/)) {
        token = "fragment"
        return RLENGTH
    }
    token = (c == ";") ? "semicolon" : "other"
    return 1
}

# A dollar quote, or a parameter number nobody may write.
function scan_dollar(s,    tag, end) {
    if (match(s, /^\$[0-9]+/)) {
        token = "number"
        return RLENGTH
    }
    if (!match(s, /^\$([A-Za-z_][A-Za-z_0-9]*)?\$/)) {
        token = "other"
        return 1
    }
    token = "quoted"
    tag = substr(s, 1, RLENGTH)
    end = index(substr(s, length(tag) + 1), tag)
    return end ? end - 1 + 2 * length(tag) : 0
}

# Block comments nest.
function block_length(s,    i, depth, two) {
    depth = 1
    for (i = 3; i < length(s) && depth > 0; i++) {
        two = substr(s, i, 2)
        if (two == "/*") {
            depth++
            i++
        } else if (two == "*/") {
            depth--
            i++
        }
    }
    return depth ? 0 : i - 1
}

# Drops comments and the last semicolon, puts fragments in.
function clean(s,    out, n, part, line, ended) {
    line = first + 1
    while (s != "") {
        n = scan(s)
        part = substr(s, 1, n)
        if (n == 0) {
            fail(line, "a quoted text or comment of " kind " \"" name \
                       "\" has no end")
        }
        if (token == "number") {
            fail(line, "\"" part "\" in \"" name \
                       "\"; give the parameter a name (:name)")
        }
        if (token == "fragment") {
            out = out fragment(part, line)
        } else if (part == "\n") {
            sub(/[ \t\r\n]+$/, "", out)
            out = out part
        } else if (token != "comment" && token != "semicolon") {
            out = out part
        }
        if (ended && token != "comment" && part !~ /^[ \t\r\n;]*$/) {
            fail(line, "\"" name "\" holds more than one statement")
        }
        ended = ended || token == "semicolon"
        line += gsub(/\n/, "\n", part)
        s = substr(s, n + 1)
    }
    sub(/^[ \t\n]+/, "", out)
    sub(/[ \t\n]+$/, "", out)
    return out
}

function fragment(part, line,    word) {
    word = substr(part, 2, length(part) - 2)
    if (word ~ /^sort_(key|after|order)$/) {
        return part
    }
    if (!(word in fragments)) {
        fail(line, "there is no fragment \"" word "\" before \"" name "\"")
    }
    return fragments[word]
}

# Gives parameters their numbers and finds out whether the statement writes.
function number_parameters(s,    out, n, part, word, last) {
    params[count] = 0
    while (s != "") {
        n = scan(s)
        part = substr(s, 1, n)
        if (token == "parameter") {
            word = substr(part, 2)
            if (!((count, word) in place)) {
                place[count, word] = ++params[count]
                param[count, params[count]] = word
            }
            part = "$" place[count, word]
        } else if (token == "word") {
            word = toupper(part)
            if (word ~ /^(INSERT|UPDATE|DELETE|MERGE)$/ \
                || (word == "SHARE" && (last == "FOR" || last == "KEY"))) {
                flag[count, "write"] = 1
            }
            last = word
        }
        out = out part
        s = substr(s, n + 1)
    }
    texts[count] = out
    if ((count in locks) && !((count, locks[count]) in place)) {
        fail(first, "\"" name "\" has no parameter \"" locks[count] \
                    "\", by which it says it locks")
    }
}

# ---- writing ----------------------------------------------------------------

function print_header(    i, guard) {
    guard = "ALLOY_SQL_" toupper(noun) "_H"
    print "/* Made by sql/embed.awk from " source "; change that file. */"
    print "#ifndef " guard
    print "#define " guard
    print ""
    print "#include \"alloy.h\""
    print ""
    for (i = 1; i <= count; i++) {
        print "extern const alloy_statement_t sql_" names[i] ";"
    }
    print ""
    print "/* All of the above, then NULL. */"
    print "extern const alloy_statement_t *const sql_" noun "_statements[];"
    print ""
    print "#endif"
}

function print_source(    i) {
    print "/* Made by sql/embed.awk from " source "; change that file. */"
    print "#include \"sql/" noun ".h\""
    for (i = 1; i <= count; i++) {
        print_statement(i)
    }
    print ""
    print "const alloy_statement_t *const sql_" noun "_statements[] = {"
    for (i = 1; i <= count; i++) {
        print "    &sql_" names[i] ","
    }
    print "    NULL"
    print "};"
}

# A page brings a second statement that counts the rows of its first :limit.
function print_statement(i) {
    print ""
    if (sorted[i]) {
        print_sorts(i)
    }
    if (mode[i] == "ALLOY_SQL_PAGE" && !copy_of[i]) {
        print "static const alloy_statement_t count_" names[i] " = {"
        print_members(i, names[i] "_count", "ALLOY_SQL_ONE",
                      "SELECT count(*) AS total FROM (\n" texts[i] ") AS page")
        print "};"
        print ""
    }
    print "const alloy_statement_t sql_" names[i] " = {"
    print_members(i, names[i], mode[i], texts[i])
    if (mode[i] == "ALLOY_SQL_PAGE") {
        print "    .count = &count_" names[copy_of[i] ? copy_of[i] : i] ","
    }
    if (sorted[i]) {
        print "    .sorts = sorts_" names[i] ","
    }
    print "};"
}

function print_sorts(i,    j) {
    print "static const alloy_sort_t sorts_" names[i] "[] = {"
    for (j = 1; j <= sorted[i]; j++) {
        if (word_of[i, j] != "") {
            print "    { " c_string(word_of[i, j]) ", &sql_" \
                  names[index_of[i, j]] " },"
        }
    }
    print "    { NULL, NULL }"
    print "};"
    print ""
}

function print_members(i, name, how, text,    j, n, parts) {
    print "    .name = \"" name "\","
    print "    .mode = " how ","
    print "    .flags = " flag_words(i) ","
    print "    .nparams = " params[i] ","
    printf "    .params = (const char *const[]){ "
    for (j = 1; j <= params[i]; j++) {
        printf "%s, ", c_string(param[i, j])
    }
    print "NULL },"
    if (i in locks) {
        print "    .locks = \"" locks[i] "\","
    }
    print "    .text ="
    n = split(text, parts, "\n")
    for (j = 1; j <= n; j++) {
        print "        " c_string(parts[j] (j < n ? "\n" : "")) \
              (j < n ? "" : ",")
    }
}

function flag_words(i,    words) {
    if (flag[i, "custom"]) {
        words = words " | ALLOY_SQL_CUSTOM"
    }
    if (flag[i, "write"]) {
        words = words " | ALLOY_SQL_WRITE"
    }
    if (flag[i, "slow"]) {
        words = words " | ALLOY_SQL_SLOW"
    }
    if (flag[i, "within"]) {
        words = words " | ALLOY_SQL_WITHIN"
    }
    if (flag[i, "counts"]) {
        words = words " | ALLOY_SQL_COUNTS"
    }
    return words == "" ? "0" : substr(words, 4)
}

function c_string(s) {
    gsub(/\\/, "\\\\&", s)
    gsub(/"/, "\\\"", s)
    gsub(/\n/, "\\n", s)
    gsub(/\t/, "\\t", s)
    return "\"" s "\""
}
