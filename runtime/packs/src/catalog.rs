//! All actions that are known, by name and by content.

mod disk;
mod draft;
mod pack;
mod resolve;
mod standalone;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use steadfast_core::{ActionRef, DefinitionHash};

use crate::definition::Definition;
use crate::problem::{Position, Problem};
use crate::workflow::gather;
use draft::Draft;
use pack::Pack;

pub use standalone::{load_standalone, read_standalone};

/// Where packs are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Directories that hold packs, one in each subdirectory with a `pack.yaml`.
    pub search: Vec<PathBuf>,
    /// Directories that are packs.
    pub packs: Vec<PathBuf>,
}

/// Every action that is known.
#[derive(Clone, Debug)]
pub struct Catalog {
    actions: BTreeMap<ActionRef, Arc<Definition>>,
    by_hash: BTreeMap<DefinitionHash, Arc<Definition>>,
    /// Where each action is defined, in words.
    origins: BTreeMap<ActionRef, String>,
    /// The `pack.yaml` of each pack.
    packs: BTreeMap<String, String>,
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new()
    }
}

impl Catalog {
    /// An empty catalog.
    #[must_use]
    pub fn new() -> Self {
        let mut by_hash = BTreeMap::new();
        by_hash.insert(gather().hash(), Arc::new(gather().clone()));
        Self { actions: BTreeMap::new(), by_hash, origins: BTreeMap::new(), packs: BTreeMap::new() }
    }

    /// Reads every pack of `sources`. The catalog holds what is free of errors.
    #[must_use]
    pub fn load(sources: &Sources) -> (Self, Vec<Problem>) {
        let mut catalog = Self::new();
        let problems = catalog.extend(sources);
        (catalog, problems)
    }

    /// Reads every pack of `sources` into this catalog, so that workflows find what was
    /// registered before. What has errors is left out, and so is what depends on it.
    pub fn extend(&mut self, sources: &Sources) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut drafts = Vec::new();
        let mut seen = BTreeSet::new();
        for dir in pack_dirs(sources, &mut problems) {
            if disk::real(&dir).is_ok_and(|real| !seen.insert(real)) {
                continue;
            }
            match Pack::read(&dir) {
                Ok(pack) => self.add_pack(pack, &mut drafts, &mut problems),
                Err(found) => problems.extend(found),
            }
        }
        self.add_drafts(drafts, &mut problems);
        problems.sort();
        problems
    }

    fn add_pack(&mut self, mut pack: Pack, drafts: &mut Vec<Draft>, problems: &mut Vec<Problem>) {
        if let Some(other) = self.packs.get(&pack.name) {
            let name = &pack.name;
            let message = format!(
                "the pack `{name}` is defined in {other} as well; \
                                   rename one or leave one out"
            );
            pack.findings.error(Position::NOWHERE, message);
            problems.extend(pack.findings.into_problems());
            return;
        }
        self.packs.insert(pack.name.clone(), pack.file.clone());
        let mut found = pack.drafts();
        // The actions of a pack that is wrong itself are checked, and not used.
        if pack.findings.errors() > 0 {
            found.iter_mut().for_each(|draft| draft.spoiled = true);
        }
        drafts.extend(found);
        problems.extend(pack.findings.into_problems());
    }

    /// Adds an action that the embedding program carries out.
    ///
    /// # Errors
    /// If there is an action of that name already.
    pub fn register_handler(&mut self, definition: Definition) -> Result<DefinitionHash, Problem> {
        const ORIGIN: &str = "the program";
        if let Some(other) = self.origins.get(&definition.action) {
            let message = format!("`{}` is defined in {other} as well", definition.action);
            return Err(Problem::without_place(ORIGIN, message));
        }
        Ok(self.insert(definition, ORIGIN.to_string()))
    }

    fn insert(&mut self, definition: Definition, origin: String) -> DefinitionHash {
        let hash = definition.hash();
        let definition = Arc::new(definition);
        self.origins.insert(definition.action.clone(), origin);
        self.by_hash.insert(hash.clone(), Arc::clone(&definition));
        self.actions.insert(definition.action.clone(), definition);
        hash
    }

    /// The action of that name.
    #[must_use]
    pub fn get(&self, action: &ActionRef) -> Option<&Arc<Definition>> {
        self.actions.get(action)
    }

    /// The definition with that content.
    #[must_use]
    pub fn by_hash(&self, hash: &DefinitionHash) -> Option<&Arc<Definition>> {
        self.by_hash.get(hash)
    }

    /// Every action, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.actions.values()
    }

    /// Every definition, in the order of the hashes: the actions, and what workflows run without
    /// naming it.
    pub fn definitions(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.by_hash.values()
    }
}

/// The directories of all packs.
fn pack_dirs(sources: &Sources, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let is_pack = |dir: &Path| dir.join("pack.yaml").is_file();
    let mut dirs = Vec::new();
    for search in &sources.search {
        // A pack in place of a directory of packs is what people mean.
        if is_pack(search) {
            dirs.push(search.clone());
            continue;
        }
        match disk::entries(search) {
            Ok(entries) => dirs.extend(entries.into_iter().filter(|entry| is_pack(entry))),
            Err(error) => {
                let message = format!("the directory of packs: {}", disk::reason(&error));
                problems.push(Problem::without_place(&search.display().to_string(), message));
            }
        }
    }
    for dir in &sources.packs {
        if is_pack(dir) {
            dirs.push(dir.clone());
        } else {
            let message = "is not a pack: it has no pack.yaml".to_string();
            problems.push(Problem::without_place(&dir.display().to_string(), message));
        }
    }
    dirs
}
