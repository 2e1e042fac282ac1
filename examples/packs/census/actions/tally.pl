#!/usr/bin/perl
# Counts files and bytes by extension and names the largest files; see tally.yaml.
use strict;
use warnings;
use JSON::PP;

my $parameters = decode_json(do { local $/; <STDIN> });
my ($files, $sizes) = @$parameters{qw(files sizes)};
die 'files and sizes differ in length: ' . @$files . ' and ' . @$sizes . "\n"
    unless @$files == @$sizes;

my %of;
for my $i (0 .. $#$files) {
    # .profile has no extension, archive.tar.gz has gz.
    my ($extension) = $files->[$i] =~ m{[^/]\.([^./]+)\z};
    my $group = $of{ $extension // '' } //= { files => 0, bytes => 0 };
    $group->{files}++;
    $group->{bytes} += $sizes->[$i];
}
my @groups = sort { $of{$b}{bytes} <=> $of{$a}{bytes} || $a cmp $b } keys %of;

my @order = sort { $sizes->[$b] <=> $sizes->[$a] || $a <=> $b } 0 .. $#$files;
my $most = $parameters->{largest} // 10;
splice @order, $most if @order > $most;

print JSON::PP->new->utf8->canonical->encode({
    by_extension => [map { { extension => $_, %{ $of{$_} } } } @groups],
    largest      => [map { { path => $files->[$_], bytes => $sizes->[$_] } } @order],
}), "\n";
