//! What operators run: the commands of the binary.

pub mod activate;
pub mod backup;
pub mod campaign;
pub mod certs;
pub mod check;
pub mod connect;
pub mod demo;
pub mod explain;
pub mod inspect;
pub mod member;
mod offline;
mod online;
pub mod outcome;
pub mod quiz;
mod reason;
pub mod restore;
pub mod serve;
mod show;
pub mod snapshot;
pub mod statement;
pub mod status;
mod time;
pub mod verify;
