//! Looking after the whole: every line read, what is damaged put aside, everything copied.

mod audit;
mod copy;
mod repair;
mod tally;

pub(crate) use audit::{Nothing, audit};
pub(crate) use copy::{back_up, finish_replacing, has_left, name_replaced, replace};
pub(crate) use repair::repair;
