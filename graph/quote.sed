# Lines of a text as C strings, one each, for an initialiser of an array: sed -f quote.sed page.js >page.js.h
# Indentation and comments, which have lines of their own, are for those who read the text here.
s/^ *//
/^$/d
/^\/\/ /d
/^\/\*.*\*\/$/d
/^\/\*/,/\*\/$/d
s/[\\"]/\\&/g
s/.*/"&\\n",/
