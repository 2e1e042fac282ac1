//! The actions and workflows that simulated deployments run. They are read by the same code that
//! reads them in production, once for all seeds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use steadfast_core::definition::{Prepared, Work};
use steadfast_core::{ActionRef, DefinitionHash, Runtime};
use steadfast_packs::{
    Catalog, CompiledWorkflow, Definition, PolicyDefaults, Severity, Sources, prepare,
    read_standalone,
};
use steadfast_services::port::Workflow;

/// Actions and workflows, compiled.
pub struct Library {
    catalog: Catalog,
    by_name: BTreeMap<ActionRef, Arc<Definition>>,
    compiled: BTreeMap<DefinitionHash, Arc<dyn Workflow>>,
    defaults: PolicyDefaults,
    behaviour: BTreeMap<ActionRef, (Duration, Value)>,
}

impl Library {
    /// A library without workflows, of these actions.
    ///
    /// # Panics
    /// If two actions have one name.
    #[must_use]
    pub fn of(actions: impl IntoIterator<Item = Definition>) -> Self {
        let mut catalog = Catalog::new();
        let mut by_name = BTreeMap::new();
        for action in actions {
            let name = action.action.clone();
            let problem = |problem| panic!("{name}: {problem:?}");
            let hash = catalog.register_handler(action).unwrap_or_else(problem);
            let definition = catalog.by_hash(&hash).expect("it was just registered");
            by_name.insert(name, Arc::clone(definition));
        }
        let (defaults, behaviour) = (PolicyDefaults::default(), BTreeMap::new());
        Self { catalog, by_name, compiled: BTreeMap::new(), defaults, behaviour }
    }

    /// The packs of these sources, with their workflows.
    ///
    /// # Panics
    /// If something is wrong with them; says what.
    #[must_use]
    pub fn load(sources: &Sources) -> Self {
        let (catalog, problems) = Catalog::load(sources);
        let errors: Vec<_> = problems.iter().filter(|p| p.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let by_name = catalog.iter().map(|d| (d.action.clone(), Arc::clone(d))).collect();
        let mut library = Self { catalog, by_name, ..Self::of([]) };
        let workflows: Vec<Arc<Definition>> =
            library.catalog.iter().filter(|d| d.workflow().is_some()).cloned().collect();
        workflows.into_iter().for_each(|workflow| library.compile(workflow));
        library
    }

    /// Adds an action that the embedding program carries out.
    ///
    /// # Panics
    /// If there is one of that name.
    #[must_use]
    pub fn action(mut self, definition: Definition) -> Self {
        let name = definition.action.clone();
        let hash = self.catalog.register_handler(definition);
        let hash = hash.unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
        let known = self.catalog.by_hash(&hash).expect("it was just registered");
        self.by_name.insert(name, Arc::clone(known));
        self
    }

    /// In a simulation this action takes so long and gives this back.
    #[must_use]
    pub fn behaves(mut self, name: &str, takes: Duration, result: Value) -> Self {
        self.behaviour.insert(name.into(), (takes, result));
        self
    }

    /// How long an action takes and what it gives back, where that was said.
    pub(crate) fn behaviour(&self, action: &ActionRef) -> Option<&(Duration, Value)> {
        self.behaviour.get(action)
    }

    /// The same, submitted with other defaults. To be said before workflows are added.
    #[must_use]
    pub fn with_defaults(self, defaults: PolicyDefaults) -> Self {
        Self { defaults, ..self }
    }

    /// Adds a workflow, as it stands in a file. It may use what was added before.
    ///
    /// # Panics
    /// If the text is not a workflow; says where and why.
    #[must_use]
    pub fn workflow_file(mut self, name: &str, text: &str) -> Self {
        let read = read_standalone(format!("{name}.yaml").as_ref(), text.as_bytes(), &self.catalog);
        let (mut definition, _) = read.unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        definition.action = name.into();
        let definition = Arc::new(definition);
        self.compile(Arc::clone(&definition));
        // From now on other workflows may run it.
        let known = self.catalog.register_handler((*definition).clone());
        known.unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
        self.by_name.insert(name.into(), definition);
        self
    }

    fn compile(&mut self, definition: Arc<Definition>) {
        let lookup = |hash: &DefinitionHash| {
            let own = self.by_name.values().find(|known| known.hash() == *hash).cloned();
            own.or_else(|| self.catalog.by_hash(hash).cloned())
        };
        let compiled = CompiledWorkflow::new(Arc::clone(&definition), lookup, self.defaults);
        let compiled =
            compiled.unwrap_or_else(|problem| panic!("{}: {problem:?}", definition.action));
        self.compiled.insert(definition.hash(), Arc::new(compiled));
    }

    /// What is known under this name.
    #[must_use]
    pub fn definition(&self, name: &str) -> Option<&Arc<Definition>> {
        self.by_name.get(&name.into())
    }

    /// The names of all actions and workflows.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(ActionRef::as_str)
    }

    /// Everything that an execution of `name` is pinned to.
    ///
    /// # Panics
    /// If there is no such action, or it does not take these parameters.
    #[must_use]
    pub fn prepare(&self, name: &str, parameters: Value) -> Prepared {
        self.try_prepare(&name.into(), parameters)
            .unwrap_or_else(|problem| panic!("{name}: {problem}"))
    }

    /// The same, or why there can be no such execution.
    pub(crate) fn try_prepare(
        &self,
        action: &ActionRef,
        parameters: Value,
    ) -> Result<Prepared, String> {
        let definition = self.by_name.get(action);
        let definition = definition.ok_or_else(|| format!("there is no action `{action}`"))?;
        let parameters = if parameters.is_null() { Value::Object(Map::new()) } else { parameters };
        prepare(definition, parameters, &self.defaults).map_err(|problem| problem.to_string())
    }

    pub(crate) fn workflow(&self, hash: &DefinitionHash) -> Option<Arc<dyn Workflow>> {
        self.compiled.get(hash).cloned()
    }

    /// What a worker must offer to run all of it.
    #[must_use]
    pub fn runtimes(&self) -> std::collections::BTreeSet<Runtime> {
        let work = self.by_name.values().map(|known| known.work());
        let runtime = |work| match work {
            Work::Runtime(runtime) => Some(runtime),
            Work::Workflow => None,
        };
        work.filter_map(runtime).collect()
    }
}
