//! What gets linked, as `cargo tree --prefix none` tells it.

/// Those of `unwanted` that are in the tree.
pub(crate) fn packages(tree: &str, unwanted: &[&str]) -> Vec<String> {
    let is_in = |name: &&&str| tree.lines().any(|line| line.split(' ').next() == Some(**name));
    unwanted.iter().filter(is_in).map(|name| format!("{name} is linked")).collect()
}

/// Those of `unwanted` that are switched on for `package`; needs `--edges features`.
pub(crate) fn features(tree: &str, package: &str, unwanted: &[&str]) -> Vec<String> {
    let is_on = |feature: &&&str| {
        let wanted = format!("{package} feature \"{feature}\"");
        tree.lines().any(|line| line.trim_end_matches(" (*)") == wanted)
    };
    let on = unwanted.iter().filter(is_on);
    on.map(|feature| format!("feature {feature} of {package} is on")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "steadfast-services v0.1.0 (/somewhere)\n\
                        madsim-macros v0.2.12 (proc-macro)\n\
                        sqlx feature \"default\"\n\
                        tokio feature \"rt\" (*)\n\
                        tokio feature \"sync\"\n\
                        tokio-util feature \"time\"\n\
                        tokio v1.54.1\n";

    #[test]
    fn a_linked_package_is_seen() {
        assert_eq!(packages(TREE, &["sqlx"]), ["sqlx is linked"]);
        assert_eq!(packages(TREE, &["madsim-macros"]).len(), 1);
        assert_eq!(packages(TREE, &["madsim", "sql", "tokio-postgres"]).len(), 0);
    }

    #[test]
    fn a_feature_is_seen() {
        assert_eq!(features(TREE, "tokio", &["rt", "time"]), ["feature rt of tokio is on"]);
        assert_eq!(features(TREE, "tokio-util", &["time"]).len(), 1);
    }
}
