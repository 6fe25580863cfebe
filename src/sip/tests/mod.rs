//! Pair tests: an endpoint and a scripted peer in virtual time.

mod asks;
mod callee;
mod calls;
mod challenges;
mod forks;
mod hostile;
pub(super) mod kit;
mod lossy;
mod offers;
mod outgoing;
mod pairs;
mod refers;
mod refusals;
mod registrations;
mod reliable;
mod routing;
mod sessions;
mod timers;
mod within;
