//! Public reports about slots and limits.

use super::Covered::{By, Due};
use super::{GROUPS_ARE_DUE, PublicReport};

/// Reports of slots that were taken and never given back.
pub(super) const LEAKS: &[PublicReport] = &[
    PublicReport {
        row: "A1",
        threads: "kestra-io/kestra#17759, #16579",
        mechanism: "four separate paths forget to give the slot back, and one gives it back twice",
        covered: By(&["ends_without_a_worker", "cancel_at_every_status"]),
    },
    PublicReport {
        row: "A2",
        threads: "kestra-io/kestra#14356",
        mechanism: "the engine dies between taking a slot and starting the work",
        covered: By(&["every_window", "a_line_outlives_its_engine"]),
    },
    PublicReport {
        row: "A3",
        threads: "kestra-io/kestra#10657, #8459, #8609",
        mechanism: "the last message lacks what is needed to see that all is over, so the slot stays",
        covered: By(&["the_announcement_is_lost", "hints_that_never_come"]),
    },
    PublicReport {
        row: "A4",
        threads: "kestra-io/kestra#19683",
        mechanism: "a cancel meets an execution that waits for its retry, which nobody owns; the retry revives it",
        covered: By(&["cancel_at_every_status", "retries_meet_their_end"]),
    },
    PublicReport {
        row: "A5",
        threads: "kestra-io/kestra#18235",
        mechanism: "a limit is removed while others wait, and nobody lets them through",
        covered: By(&["limits_change_under_load"]),
    },
    PublicReport {
        row: "A6",
        threads: "PrefectHQ/prefect#7752",
        mechanism: "the path of a timeout forgets the slot",
        covered: By(&["ends_without_a_worker", "the_last_one_out"]),
    },
    PublicReport {
        row: "A7",
        threads: "PrefectHQ/prefect#8566, #7753",
        mechanism: "a parent is cancelled or removed, and its child keeps a slot",
        covered: By(&["runs_in_runs"]),
    },
    PublicReport {
        row: "A8",
        threads: "PrefectHQ/prefect#9895, #17415; OHDSI/Data2Evidence#3034, #3370",
        mechanism: "a kill leaves a counter as it was, and what is shown comes from elsewhere",
        covered: By(&["killed_in_the_middle", "the_last_one_out"]),
    },
    PublicReport {
        row: "A9",
        threads: "opsmill/infrahub#9856",
        mechanism: "a slot is taken before the work runs, and the worker dies in between",
        covered: By(&["a_claim_whose_answer_is_lost", "offers_that_nobody_reads"]),
    },
    PublicReport {
        row: "A10",
        threads: "dagster-io/dagster#28456, #32560",
        mechanism: "a cancelled run keeps its slot unless a setting says otherwise",
        covered: By(&["cancel_at_every_status"]),
    },
    PublicReport {
        row: "A11",
        threads: "dagster-io/dagster#31243",
        mechanism: "a step is held up by the claim that it holds itself",
        covered: By(&["a_slot_by_every_path"]),
    },
    PublicReport {
        row: "A12",
        threads: "dagster-io/dagster#17502",
        mechanism: "a slot is kept while its holder waits for the next attempt",
        covered: By(&["a_retry_gives_its_slot_back"]),
    },
    PublicReport {
        row: "A13",
        threads: "apache/airflow#43448",
        mechanism: "the dead are found, and a second list of who runs still has them",
        covered: By(&["killed_in_the_middle"]),
    },
    PublicReport {
        row: "A14",
        threads: "apache/airflow#13542",
        mechanism: "a pool is full of those who wait, and nobody runs",
        covered: By(&["those_who_wait_are_left_alone", "offers_that_nobody_reads"]),
    },
    PublicReport {
        row: "A15",
        threads: "triggerdotdev/trigger.dev#2907",
        mechanism: "a message is taken back from a dead consumer, and its slot is not",
        covered: By(&["killed_in_the_middle"]),
    },
    PublicReport {
        row: "A16",
        threads: "triggerdotdev/trigger.dev#4540",
        mechanism: "the record that would lead to the slot is removed first",
        covered: By(&["every_window", "ends_without_a_worker"]),
    },
    PublicReport {
        row: "A17",
        threads: "hatchet-dev/hatchet#1622, #3089, #2463",
        mechanism: "a clean-up of slots is left out, or removes those of the living",
        covered: By(&["two_sweepers", "a_slot_by_every_path"]),
    },
    PublicReport {
        row: "A18",
        threads: "argoproj/argo-workflows#8684, #4870, #7633, #14461",
        mechanism: "locks are held in memory, and a restart takes or loses them",
        covered: By(&["a_line_outlives_its_engine"]),
    },
    PublicReport {
        row: "A19",
        threads: "contribsys/faktory#268",
        mechanism: "a redeploy leaves jobs in progress until a long reservation ends",
        covered: By(&["drain_meets_new_work", "killed_in_the_middle"]),
    },
    PublicReport {
        row: "A20",
        threads: "kestra-io/plugin-kubernetes#249",
        mechanism: "an attempt that was begun anew runs beside the old one, which nobody counts",
        covered: By(&["cut_off_beyond_its_lease"]),
    },
    PublicReport {
        row: "A21",
        threads: "StackStorm/st2#4694, #6230, #5905",
        mechanism: "those who were put off stay so for hours, because nobody wakes them",
        covered: By(&["the_announcement_is_lost", "hints_that_never_come"]),
    },
];

