# Ordinary comments as doxygen's: one that opens a line belongs to what follows, one behind a member to that member.
FNR == 1 { sub(/^\/\* /, "/** @file\n * ") }
/^ *\/\* / && !/\/\* ---- / { sub(/\/\* /, "/** ") }
/[;,{] *\/\* / { sub(/\/\* /, "/**< ") }
/\/\*/ { inside = 1 }
inside {
    gsub(/</, "\\&lt;")
    sub(/\/\*\*&lt;/, "/**<")
}
/\*\// { inside = 0 }
{ print }
