//! What the outside world is told of ends.

pub(crate) mod a_sender_that_comes_back;
pub(crate) mod an_end_is_told_as_it_is;
pub(crate) mod given_up_and_tried_again;
pub(crate) mod the_sender_dies_before_it_settles;
