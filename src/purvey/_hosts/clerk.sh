# The clerk. To bring something to the disk, to give it its name, to make a folder, to copy a file or to look at one takes a process
# each time, which costs more than the work. Where there is perl, one of it does that for a whole program, as it is told over two
# pipes. What it does not do, and all where there is none, is done as ever, which also tells why it cannot be done.

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
    open(my $from, "<", $path) or return 0;
    -f $from or return 0;
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
  sub named { # As stat(1) names a user.
    my ($name) = @_;
    return defined $name ? $name : "UNKNOWN";
  }
  sub still { # Whether something has this mode, owner and group.
    my ($path, $mode, $owner, $group) = @_;
    my (undef, undef, $now, undef, $uid, $gid) = lstat $path or return 0;
    return sprintf("%x", $now) eq $mode
      && ($owner =~ /\D/ ? named(scalar getpwuid $uid) : $uid) eq $owner
      && ($group =~ /\D/ ? named(scalar getgrgid $gid) : $gid) eq $group;
  }
  sub look { # What stat(1) says of something.
    my ($path) = @_;
    my (undef, undef, $mode, undef, $uid, $gid, undef, $size) = lstat $path or return 0;
    my $name = -l _ ? "$path -> " . readlink $path : $path;
    return 0 if $name =~ /\n/;
    my @names = map { named($_) } scalar getpwuid $uid, scalar getgrgid $gid;
    return "done " . join ":", sprintf("%x", $mode), $size, $uid, $gid, @names, $name;
  }
  sub safe { # See the function of the shell.
    my @names = grep length, split m{/}, $_[0];
    for my $count (0 .. @names) {
      my (undef, undef, $mode, undef, $uid) = lstat "/" . join "/", @names[0 .. $count - 1] or return 0;
      return 0 if $uid && $uid != $> || $mode & 022 && !($mode & 01000 && $count < @names);
    }
    return 1;
  }
  my %can = (
    sync => \&sync, name => sub { rename $_[0], $_[1] }, folder => \&folder, own => \&own, copy => \&copy, still => \&still,
    look => \&look, safe => \&safe,
  );
  while (<STDIN>) {
    my ($what, @of) = split /\n/;
    my $answer = $can{$what}->(@of) || 0;
    print $answer =~ /^\d$/ ? ("not", "done", "safe")[$answer] : $answer, "\n";
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
