//! Rows of one table inside a unit of work, with what they were when they were loaded.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::de::Deserializer;
use serde::ser::{Error, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use crate::decision::Changed;
use crate::execution::Execution;
use crate::id::{ExecutionId, QueueKey, TaskKey, Version, WorkerName};
use crate::queue::Queue;
use crate::worker::Worker;
use crate::workflow::{Run, Visit};

/// A row with a key and a version.
pub trait Row: Clone + PartialEq {
    /// What it is found by.
    type Key: Ord + Clone;

    /// Its key.
    fn key(&self) -> Self::Key;

    /// Its version.
    fn version(&self) -> Version;

    /// Its version, to be raised with every write.
    fn version_mut(&mut self) -> &mut Version;
}

/// Declares the key of a row type.
macro_rules! row {
    ($row:ty, $key:ty, $field:ident) => {
        impl Row for $row {
            type Key = $key;

            fn key(&self) -> $key {
                self.$field.clone()
            }

            fn version(&self) -> Version {
                self.version
            }

            fn version_mut(&mut self) -> &mut Version {
                &mut self.version
            }
        }
    };
}

row!(Execution, ExecutionId, id);
row!(Queue, QueueKey, key);
row!(Worker, WorkerName, name);
row!(Run, ExecutionId, execution);
row!(Visit, TaskKey, key);

/// Loaded, changed and new rows of one table.
#[derive(Clone, Debug)]
pub struct Rows<R: Row> {
    rows: BTreeMap<R::Key, Entry<R>>,
}

#[derive(Clone, Debug)]
struct Entry<R> {
    now: R,
    origin: Origin<R>,
}

#[derive(Clone, Debug)]
enum Origin<R> {
    /// As it was loaded; nothing has touched it.
    Loaded,
    /// Touched; this is how it was loaded.
    Touched(R),
    /// Not in the store yet.
    New,
}

/// As they were loaded: what has been decided on them since is not written down with them.
impl<R: Row + Serialize> Serialize for Rows<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.rows.len()))?;
        for entry in self.rows.values() {
            if !matches!(entry.origin, Origin::Loaded) {
                return Err(S::Error::custom("a row was changed since it was loaded"));
            }
            rows.serialize_element(&entry.now)?;
        }
        rows.end()
    }
}

impl<'de, R: Row + Deserialize<'de>> Deserialize<'de> for Rows<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut rows = Self::default();
        Vec::<R>::deserialize(deserializer)?.into_iter().for_each(|row| rows.load(row));
        Ok(rows)
    }
}

impl<R: Row> Default for Rows<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new() }
    }
}

impl<R: Row> Rows<R> {
    /// Adds a row that the store has. A row that is already here stays as it is.
    pub fn load(&mut self, row: R) {
        self.rows.entry(row.key()).or_insert(Entry { now: row, origin: Origin::Loaded });
    }

    /// Adds a row that the store does not have.
    pub fn insert(&mut self, row: R) {
        self.rows.insert(row.key(), Entry { now: row, origin: Origin::New });
    }

    /// The row as it is now.
    #[must_use]
    pub fn find(&self, key: &R::Key) -> Option<&R> {
        self.rows.get(key).map(|entry| &entry.now)
    }

    /// The row, to be changed.
    pub fn edit(&mut self, key: &R::Key) -> Option<&mut R> {
        let entry = self.rows.get_mut(key)?;
        if matches!(entry.origin, Origin::Loaded) {
            entry.origin = Origin::Touched(entry.now.clone());
        }
        Some(&mut entry.now)
    }

    /// Puts another row in the place of the one with its key. Whether there is one.
    pub fn replace(&mut self, row: R) -> bool {
        let Some(entry) = self.rows.get_mut(&row.key()) else { return false };
        let before = core::mem::replace(&mut entry.now, row);
        if matches!(entry.origin, Origin::Loaded) {
            entry.origin = Origin::Touched(before);
        }
        true
    }

    /// All rows by key.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.rows.values().map(|entry| &entry.now)
    }

    /// What must be written. Rows that were touched and came out as they were are only counted.
    #[must_use]
    pub fn into_changed(self, unchanged: &mut u32) -> Changed<R> {
        let mut changed = Changed::default();
        for (_, Entry { mut now, origin }) in self.rows {
            match origin {
                Origin::Loaded => {}
                Origin::New => changed.inserted.push(now),
                Origin::Touched(before) if before == now => *unchanged += 1,
                Origin::Touched(_) => {
                    *now.version_mut() = now.version().next();
                    changed.updated.push(now);
                }
            }
        }
        changed
    }
}
