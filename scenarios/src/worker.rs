//! Assignment, liveness, leases, deadlines and shutdown.

pub(crate) mod a_beat_that_comes_late;
pub(crate) mod a_witness_speaks;
pub(crate) mod a_witness_speaks_late;
pub(crate) mod a_worker_that_beats_and_hangs;
pub(crate) mod clocks_apart;
pub(crate) mod cut_off_beyond_its_lease;
pub(crate) mod drain_meets_new_work;
pub(crate) mod killed_in_the_middle;
pub(crate) mod offers_that_nobody_reads;
pub(crate) mod stands_still_beyond_its_lease;
pub(crate) mod two_processes_of_one_name;
pub(crate) mod work_goes_where_there_is_room;
pub(crate) mod work_that_does_not_stop;
