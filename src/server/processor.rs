//! A processor that one thread has to itself, as far as this process goes.
//!
//! Linux looks for an idle processor for a thread that wakes only while the processors are little used; when they are two thirds busy
//! it leaves the thread where it was, behind the one that runs there, be the other processor idle
//! (`SIS_UTIL`, kernel/sched/fair.c). The thread that decides runs for milliseconds at a time: whatever waits behind it, waits as long.
//!
//! Promises: the thread that keeps to a processor runs nowhere else, and no other thread that was told to keep off runs there. Never: keeps
//! other processes away, or takes the only processor there is.

use std::io;
use std::str::FromStr;

use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A processor of those that this process may use, where there are others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processor {
    number: usize,
    others: Box<CpuSet>,
}

/// A processor that no thread can have to itself.
#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    /// Not a number.
    #[error("`{0}` is no number of a processor; they count from 0")]
    NoNumber(String),
    /// Not one of this process.
    #[error("processor {number} is none that this process may use; it may use {allowed}")]
    NotAllowed {
        /// What was asked for.
        number: usize,
        /// What there is.
        allowed: String,
    },
    /// The only one.
    #[error("processor {0} is the only one that this process may use: the other threads would have none")]
    Only(usize),
    /// The kernel does not tell.
    #[error("the processors of this process cannot be read: {0}")]
    Unknown(#[from] Errno),
}

impl Processor {
    /// The one of this number.
    pub fn of(number: usize) -> Result<Processor, ProcessorError> {
        let allowed = sched_getaffinity(None)?;
        if !has(&allowed, number) {
            return Err(ProcessorError::NotAllowed { number, allowed: listed(&allowed) });
        }
        if allowed.count() == 1 {
            return Err(ProcessorError::Only(number));
        }
        let mut others = Box::new(allowed);
        others.unset(number);
        Ok(Processor { number, others })
    }

    /// The first, if there are others.
    pub fn first() -> Option<Processor> {
        let allowed = sched_getaffinity(None).ok()?;
        let first = (0..CpuSet::MAX_CPU).find(|number| has(&allowed, *number))?;
        Processor::of(first).ok()
    }

    /// Its number.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The calling thread keeps off it, and so does every thread that it makes.
    pub fn keep_off(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.others)?)
    }

    /// The calling thread has it to itself: all others that the process has now keep off it. Threads that it makes later begin here, behind it,
    /// until they are told to keep off.
    pub fn keep_to(&self) -> io::Result<()> {
        let own = rustix::thread::gettid();
        for entry in std::fs::read_dir("/proc/self/task")? {
            let thread = entry?.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
            match thread.filter(|thread| *thread != own).map(|thread| sched_setaffinity(Some(thread), &self.others)) {
                // It has ended meanwhile.
                None | Some(Ok(()) | Err(Errno::SRCH)) => {}
                Some(Err(error)) => return Err(error.into()),
            }
        }
        let mut alone = CpuSet::new();
        alone.set(self.number);
        Ok(sched_setaffinity(None, &alone)?)
    }
}

impl FromStr for Processor {
    type Err = ProcessorError;

    fn from_str(text: &str) -> Result<Processor, ProcessorError> {
        Processor::of(text.parse().map_err(|_| ProcessorError::NoNumber(text.to_owned()))?)
    }
}

fn has(set: &CpuSet, number: usize) -> bool {
    number < CpuSet::MAX_CPU && set.is_set(number)
}

fn listed(set: &CpuSet) -> String {
    let numbers: Vec<String> = (0..CpuSet::MAX_CPU).filter(|at| has(set, *at)).map(|at| at.to_string()).collect();
    numbers.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_cannot_be_had_is_refused_in_words() {
        let refused = |text: &str| text.parse::<Processor>().expect_err(text).to_string();
        assert_eq!(refused("first"), "`first` is no number of a processor; they count from 0");
        assert_eq!(refused("-1"), "`-1` is no number of a processor; they count from 0");
        for beyond in [CpuSet::MAX_CPU, usize::MAX] {
            let allowed = listed(&sched_getaffinity(None).expect("Linux tells"));
            let sentence = format!("processor {beyond} is none that this process may use; it may use {allowed}");
            assert_eq!(refused(&beyond.to_string()), sentence);
        }
    }

    #[test]
    fn the_only_processor_is_not_taken() {
        // A thread of its own: what it may use is its own matter.
        let alone = std::thread::spawn(|| {
            let allowed = sched_getaffinity(None).expect("Linux tells");
            let number = (0..CpuSet::MAX_CPU).find(|number| has(&allowed, *number)).expect("it runs somewhere");
            let mut one = CpuSet::new();
            one.set(number);
            sched_setaffinity(None, &one).expect("fewer may always be taken");
            assert_eq!(Processor::first(), None);
            let refused = Processor::of(number).expect_err("the only one").to_string();
            assert!(refused.ends_with("is the only one that this process may use: the other threads would have none"));
        });
        alone.join().expect("all as it should be");
    }
}
