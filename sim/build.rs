//! Says in words that the compiler flag behind the simulator was lost, before madsim's own
//! errors would say it in a hundred others.

#[expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts by environment")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_CFG_MADSIM").is_none() {
        println!(
            "cargo::error=the simulator needs `--cfg madsim`, which .cargo/config.toml sets for \
             everything built from inside this checkout; a RUSTFLAGS variable, even an empty \
             one, replaces it"
        );
        println!(
            "cargo::error=to mend it: build from inside the checkout with RUSTFLAGS unset, or \
             add `--cfg madsim` to RUSTFLAGS"
        );
    }
}
