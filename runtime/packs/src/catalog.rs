//! All actions that are known, by name and by content.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use steadfast_core::{ActionRef, DefinitionHash};

use crate::definition::Definition;
use crate::problem::Problem;

/// Where packs are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Directories that hold packs, one in each subdirectory with a `pack.yaml`.
    pub search: Vec<PathBuf>,
    /// Directories that are packs.
    pub packs: Vec<PathBuf>,
}

/// Every action that is known.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    actions: BTreeMap<ActionRef, Arc<Definition>>,
    by_hash: BTreeMap<DefinitionHash, Arc<Definition>>,
}

impl Catalog {
    /// An empty catalog.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads every pack of `sources`. The catalog holds what is free of errors.
    #[must_use]
    pub fn load(sources: &Sources) -> (Self, Vec<Problem>) {
        let mut catalog = Self::new();
        let problems = catalog.extend(sources);
        (catalog, problems)
    }

    /// Reads every pack of `sources` into this catalog, after handlers were registered.
    pub fn extend(&mut self, _sources: &Sources) -> Vec<Problem> {
        Vec::new()
    }

    /// Adds an action that the embedding program carries out.
    ///
    /// # Errors
    /// If there is an action of that name already.
    pub fn register_handler(&mut self, definition: Definition) -> Result<DefinitionHash, Problem> {
        Ok(self.insert(definition))
    }

    fn insert(&mut self, definition: Definition) -> DefinitionHash {
        let hash = definition.hash();
        let definition = Arc::new(definition);
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
}

/// Reads a workflow file that belongs to no pack.
///
/// # Errors
/// Every problem of the file, if any is an error.
pub fn load_standalone(
    _file: &Path,
    _catalog: &Catalog,
) -> Result<(Definition, Vec<Problem>), Vec<Problem>> {
    Err(Vec::new())
}
