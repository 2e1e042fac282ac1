//! Digests of rows and decisions: enough to see that two are not the same, and which row it is.

use serde::Serialize;
use steadfast_core::decision::{Changed, Decision};

/// CRC-32 of the value's MessagePack.
pub(super) fn of<T: Serialize + ?Sized>(value: &T) -> u32 {
    let mut hashing = Hashing(crc32fast::Hasher::new());
    rmp_serde::encode::write(&mut hashing, value).expect("hashing writes nowhere");
    hashing.0.finalize()
}

struct Hashing(crc32fast::Hasher);

impl std::io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One digest for each row and one for the messages, with a count before each group, in the order of
/// the writes.
pub(super) fn of_decision(decision: &Decision) -> Vec<u32> {
    let mut all = Vec::new();
    let writes = &decision.writes;
    changed(&mut all, &writes.workers);
    changed(&mut all, &writes.queues);
    changed(&mut all, &writes.executions);
    changed(&mut all, &writes.runs);
    changed(&mut all, &writes.visits);
    changed(&mut all, &writes.schedules);
    group(&mut all, &writes.parameters);
    group(&mut all, &writes.results);
    group(&mut all, &writes.items);
    changed(&mut all, &writes.effects);
    all.push(of(&decision.messages));
    all
}

fn changed<R: Serialize>(all: &mut Vec<u32>, rows: &Changed<R>) {
    group(all, &rows.inserted);
    group(all, &rows.updated);
}

fn group<R: Serialize>(all: &mut Vec<u32>, rows: &[R]) {
    // More rows than that fit no commit.
    all.push(rows.len() as u32);
    all.extend(rows.iter().map(of));
}
