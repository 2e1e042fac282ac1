//! Public reports about leases, rescues and messages.

use super::Covered::{By, Due, No};
use super::{POSTGRES_IS_DUE, PublicReport, ROWS_ARE_DUE};

/// Reports of work that was still going on when somebody else began it.
pub(super) const LEASES: &[PublicReport] = &[
    PublicReport {
        row: "C1",
        threads: "celery/celery#5935, #5306, #3270, #4400; celery/kombu#337; pretix/pretix#2058",
        mechanism: "a message becomes visible again before its work is done, in every worker",
        covered: By(&["killed_in_the_middle", "those_who_wait_are_left_alone"]),
    },
    PublicReport {
        row: "C2",
        threads: "hexpm/hexpm#1825; OpenFn/lightning#4708",
        mechanism: "running jobs are rescued because of their age",
        covered: By(&["those_who_wait_are_left_alone"]),
    },
    PublicReport {
        row: "C3",
        threads: "graphile/worker#169, #222, #204",
        mechanism: "a lock has a fixed time: long work runs twice, and a crash waits for hours",
        covered: By(&["killed_in_the_middle", "those_who_wait_are_left_alone"]),
    },
    PublicReport {
        row: "C4",
        threads: "riverqueue/river#347, #682, #773, #1258",
        mechanism: "without beats the dead are found by a global age, or not for months",
        covered: By(&["killed_in_the_middle"]),
    },
    PublicReport {
        row: "C5",
        threads: "taskforcesh/bullmq#3183; OptimalBits/bull#1416, #850",
        mechanism: "a stall loses the lock; the late report of the first overwrites the second",
        covered: By(&["stands_still_beyond_its_lease"]),
    },
    PublicReport {
        row: "C6",
        threads: "hatchet-dev/hatchet#1022, #2432, #552",
        mechanism: "a timeout starts a second copy while the first runs",
        covered: By(&["work_that_does_not_stop", "a_beat_that_comes_late"]),
    },
    PublicReport {
        row: "C7",
        threads: "PostHog/posthog#102542; dust-tt/dust#29171",
        mechanism: "what the server has timed out goes on running, unseen",
        covered: By(&["work_that_does_not_stop"]),
    },
    PublicReport {
        row: "C8",
        threads: "celery/celery#6760; apache/airflow#15799; runabol/tork#209; ssl-hep/ServiceX#893",
        mechanism: "the broker loses patience with a long task, delivers it again, and so on for ever",
        covered: By(&["receipts_of_a_dead_channel"]),
    },
    PublicReport {
        row: "C9",
        threads: "celery/celery#4671, #6654",
        mechanism: "a finished task cannot be acknowledged on a dead channel, and is done again",
        covered: By(&["receipts_of_a_dead_channel"]),
    },
    PublicReport {
        row: "C10",
        threads: "bensheldon/good_job#90",
        mechanism: "a lock of a session is lost with a restart of the database while the job runs",
        covered: By(&["a_store_that_goes_away"]),
    },
];

/// Reports of rescues that hurt the healthy, or rescued nobody.
pub(super) const RESCUES: &[PublicReport] = &[
    PublicReport {
        row: "D1",
        threads: "riverqueue/river#1302, #1373",
        mechanism: "a rescue writes by id from what it saw before, and undoes an end",
        covered: By(&["two_sweepers"]),
    },
    PublicReport {
        row: "D2",
        threads: "hardbyte/awa#388",
        mechanism: "one row that cannot be rescued keeps all others from it, for ever",
        covered: Due(ROWS_ARE_DUE),
    },
    PublicReport {
        row: "D3",
        threads: "oban-bg/oban#1030, #1037",
        mechanism: "a rescue dies of an error that would have passed",
        covered: By(&["an_outage_is_no_verdict"]),
    },
    PublicReport {
        row: "D4",
        threads: "oban-bg/oban#862",
        mechanism: "a name is used again after a restart, and the orphan looks alive",
        covered: By(&["two_processes_of_one_name", "killed_in_the_middle"]),
    },
    PublicReport {
        row: "D5",
        threads: "procrastinate-org/procrastinate#1518",
        mechanism: "the row of a dead worker is removed before its jobs are looked for",
        covered: By(&["killed_in_the_middle"]),
    },
    PublicReport {
        row: "D6",
        threads: "procrastinate-org/procrastinate#1408",
        mechanism: "the job that rescues is stalled itself",
        covered: By(&["two_sweepers", "alive_is_not_moving"]),
    },
    PublicReport {
        row: "D7",
        threads: "procrastinate-org/procrastinate#1543",
        mechanism: "a rescue meets a lock that somebody else has taken meanwhile",
        covered: By(&["a_slot_by_every_path"]),
    },
    PublicReport {
        row: "D8",
        threads: "dbos-inc/dbos-transact-py#716",
        mechanism: "a restart of the database during a rescue is swallowed, and work is stranded",
        covered: By(&["a_store_that_goes_away"]),
    },
    PublicReport {
        row: "D9",
        threads: "dbos-inc/dbos-transact-py#742, #232",
        mechanism: "who lost the race for a rescue does the work all the same",
        covered: By(&["two_sweepers"]),
    },
    PublicReport {
        row: "D10",
        threads: "dbos-inc/dbos-transact-py#804, #805",
        mechanism: "in a rolling restart the old process claims again and dies, after the only look",
        covered: By(&["drain_meets_new_work", "two_processes_of_one_name"]),
    },
    PublicReport {
        row: "D11",
        threads: "dbos-inc/dbos-transact-java#219; dbos-inc/dbos-transact-golang#174",
        mechanism: "a rescue comes minutes late",
        covered: By(&["killed_in_the_middle"]),
    },
    PublicReport {
        row: "D12",
        threads: "pgflow-dev/pgflow#586, #621, #220",
        mechanism: "a step and its message have clocks of their own; what fails leaves messages behind",
        covered: By(&["work_that_does_not_stop", "every_end_moves_its_run_on"]),
    },
    PublicReport {
        row: "D13",
        threads: "riverqueue/river#1105",
        mechanism: "a node rescues jobs of a kind that it does not know, and discards them",
        covered: No("A sweep decides on rows alone; it needs to know no action."),
    },
    PublicReport {
        row: "D14",
        threads: "OCA/queue#853",
        mechanism: "a job is marked as enqueued, and nothing that would run it exists",
        covered: By(&["a_successor_that_nobody_was_told_of"]),
    },
    PublicReport {
        row: "D15",
        threads: "platformatic/platformatic-world#123",
        mechanism: "a reaper takes healthy long waits for dead ones",
        covered: By(&["those_who_wait_are_left_alone"]),
    },
];

