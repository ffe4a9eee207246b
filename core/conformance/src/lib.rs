//! One set of test machines and bodies for every driver.

#![forbid(unsafe_code)]

pub mod arm;

pub use arm::{Ability, Actor, Arm, Ending, Scene};
