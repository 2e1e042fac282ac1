//! Public reports about joins, and everything else.

use super::Covered::{By, Due};
use super::{GROUPS_ARE_DUE, MESSAGES_ARE_DUE, PublicReport, ROWS_ARE_DUE};

/// Reports of joins that fired early, twice or never.
pub(super) const JOINS: &[PublicReport] = &[
    PublicReport {
        row: "F1",
        threads: "conductor-oss/conductor#18",
        mechanism: "a join of thousands completes at once, because its list is still empty",
        covered: By(&["a_list_expands_whole"]),
    },
    PublicReport {
        row: "F2",
        threads: "Netflix/conductor#1957, #2455, #3485",
        mechanism: "a join is not looked at again after its last child",
        covered: By(&["branches_that_meet_at_once", "hints_that_never_come"]),
    },
    PublicReport {
        row: "F3",
        threads: "celery/celery#5027, #5630, #2725, #941; RichardKnop/machinery#25",
        mechanism: "the body of a group is never called",
        covered: Due(GROUPS_ARE_DUE),
    },
    PublicReport {
        row: "F4",
        threads: "sidekiq/sidekiq#6234, #5802, #4607, #5109, #5894, #2474",
        mechanism: "a child that was killed is never counted, so the callback never comes",
        covered: By(&["every_end_moves_its_run_on"]),
    },
    PublicReport {
        row: "F5",
        threads: "StackStorm/st2#4617, #5029; StackStorm/orquesta#222",
        mechanism: "an item fails and the run is stuck, or goes on before all items have ended",
        covered: By(&["every_end_moves_its_run_on", "a_leaf_does_not_close_its_run"]),
    },
    PublicReport {
        row: "F6",
        threads: "StackStorm/st2#4954; StackStorm/orquesta#268",
        mechanism: "a list of nothing is stuck",
        covered: By(&["a_list_expands_whole"]),
    },
    PublicReport {
        row: "F7",
        threads: "StackStorm/orquesta#259; kestra-io/kestra#4475",
        mechanism: "a limit of zero is stuck",
        covered: By(&["limits_change_under_load"]),
    },
    PublicReport {
        row: "F8",
        threads: "StackStorm/orquesta#212, #263",
        mechanism: "a join in a loop fires with what the lap before has left",
        covered: By(&["a_lap_is_a_new_visit"]),
    },
    PublicReport {
        row: "F9",
        threads: "StackStorm/orquesta#201",
        mechanism: "a retry runs the items again that had succeeded",
        covered: By(&["a_window_through_crashes"]),
    },
    PublicReport {
        row: "F10",
        threads: "StackStorm/orquesta#125",
        mechanism: "every end of an item rewrites one document, and they get in each other's way",
        covered: By(&["a_list_expands_whole"]),
    },
    PublicReport {
        row: "F11",
        threads: "kestra-io/kestra#19705; dagster-io/dagster#31243",
        mechanism: "a parent holds the only slot that its children need",
        covered: By(&["a_slot_by_every_path", "runs_in_runs"]),
    },
    PublicReport {
        row: "F12",
        threads: "timgit/pg-boss (flows, by design)",
        mechanism: "a failed parent leaves its children blocked for ever",
        covered: By(&["every_end_moves_its_run_on"]),
    },
];

/// Reports of everything else that reached a tracker.
pub(super) const ODDITIES: &[PublicReport] = &[
    PublicReport {
        row: "G1",
        threads: "golevelup/nestjs#1223, #137, #279; armon/relay#13; MassTransit/MassTransit#1195; quarkusio/quarkus#26470",
        mechanism: "a body that cannot be read is requeued at once, for ever",
        covered: Due(MESSAGES_ARE_DUE),
    },
    PublicReport {
        row: "G2",
        threads: "linagora/james-project#3542; zarusz/SlimMessageBus#480",
        mechanism: "one bad message stops the consumer, and nobody knows whose it was",
        covered: By(&["poison_is_named"]),
    },
    PublicReport {
        row: "G3",
        threads: "hatchet-dev/hatchet#2573",
        mechanism: "a value that the store refuses makes a run that can neither end nor be cancelled",
        covered: Due(ROWS_ARE_DUE),
    },
    PublicReport {
        row: "G4",
        threads: "riverqueue/river#1324; timgit/pg-boss#535",
        mechanism: "one row that cannot be read makes every batch fail that has it",
        covered: Due(ROWS_ARE_DUE),
    },
    PublicReport {
        row: "G5",
        threads: "chrisguidry/docket#437; nesquena/backburner#154; formbricks/formbricks#9123",
        mechanism: "during a deploy an old worker acknowledges what it does not know",
        covered: Due(MESSAGES_ARE_DUE),
    },
    PublicReport {
        row: "G6",
        threads: "RamaAditya49/titen#148",
        mechanism: "a new worker fails jobs of the old schema for good",
        covered: By(&["the_transport_changes"]),
    },
    PublicReport {
        row: "G7",
        threads: "mlflow/mlflow#25199; kagkarlsson/db-scheduler#364",
        mechanism: "a lease is judged by the clock of a process, and clocks differ",
        covered: By(&["clocks_apart"]),
    },
    PublicReport {
        row: "G8",
        threads: "PrefectHQ/prefect#5221",
        mechanism: "the trace of what was done is cleaned up, and a late duplicate is taken for new",
        covered: By(&["long_after_the_end"]),
    },
    PublicReport {
        row: "G9",
        threads: "prathamdby/pr-agent#376",
        mechanism: "the first in line has failed, and blocks its key",
        covered: By(&["a_full_action_stalls_nobody", "poison_is_named"]),
    },
    PublicReport {
        row: "G10",
        threads: "windmill-labs/windmill#10197, #1924",
        mechanism: "one busy key grows without a bound",
        covered: By(&["ends_without_a_worker"]),
    },
    PublicReport {
        row: "G11",
        threads: "hatchet-dev/hatchet#3906, #3776, #3261, #2475, #2190, #2111",
        mechanism: "statements lock the same rows in different orders",
        covered: By(&["runs_in_runs", "swarm"]),
    },
    PublicReport {
        row: "G12",
        threads: "riverqueue/river#1251, #1255",
        mechanism: "one call that does not return hangs a loop for ever",
        covered: By(&["an_outage_is_no_verdict", "alive_is_not_moving"]),
    },
    PublicReport {
        row: "G13",
        threads: "restatedev/restate#5196",
        mechanism: "something waits for what only it could bring about, and keeps its key",
        covered: By(&["runs_in_runs"]),
    },
    PublicReport {
        row: "G14",
        threads: "apache/airflow#51589, #38968",
        mechanism: "a larger pool makes scheduling stop",
        covered: By(&["limits_change_under_load"]),
    },
];