/// Reports of messages that were lost, late or out of order.
pub(super) const MESSAGES: &[PublicReport] = &[
    PublicReport {
        row: "E1",
        threads: "temporalio/temporal#459, #9118",
        mechanism: "a crash between the event and the task that follows from it",
        covered: By(&["a_successor_that_nobody_was_told_of", "every_window"]),
    },
    PublicReport {
        row: "E2",
        threads: "temporalio/temporal#11402",
        mechanism: "the timer of a retry is parked, and the attempt has no deadline of its own",
        covered: By(&["a_retry_gives_its_slot_back", "hints_that_never_come"]),
    },
    PublicReport {
        row: "E3",
        threads: "StackStorm/st2#3290, #4727, #4539",
        mechanism: "the first message is lost, or the consumer is dead after a restart of the store",
        covered: By(&["a_store_that_goes_away", "hints_that_never_come"]),
    },
    PublicReport {
        row: "E4",
        threads: "hypothesis/h#6194; netbox-community/netbox#18880",
        mechanism: "published after the commit it may be lost, before it there is no row",
        covered: By(&["the_announcement_is_lost", "submit_in_doubt"]),
    },
    PublicReport {
        row: "E5",
        threads: "celery/celery#987, #10205, #10302; Bogdanp/dramatiq#207; spring-projects/spring-amqp#823",
        mechanism: "an idle connection is reaped, and the consumer never hears anything again",
        covered: By(&["an_outage_is_no_verdict", "receipts_of_a_dead_channel"]),
    },
    PublicReport {
        row: "E6",
        threads: "StackStorm/st2#5222; Netflix/conductor#871",
        mechanism: "a slower writer turns an end into running",
        covered: By(&["stands_still_beyond_its_lease", "cancel_meets_the_end"]),
    },
    PublicReport {
        row: "E7",
        threads: "kestra-io/kestra#8718",
        mechanism: "the result comes after the end, and a task is shown as running for ever",
        covered: By(&["one_report_ends_an_execution"]),
    },
    PublicReport {
        row: "E8",
        threads: "Particular/NServiceBus.RabbitMQ#283",
        mechanism: "poison is acknowledged and never reaches the place for it",
        covered: By(&["poison_is_named"]),
    },
    PublicReport {
        row: "E9",
        threads: "triggerdotdev/trigger.dev#3527",
        mechanism: "what was swept leaves its id on a list, and the next one to look gets nothing",
        covered: By(&["offers_that_nobody_reads"]),
    },
    PublicReport {
        row: "E10",
        threads: "graphile/worker#449",
        mechanism: "a failover of the database leaves workers that cannot listen",
        covered: By(&["a_store_that_goes_away"]),
    },
    PublicReport {
        row: "E11",
        threads: "mozilla/tls-observatory#109; pgbouncer/pgbouncer#655; QueueClassic/queue_classic#184",
        mechanism: "notifications fill up, or are never heard behind a pooler",
        covered: Due(POSTGRES_IS_DUE),
    },
    PublicReport {
        row: "E12",
        threads: "a workflow engine built on a message queue",
        mechanism: "two components announce the same end, and two slots are freed for it",
        covered: By(&["one_report_ends_an_execution"]),
    },
];
