//! The definitions that executions are pinned to: those of the loaded packs, and those of packs
//! that have changed or gone since, which are read from the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use steadfast_core::{ActionRef, DefinitionHash, Prepared};
use steadfast_packs::{Catalog, CompiledWorkflow, Definition, PolicyDefaults, prepare};
use steadfast_services::port::{Query, StoreError, Workflow};
use tracing::error;

use super::EngineError;

/// Finds definitions by their content.
pub(crate) struct Definitions {
    catalog: Mutex<Arc<Catalog>>,
    defaults: PolicyDefaults,
    stored: Mutex<BTreeMap<DefinitionHash, Arc<Definition>>>,
    workflows: Mutex<BTreeMap<DefinitionHash, Option<Arc<dyn Workflow>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Definitions {
    pub(crate) fn new(catalog: Catalog, defaults: PolicyDefaults) -> Self {
        Self {
            catalog: Mutex::new(Arc::new(catalog)),
            defaults,
            stored: Mutex::default(),
            workflows: Mutex::default(),
        }
    }

    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&lock(&self.catalog))
    }

    pub(crate) fn defaults(&self) -> &PolicyDefaults {
        &self.defaults
    }

    /// What an execution of an action of the packs is pinned to.
    pub(crate) fn prepare(
        &self,
        action: &ActionRef,
        parameters: Value,
    ) -> Result<Prepared, EngineError> {
        let catalog = self.catalog();
        let unknown = || EngineError::UnknownAction(action.to_string());
        let definition = catalog.get(action).ok_or_else(unknown)?;
        let parameters =
            if parameters.is_null() { Value::Object(Default::default()) } else { parameters };
        Ok(prepare(definition, parameters, &self.defaults)?)
    }

    /// Makes a definition known that belongs to no pack.
    pub(crate) fn add(&self, definition: Definition) -> Arc<Definition> {
        let definition = Arc::new(definition);
        lock(&self.stored).insert(definition.hash(), Arc::clone(&definition));
        definition
    }

    /// The definition with this content; `None` if neither the packs nor the store have it.
    pub(crate) async fn find<Q: Query>(
        &self,
        store: &Q,
        hash: &DefinitionHash,
    ) -> Result<Option<Arc<Definition>>, StoreError> {
        if let Some(known) = self.known(hash) {
            return Ok(Some(known));
        }
        let Some(json) = store.definition(hash).await? else { return Ok(None) };
        match serde_json::from_str::<Definition>(&json) {
            Ok(definition) => {
                let definition = Arc::new(definition);
                lock(&self.stored).insert(hash.clone(), Arc::clone(&definition));
                Ok(Some(definition))
            }
            Err(error) => {
                error!(%hash, %error, "a stored definition cannot be read");
                Ok(None)
            }
        }
    }

    fn known(&self, hash: &DefinitionHash) -> Option<Arc<Definition>> {
        let packed = lock(&self.catalog).by_hash(hash).cloned();
        packed.or_else(|| lock(&self.stored).get(hash).cloned())
    }

    /// A workflow, compiled once.
    pub(crate) async fn workflow<Q: Query>(
        &self,
        store: &Q,
        hash: &DefinitionHash,
    ) -> Result<Option<Arc<dyn Workflow>>, StoreError> {
        if let Some(known) = lock(&self.workflows).get(hash) {
            return Ok(known.clone());
        }
        let compiled = self.compile(store, hash).await?;
        lock(&self.workflows).insert(hash.clone(), compiled.clone());
        Ok(compiled)
    }

    async fn compile<Q: Query>(
        &self,
        store: &Q,
        hash: &DefinitionHash,
    ) -> Result<Option<Arc<dyn Workflow>>, StoreError> {
        let Some(definition) = self.find(store, hash).await? else { return Ok(None) };
        let Some(spec) = definition.workflow() else { return Ok(None) };
        for pinned in spec.actions.values() {
            self.find(store, pinned).await?;
        }
        let lookup = |hash: &DefinitionHash| self.known(hash);
        match CompiledWorkflow::new(definition, lookup, self.defaults) {
            Ok(compiled) => Ok(Some(Arc::new(compiled))),
            Err(problem) => {
                error!(%hash, %problem, "a workflow cannot be compiled");
                Ok(None)
            }
        }
    }

    /// Everything that must be in the store before executions can be pinned to it.
    pub(crate) fn to_store(&self) -> Vec<(DefinitionHash, String)> {
        let catalog = self.catalog();
        let stored: Vec<Arc<Definition>> = lock(&self.stored).values().cloned().collect();
        let all = catalog.definitions().chain(&stored);
        all.filter_map(|d| serde_json::to_string(&**d).ok().map(|json| (d.hash(), json))).collect()
    }
}
