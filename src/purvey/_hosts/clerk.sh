# The clerk. To bring something to the disk, to give it its name, to make a folder or to copy a file takes a process each time, which
# costs more than the work. Where there is perl, one of it does that for a whole program, as it is told over two pipes. What it does
# not do, and all where there is none, is done as ever, which also tells why it cannot be done.

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
  sub folder { # 2 if nobody but us can change it.
    my ($mask, $path) = @_;
    mkdir $path, 0777 & ~oct $mask or return 0;
    return (stat $path)[2] & 022 ? 1 : 2;
  }
  sub own { # With those above it.
    my ($path) = @_;
    for (my $end = 1; ($end = index $path, "/", $end) > 0; ++$end) { mkdir substr($path, 0, $end), 0755 }
    return mkdir($path, 0700) && chmod 0700, $path;
  }
  sub copy { # After a line about the original.
    my ($path, $copy, $token) = @_;
    open(my $from, "<", $path) && -f $from or return 0;
    my (undef, undef, $mode, undef, $user, $group) = stat _;
    umask 077;
    my $is_open = open my $to, ">", $copy;
    umask 0;
    $is_open or return 0;
    my $data = sprintf "%s %o %s %s\n", $token, $mode & 07777, $user, $group;
    my $count;
    do { (syswrite($to, $data) // 0) == length $data or return 0 } while $count = sysread $from, $data, 65536;
    return defined $count;
  }
  my %can = (sync => \&sync, name => sub { rename $_[0], $_[1] }, folder => \&folder, own => \&own, copy => \&copy);
  while (<STDIN>) {
    my ($what, @of) = split /\n/;
    print +("not", "done", "safe")[$can{$what}->(@of)] . "\n";
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
