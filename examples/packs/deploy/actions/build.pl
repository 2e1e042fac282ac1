#!/usr/bin/perl
# Makes the page of a version from its template; see build.yaml.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Time::HiRes qw(sleep time);

my $parameters = decode_json(do { local $/; <STDIN> });
my ($target, $version, $seconds, $ledger) =
    map { $parameters->{$_} // '' } qw(target version step_seconds ledger);
utf8::encode($_) for $target, $ledger;

note('start');
my $result = eval { build() };
if (!$result) {
    my $error = $@;
    note('failed');
    die $error;
}
print JSON::PP->new->utf8->canonical->encode($result), "\n";
note('done');

sub build {
    sleep($seconds || 0);
    open my $template, '<', 'files/site.html' or die "files/site.html: $!\n";
    my $page = do { local $/; <$template> };
    $page =~ s/\@VERSION\@/$version/g;

    # Under another name first: whoever reads it finds all of it or nothing, and a second attempt
    # replaces it by the same.
    my $path = "$target/artifacts/site-$version.html";
    my $draft = "$path.$$.tmp";
    open my $handle, '>', $draft or die "$draft: $!\n";
    (print {$handle} $page and close $handle and rename $draft, $path) or die "$path: $!\n";
    utf8::decode(my $text = $path);
    return { path => $text, bytes => length $page, sha256 => sha256_hex($page) };
}

# A line for the ledger, as in lib/step.sh.
sub note {
    my ($phase) = @_;
    return if $ledger eq '';
    open my $handle, '>>', $ledger or die "$ledger: $!\n";
    my $execution = $ENV{STEADFAST_EXECUTION_ID} // '-';
    my $attempt = $ENV{STEADFAST_ATTEMPT} // 1;
    my $token = $ENV{STEADFAST_FENCING_TOKEN} // 0;
    syswrite $handle, sprintf "build %s %s %s %.9f %s\n", $execution, $attempt, $token, time, $phase;
    close $handle or die "$ledger: $!\n";
}
