//! The layers that a value may come from, the later before the earlier: default, preset, file,
//! `DATABASE_URL` and `AMQP_URL`, `STEADFAST__...`, flag.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use steadfast_runtime::packs::{Member, read_members, suggestion};

use super::environment::Environment;
use super::keys::{self, IDLE, KEYS, Key};
use super::order;
use super::value::{Given, Source, check, from_text};

/// The file that is read when it is there and no other is named.
const USUAL_FILE: &str = "steadfast.yaml";

/// A flag of the command line that stands for a key.
pub(crate) type Flag = (&'static str, &'static str, String);

/// Every key's value.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    values: BTreeMap<&'static str, Given>,
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    /// What was ignored.
    pub(crate) warnings: Vec<String>,
    errors: Vec<String>,
}

impl Layers {
    /// Puts the layers on top of each other.
    ///
    /// # Errors
    /// Every sentence that says what is wrong with a value, with its place.
    pub(crate) fn read(
        file: Option<&Path>,
        environment: &Environment,
        flags: &[Flag],
    ) -> Result<Self, Vec<String>> {
        let mut layers = Self::default();
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            layers.put(key, from_text(key.kind, key.default), Source::Default);
        }
        let members = layers.read_file(file);
        let preset = layers.preset_name(&members, environment);
        for (path, text) in preset.as_deref().map_or(&[][..], keys::preset) {
            if let (Some(key), Some(name)) = (keys::find(path), &preset) {
                layers.put(key, from_text(key.kind, text), Source::Preset(name.clone()));
            }
        }
        layers.take_members(members);
        layers.take_environment(environment);
        for (path, flag, text) in flags {
            if let Some(key) = keys::find(path) {
                layers.put(key, from_text(key.kind, text), Source::Flag(flag));
            }
        }
        if layers.errors.is_empty() {
            let violations = order::violations(&layers);
            layers.errors.extend(violations);
        }
        layers.warn_of_idle();
        if layers.errors.is_empty() { Ok(layers) } else { Err(layers.errors) }
    }

    /// The value of a key, if it has one.
    pub(crate) fn get(&self, path: &str) -> Option<&Given> {
        self.values.get(path)
    }

    fn put(&mut self, key: &'static Key, value: Value, source: Source) {
        match check(key, &value) {
            Ok(()) => drop(self.values.insert(key.path, Given { value, source })),
            Err(sentence) => self.errors.push(format!("{source}: {sentence}")),
        }
    }

    fn read_file(&mut self, file: Option<&Path>) -> Vec<Member> {
        let path = file.unwrap_or(Path::new(USUAL_FILE));
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Vec::new();
            }
            Err(error) => {
                let path = path.display();
                self.errors.push(format!("the configuration file {path} cannot be read: {error}"));
                return Vec::new();
            }
        };
        self.file = Some(path.to_path_buf());
        read_members(&path.display().to_string(), &bytes).unwrap_or_else(|problems| {
            self.errors.extend(problems.iter().map(ToString::to_string));
            Vec::new()
        })
    }

    fn preset_name(&self, members: &[Member], environment: &Environment) -> Option<String> {
        if let Some(name) = environment.get("STEADFAST__PRESET") {
            return Some(name.to_owned());
        }
        let member = members.iter().find(|member| member.path == "preset")?;
        member.value.as_str().map(str::to_owned)
    }

    fn take_members(&mut self, members: Vec<Member>) {
        let file = self.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
        // Everything below a key or below something unknown was dealt with together with it.
        let mut done: Option<String> = None;
        for Member { path, line, value } in members {
            let below = |outer: &String| {
                path.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('.'))
            };
            if done.as_ref().is_some_and(below) {
                continue;
            }
            let source = Source::File(file.clone(), line);
            if let Some(key) = keys::find(&path) {
                // A key without a value counts as absent.
                if !value.is_null() {
                    self.put(key, value, source);
                }
            } else if keys::is_section(&path) {
                if !value.is_object() && !value.is_null() {
                    self.errors.push(format!("{source}: `{path}` must be a mapping"));
                }
                continue;
            } else {
                self.unknown(&source, &path);
            }
            done = Some(path);
        }
    }

    fn take_environment(&mut self, environment: &Environment) {
        for name in environment.unreadable() {
            self.errors.push(format!("{name}: the value is not UTF-8 text"));
        }
        for (name, path) in [("DATABASE_URL", "database.url"), ("AMQP_URL", "message_queue.url")] {
            if let (Some(text), Some(key)) = (environment.get(name), keys::find(path)) {
                self.put(key, from_text(key.kind, text), Source::Variable(name.to_owned()));
            }
        }
        for (name, path, text) in environment.keys() {
            let source = Source::Variable(name.to_owned());
            match keys::find(&path) {
                Some(key) => self.put(key, from_text(key.kind, text), source),
                None => self.unknown(&source, &path),
            }
        }
    }

    /// Warns of what somebody chose and nothing obeys.
    fn warn_of_idle(&mut self) {
        for (path, instead) in IDLE {
            let chosen = self.get(path).map(|given| given.source.clone());
            if let Some(source) = chosen
                && !matches!(source, Source::Default | Source::Preset(_))
            {
                self.warnings.push(format!("{source}: warning: `{path}` has no effect: {instead}"));
            }
        }
    }

    fn unknown(&mut self, source: &Source, path: &str) {
        let hint = suggestion(path, KEYS.iter().map(|key| key.path));
        self.warnings.push(format!("{source}: warning: unknown key `{path}` has no effect{hint}"));
    }
}
