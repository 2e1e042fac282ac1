#!/usr/bin/perl
# Lists the regular files below a directory; see list.yaml. Symbolic links are counted, not followed.
use strict;
use warnings;
use Cwd qw(realpath);
use File::Basename qw(dirname);
use JSON::PP;

# Paths are handled as the bytes that they are; only the parameters are decoded.
my $parameters = decode_json(do { local $/; <STDIN> });
my ($given, $output) = map { bytes($parameters->{$_} // '') } qw(root output);
my %excluded = map { bytes($_) => 1 } @{ $parameters->{exclude} || [] };

my $root = realpath($given);
die "root: '$given' is no directory that can be read\n"
    unless defined $root && -d $root && opendir(my $probe, $root);
die "root: '$root' is not UTF-8; rename it or link to it\n" if encoded($root) =~ /%[89A-F]/;
my $report = report_path($output);

my (@files, @unreadable);
my $directories = 0;
my %skipped = (symlinks => 0, special => 0, excluded => 0);
my @pending = ('');
while (defined(my $below = pop @pending)) {
    my $path = "$root/$below";
    if (!opendir my $handle, $path) {
        # A directory that went away meanwhile is no problem, one that is closed to us is.
        push @unreadable, encoded($below) if lstat $path;
    }
    else {
        $directories++;
        for my $name (readdir $handle) {
            next if $name eq '.' || $name eq '..';
            if ($excluded{$name}) { $skipped{excluded}++; next }
            my @stat = lstat "$path$name" or next;
            if    (-l _) { $skipped{symlinks}++ }
            elsif (-d _) { push @pending, "$below$name/" }
            elsif (-f _) { push @files,   ["$below$name", $stat[7]] }
            else         { $skipped{special}++ }
        }
    }
}
@files = sort { $a->[0] cmp $b->[0] } @files;

# The strings are bytes already (UTF-8 after encoding), so they are printed as they are.
print JSON::PP->new->canonical->encode({
    root        => $root,
    files       => [map { encoded($_->[0]) } @files],
    sizes       => [map { $_->[1] + 0 } @files],
    directories => $directories,
    skipped     => \%skipped,
    unreadable  => [sort @unreadable],
    report      => $report,
}), "\n";

sub bytes {
    my ($text) = @_;
    utf8::encode($text);
    return $text;
}

sub encoded {
    my ($path) = @_;
    $path =~ s{
        (   [\xC2-\xDF][\x80-\xBF]
          | \xE0[\xA0-\xBF][\x80-\xBF] | \xED[\x80-\x9F][\x80-\xBF]
          | [\xE1-\xEC\xEE\xEF][\x80-\xBF]{2}
          | \xF0[\x90-\xBF][\x80-\xBF]{2} | [\xF1-\xF3][\x80-\xBF]{3}
          | \xF4[\x80-\x8F][\x80-\xBF]{2} )
      | ( [\x00-\x1F"%\\\x7F-\xFF] )
    }{ defined $1 ? $1 : sprintf '%%%02X', ord $2 }gex;
    return $path;
}

# The same file for every attempt of this execution; made sure of now that it can be written.
sub report_path {
    my ($wanted) = @_;
    if ($wanted eq '') {
        my $directory = $ENV{TMPDIR} || '/tmp';
        my $run = $ENV{STEADFAST_EXECUTION_ID} || $$;
        return "$directory/census-$run.json";
    }
    die "output: '$wanted' is relative; an action runs in its pack's directory, not in yours,"
        . " so give an absolute path\n" unless $wanted =~ m{^/};
    die "output: '$wanted' does not end in .json\n" unless $wanted =~ /\.json\z/;
    my $directory = dirname($wanted);
    die "output: '$directory' is no directory that can be written to\n"
        unless -d $directory && -w _;
    return $wanted;
}
