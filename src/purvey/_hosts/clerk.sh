# The clerk. To bring something to the disk, to give it its name or to make a folder takes a process each time, which costs more
# than the work. Where there is perl, one of it does that for a whole program, as it is told over two pipes. What it does not do,
# and all where there is none, is done as ever, which also tells why it cannot be done.

clerk='
  require XSLoader;
  XSLoader::load("IO");
  unlink @ARGV;
  umask 0;
  ($/, $|) = ("\n\n", 1);
  sub sync {
    for my $path (@_) {
      return 0 unless -f $path || -d _;
      open(my $file, "<", $path) or return 0;
      IO::Handle::sync($file) or return 0;
    }
    return 1;
  }
  my %can = (sync => \&sync, name => sub { rename $_[0], $_[1] }, folder => sub { mkdir $_[1], 0777 & ~oct $_[0] });
  while (<STDIN>) {
    my ($what, @of) = split /\n/;
    print $can{$what}->(@of) ? "done\n" : "not\n";
  }
'

hire() {
  command -v perl >/dev/null 2>&1 || return 0
  set -- "$S/said/$F.$ours.asks" "$S/said/$F.$ours.answers"
  mkfifo -- "$@" 2>/dev/null || return 0
  PERL5OPT='' PERL5LIB='' perl -e "$clerk" -- "$@" <"$1" >"$2" 2>/dev/null 3>&- &
  exec 8>"$1" 9<"$2"
  hired=1
}
