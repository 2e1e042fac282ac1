#!/usr/bin/perl
# Writes the report and the table; see report.yaml. Nothing in them tells when or how often this
# ran: the same tree gives the same bytes, so a second attempt does no harm.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use JSON::PP;

my $json = JSON::PP->new->utf8->canonical;
my $parameters = $json->decode(do { local $/; <STDIN> });
my ($listing, $tally) = @$parameters{qw(listing tally)};
my @hashed = map { @{ $_->{files} } } @{ $parameters->{hashed} };
my ($paths, $sizes) = @$listing{qw(files sizes)};
die 'listed ' . @$paths . ' files, but hashed ' . @hashed . "\n" unless @$paths == @hashed;

my (@files, @problems, %first);
my ($bytes, $duplicates, $lines) = (0, 0, '');
for my $i (0 .. $#hashed) {
    my ($path, $status, $sum) = @{ $hashed[$i] }{qw(path status sha256)};
    die "entry $i: listed '$paths->[$i]', but hashed '$path'\n" unless $path eq $paths->[$i];
    if ($status ne 'ok') {
        push @problems, { path => $path, status => $status };
        next;
    }
    my %entry = (path => $path, bytes => $sizes->[$i], sha256 => $sum);
    $bytes += $sizes->[$i];
    if ($sizes->[$i] > 0 && exists $first{$sum}) {
        $entry{same_as} = $first{$sum};
        $duplicates++;
    }
    $first{$sum} //= $path;
    $lines .= "$sum  $path\n";
    push @files, \%entry;
}
push @problems, map { { path => $_, status => 'not listed' } } @{ $listing->{unreadable} };
utf8::encode($lines);

my %totals = (
    files      => scalar @files,
    bytes      => $bytes,
    digest     => sha256_hex($lines),
    duplicates => $duplicates,
    problems   => scalar @problems,
);
my $report = $listing->{report};
(my $table = $report) =~ s/(?:\.json)?\z/.txt/;

write_file($report, JSON::PP->new->utf8->canonical->pretty->indent_length(1)->encode({
    root        => $listing->{root},
    totals      => \%totals,
    directories => $listing->{directories},
    skipped     => $listing->{skipped},
    problems    => \@problems,
    %$tally,
    files => \@files,
}));

my $text = "Census of $listing->{root}\n\n";
$text .= sprintf "%-12s %s\n", @$_ for
    [files       => $totals{files}],
    [bytes       => $bytes],
    [directories => $listing->{directories}],
    [duplicates  => $duplicates],
    [problems    => $totals{problems}],
    [digest      => $totals{digest}];
$text .= sprintf "\n%-12s %8s %14s\n", 'extension', 'files', 'bytes';
$text .= sprintf "%-12s %8d %14d\n", $_->{extension} eq '' ? '(none)' : $_->{extension},
    @$_{qw(files bytes)}
    for @{ $tally->{by_extension} };
$text .= sprintf "\n%14s  %s\n", 'bytes', 'largest';
$text .= sprintf "%14d  %s\n", @$_{qw(bytes path)} for @{ $tally->{largest} };
$text .= sprintf "\n%-14s  %s\n", 'status', 'problem' if @problems;
$text .= sprintf "%-14s  %s\n", @$_{qw(status path)} for @problems;
utf8::encode($text);
write_file($table, $text);

print $json->encode({ %totals, report => $report, table => $table }), "\n";

# Written under another name first: a reader finds the whole file or none.
sub write_file {
    my ($path, $content) = @_;
    utf8::encode($path);
    my $draft = "$path.$$.tmp";
    open my $handle, '>', $draft or die "$draft: $!\n";
    (print {$handle} $content and close $handle and rename $draft, $path)
        or die "$path: $!\n";
}
