//! What is configured, as plain data: flows by name and number, trunks, extensions.

pub mod access;
pub mod flows;
pub mod network;
