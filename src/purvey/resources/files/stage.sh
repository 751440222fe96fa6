# A folder of our own in one that may be somebody else's. POSIX sh; goes before what uses it.

complain() { # CODE TEXT
  printf '%s\n' "$2" >&2
  exit "$1"
}

# Stand in the folder NAME in FOLDER, which nobody else may enter; one that is ours already was left when we were killed. Who owns
# FOLDER can put a link in its place at any moment, so what counts is where we then are. Sets `around` to FOLDER as it really is.
stage() { # FOLDER NAME
  cd -P -- "$1"
  around=${PWD%/}
  if [ -L "./$2" ] || [ ! -d "./$2" ]; then
    rm -f -- "./$2"
    mkdir -- "./$2"
  fi
  cd -P -- "./$2"
  if [ "$PWD" != "$around/$2" ] || [ ! -O . ]; then complain 1 "$around/$2: somebody else's"; fi
  chmod 700 .
}
