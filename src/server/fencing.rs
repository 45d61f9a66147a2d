//! Fencing: of one client instance only the highest session is heard.
//!
//! Promises: a session is welcomed only after every lower one of its instance is shut out, so that what a client
//! resends in the new session cannot be overtaken by a copy that was still under way in the old one. A restart forgets
//! all sessions, and with them everything undecided.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};

/// One connection's right to be heard. Decisions and fencing happen on one thread, so a look before each frame suffices.
#[derive(Debug, Default)]
pub struct Pass {
    shut_out: Cell<bool>,
}

impl Pass {
    /// Whether a higher session has come.
    pub fn is_shut_out(&self) -> bool {
        self.shut_out.get()
    }
}

#[derive(Debug, Default)]
struct Instance {
    session: u64,
    passes: Vec<Weak<Pass>>,
}

/// The sessions of all instances that are connected, or were since the start.
#[derive(Debug, Default)]
pub struct Sessions {
    instances: RefCell<HashMap<[u8; 16], Instance>>,
}

/// Instances that are gone are dropped when there are more than this.
const INSTANCES_MOST: usize = 65_536;

impl Sessions {
    /// Admits a connection of a session, and shuts out lower ones. `Err` with the session in force if that is higher.
    pub fn admit(&self, instance: [u8; 16], session: u64) -> Result<Rc<Pass>, u64> {
        let mut instances = self.instances.borrow_mut();
        if instances.len() >= INSTANCES_MOST {
            instances.retain(|_, known| known.passes.iter().any(|pass| pass.strong_count() > 0));
        }
        let known = instances.entry(instance).or_default();
        if session < known.session {
            return Err(known.session);
        }
        if session > known.session {
            for pass in known.passes.drain(..).filter_map(|pass| pass.upgrade()) {
                pass.shut_out.set(true);
            }
            known.session = session;
        }
        known.passes.retain(|pass| pass.strong_count() > 0);
        let pass = Rc::new(Pass::default());
        known.passes.push(Rc::downgrade(&pass));
        Ok(pass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_session_shuts_out_lower_ones_of_its_instance_only() {
        let sessions = Sessions::default();
        let first = sessions.admit([1; 16], 1).unwrap();
        let beside = sessions.admit([1; 16], 1).unwrap();
        let other = sessions.admit([2; 16], 1).unwrap();
        assert!(!first.is_shut_out() && !beside.is_shut_out());
        let second = sessions.admit([1; 16], 2).unwrap();
        assert!(first.is_shut_out() && beside.is_shut_out());
        assert!(!second.is_shut_out() && !other.is_shut_out());
        assert_eq!(sessions.admit([1; 16], 1).unwrap_err(), 2);
    }
}
