//! The refresh contract, point by point. Each of these fails when the point is broken.

mod asked;
mod clocks;
mod contact;
mod credentials;
mod due;
mod fenced;
mod incident;
mod intent;
mod journal;
mod limits;
mod one_at_a_time;
mod pause;
mod rotation;
mod save;
mod unplanned;
mod verdict;