/// Reports of limits that were exceeded, and work that was started twice.
pub(super) const TOO_MANY: &[PublicReport] = &[
    PublicReport {
        row: "B1",
        threads: "hatchet-dev/hatchet#4778",
        mechanism: "the limit is counted over rows in the order of ids, which is not the order of commits",
        covered: By(&["a_full_action_stalls_nobody", "swarm"]),
    },
    PublicReport {
        row: "B2",
        threads: "argoproj/argo-workflows#10286, #11098, #15609",
        mechanism: "a restart forgets the first holder of each semaphore",
        covered: By(&["a_line_outlives_its_engine"]),
    },
    PublicReport {
        row: "B3",
        threads: "kestra-io/kestra#11873",
        mechanism: "two that come at once to an empty table are both let in",
        covered: By(&["a_slot_by_every_path", "swarm"]),
    },
    PublicReport {
        row: "B4",
        threads: "kestra-io/kestra#2976",
        mechanism: "after the first end everybody is let in",
        covered: By(&["a_line_outlives_its_engine", "limits_change_under_load"]),
    },
    PublicReport {
        row: "B5",
        threads: "StackStorm/st2#3150",
        mechanism: "two schedulers let the same key in",
        covered: By(&["a_full_action_stalls_nobody", "swarm"]),
    },
    PublicReport {
        row: "B6",
        threads: "hardbyte/awa#135",
        mechanism: "a claim takes a row that it saw as ready and that somebody else has meanwhile",
        covered: By(&["a_claim_whose_answer_is_lost", "swarm"]),
    },
    PublicReport {
        row: "B7",
        threads: "timgit/pg-boss#367, #274",
        mechanism: "what may exist once is not checked while it is active, and two pollers race",
        covered: By(&["submit_in_doubt"]),
    },
    PublicReport {
        row: "B8",
        threads: "PrefectHQ/server#90",
        mechanism: "a known race lets one more run than the limit",
        covered: By(&["a_line_outlives_its_engine", "swarm"]),
    },
    PublicReport {
        row: "B9",
        threads: "Netflix/conductor#1752, #2098; conductor-oss/conductor#1174",
        mechanism: "a sweep and an event decide about one run at once, and both start the next task",
        covered: By(&["items_that_end_at_once", "branches_that_meet_at_once"]),
    },
    PublicReport {
        row: "B10",
        threads: "a workflow engine built on a message queue",
        mechanism: "all items have ended when the first message is handled, so each message starts the successor",
        covered: By(&["items_that_end_at_once"]),
    },
    PublicReport {
        row: "B11",
        threads: "apache/airflow#2116, #8622, #10790, #39717",
        mechanism: "what the executor says and what the row says differ, and work is queued again",
        covered: By(&["stands_still_beyond_its_lease", "long_after_the_end"]),
    },
    PublicReport {
        row: "B12",
        threads: "celery/celery#3347, #3538",
        mechanism: "the body of a nested group runs twice, or never",
        covered: Due(GROUPS_ARE_DUE),
    },
    PublicReport {
        row: "B13",
        threads: "hatchet-dev/hatchet#3864, #2681, #2429",
        mechanism: "taking out and putting back doubles entries of a queue, and starting children races",
        covered: By(&["items_that_end_at_once", "a_list_expands_whole"]),
    },
    PublicReport {
        row: "B14",
        threads: "triggerdotdev/trigger.dev#4398",
        mechanism: "a pause sets the limit to nothing, and who was let in before still starts",
        covered: By(&["limits_change_under_load"]),
    },
];
