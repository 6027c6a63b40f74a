//! The rules one by one, and all of them together against an executor that checks every plan.

mod failures;
mod keep;
mod plans;
mod prefixes;
mod priorities;
mod properties;
mod turn;
mod world;
