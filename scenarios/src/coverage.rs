//! Which story goes where: each known mechanism of failure, and each public report of one, has the
//! scenarios that go there, or a reason why none does.

mod claims;
mod flows;
mod queues;
mod render;

pub use render::render_scenarios;

/// Who goes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covered {
    /// These scenarios.
    By(&'static [&'static str]),
    /// Nobody yet: this is what is missing.
    Due(&'static str),
    /// Nobody, for this reason.
    No(&'static str),
}

impl Covered {
    /// The scenarios that go there.
    #[must_use]
    pub const fn scenarios(self) -> &'static [&'static str] {
        match self {
            Self::By(names) => names,
            Self::Due(_) | Self::No(_) => &[],
        }
    }
}

/// What users of engines of this kind have reported in public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicReport {
    /// Its row: the letter is the group, the number its place in it.
    pub row: &'static str,
    /// The threads, as `project#number`.
    pub threads: &'static str,
    /// What went wrong, in one line.
    pub mechanism: &'static str,
    /// Who goes there.
    pub covered: Covered,
}

/// A group of public reports.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What they have in common.
    pub title: &'static str,
    /// The reports.
    pub reports: &'static [PublicReport],
}

/// Every group of public reports.
pub const GROUPS: &[Group] = &[
    Group { title: "A. Slots that leak", reports: queues::LEAKS },
    Group { title: "B. Too many at once, or twice", reports: queues::TOO_MANY },
    Group { title: "C. Leases that end under live work", reports: claims::LEASES },
    Group { title: "D. Rescues that do harm", reports: claims::RESCUES },
    Group { title: "E. Between commit and publish", reports: claims::MESSAGES },
    Group { title: "F. Fan-outs, joins and callbacks", reports: flows::JOINS },
    Group { title: "G. Poison, upgrades, clocks, clean-up", reports: flows::ODDITIES },
];

use Covered::{By, Due, No};

const GROUPS_ARE_DUE: &str = "Groups with a continuation are not built yet.";
const MESSAGES_ARE_DUE: &str =
    "Messages are hints that cannot fail; durable ones are not built yet.";
const ROWS_ARE_DUE: &str = "The simulated store has no rows that cannot be read.";
const POSTGRES_IS_DUE: &str = "There is no store on Postgres yet.";

/// Every mechanism of failure of the catalogue, by its code.
pub const FAILURES: &[(&str, Covered)] = &[
    ("F1", By(&["one_report_ends_an_execution"])),
    ("F2", By(&["cancel_meets_the_end", "stands_still_beyond_its_lease"])),
    ("F3", By(&["stands_still_beyond_its_lease", "long_after_the_end"])),
    ("F4", By(&["one_report_ends_an_execution", "receipts_of_a_dead_channel"])),
    ("F5", By(&["the_announcement_is_lost", "every_window"])),
    ("F6", By(&["ends_without_a_worker"])),
    ("F7", By(&["every_end_moves_its_run_on"])),
    ("F8", By(&["the_announcement_is_lost", "the_last_one_out"])),
    ("F9", By(&["the_announcement_is_lost", "hints_that_never_come"])),
    ("F10", By(&["ends_without_a_worker", "an_outage_is_no_verdict"])),
    ("F11", By(&["every_end_moves_its_run_on"])),
    ("F12", By(&["a_line_outlives_its_engine"])),
    ("F13", By(&["timeout_meets_promotion"])),
    ("F14", By(&["a_full_action_stalls_nobody"])),
    ("F15", By(&["submit_in_doubt"])),
    ("F16", By(&["a_slot_by_every_path"])),
    ("F17", By(&["limits_change_under_load"])),
    ("F18", By(&["the_last_one_out"])),
    ("F19", By(&["killed_in_the_middle", "a_witness_speaks"])),
    ("F20", By(&["items_that_end_at_once"])),
    ("F21", By(&["items_that_end_at_once", "branches_that_meet_at_once"])),
    ("F22", By(&["a_successor_that_nobody_was_told_of"])),
    ("F23", By(&["a_lap_is_a_new_visit", "a_list_expands_whole"])),
    ("F24", By(&["branches_that_meet_at_once"])),
    ("F25", By(&["a_window_through_crashes"])),
    ("F26", By(&["every_end_moves_its_run_on"])),
    ("F27", By(&["a_retry_gives_its_slot_back"])),
    ("F28", By(&["offers_that_nobody_reads", "killed_in_the_middle"])),
    ("F29", By(&["offers_that_nobody_reads"])),
    ("F30", By(&["offers_that_nobody_reads", "stands_still_beyond_its_lease"])),
    ("F31", By(&["drain_meets_new_work"])),
    ("F32", By(&["a_store_that_goes_away", "an_outage_is_no_verdict"])),
    ("F33", By(&["stands_still_beyond_its_lease", "cut_off_beyond_its_lease"])),
    ("F34", By(&["the_announcement_is_lost", "ends_without_a_worker"])),
    ("F35", By(&["those_who_wait_are_left_alone", "work_that_does_not_stop"])),
    ("F36", By(&["hints_that_never_come", "poison_is_named"])),
    ("F37", By(&["hints_that_never_come", "offers_that_nobody_reads"])),
    ("F38", By(&["two_processes_of_one_name", "a_witness_speaks_late"])),
    ("F39", By(&["work_goes_where_there_is_room"])),
    ("F40", By(&["cut_off_beyond_its_lease", "stands_still_beyond_its_lease"])),
    ("F41", By(&["an_outage_is_no_verdict"])),
    ("F42", By(&["those_who_wait_are_left_alone"])),
    ("F43", By(&["cancel_at_every_status", "cancel_meets_the_end"])),
    ("F44", By(&["the_announcement_is_lost"])),
    ("F45", No("Only rows and transactions are locked, never sessions; L14 looks for locks.")),
    ("F46", By(&["poison_is_named"])),
    ("F47", By(&["receipts_of_a_dead_channel"])),
    ("F48", By(&["retries_meet_their_end"])),
    ("F49", By(&["killed_in_the_middle", "work_that_does_not_stop"])),
    ("F50", By(&["long_after_the_end"])),
    (
        "F51",
        By(&[
            "an_end_is_told_as_it_is",
            "the_sender_dies_before_it_settles",
            "a_sender_that_comes_back",
        ]),
    ),
    ("F52", By(&["an_outage_is_no_verdict"])),
    ("F53", By(&["submit_in_doubt"])),
    ("F54", Due(GROUPS_ARE_DUE)),
    ("F55", By(&["a_claim_whose_answer_is_lost"])),
    ("F56", Due(GROUPS_ARE_DUE)),
    ("F57", Due(GROUPS_ARE_DUE)),
    ("F58", By(&["a_claim_whose_answer_is_lost", "killed_in_the_middle"])),
    ("F59", By(&["poison_is_named", "offers_that_nobody_reads"])),
    ("F60", By(&["two_sweepers", "a_due_time_fires_once"])),
    ("F61", By(&["the_transport_changes"])),
    ("F62", By(&["cancel_meets_the_end", "stands_still_beyond_its_lease"])),
    ("F63", Due(GROUPS_ARE_DUE)),
    ("F64", By(&["every_window", "two_sweepers"])),
    ("F65", By(&["alive_is_not_moving", "a_worker_that_beats_and_hangs"])),
    ("F66", By(&["a_leaf_does_not_close_its_run"])),
    ("F67", By(&["a_lap_is_a_new_visit"])),
];
