//! Traffic of many members against a real server, noted and judged; meanwhile a test may do to the server what it likes.

#![allow(dead_code, reason = "each test uses its part")]

use std::time::Duration;

use tidegate_client::CallOptions;
use tidegate_history::{Ask, Recorder, Rules, Seen, Session, Totals, check_members, check_quota, wander};
use tidegate_protocol::operation::GetCampaign;
use tidegate_protocol::{Body, Text};
use tokio::task::JoinHandle;

use crate::process::Site;

/// The programme that is played with.
pub const BUNDLE: &str = include_str!("../history/history.toml");
const RULES: Rules = Rules { check_in: 5, price: 10, times: 3 };
const QUOTA: u64 = 60;

/// How much is played.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Clients, each with a connection of its own.
    pub gateways: u64,
    /// Callers of each.
    pub callers: u64,
    /// Calls of each caller.
    pub calls: usize,
    /// Members they are about.
    pub members: u64,
}

impl Size {
    /// All calls.
    pub fn total(&self) -> usize {
        (self.gateways * self.callers) as usize * self.calls
    }
}

/// A game that is on.
pub struct Playing {
    size: Size,
    recorder: Recorder,
    session: Session,
    callers: Vec<JoinHandle<()>>,
}

/// Starts to play.
pub async fn play(site: &Site, size: Size, seed: u64) -> Playing {
    let recorder = Recorder::default();
    let mut callers = Vec::new();
    let mut last = None;
    for gateway in 0..size.gateways {
        let client = site.client("gateway").await;
        let session = Session {
            recorder: recorder.clone(),
            programme: client.programme("history").unwrap(),
            paid_at_ms: last.as_ref().map_or(client.server_ms() - 1_000, |session: &Session| session.paid_at_ms),
            impatient: gateway % 2 == 1,
            client,
        };
        for caller in 0..size.callers {
            let seed = seed << 32 | gateway << 16 | caller;
            callers.push(tokio::spawn(wander(session.clone(), seed, size.members, size.calls)));
        }
        last = Some(session);
    }
    Playing { size, recorder, session: last.unwrap(), callers }
}

impl Playing {
    /// Waits until a share of all calls has ended.
    pub async fn reaches(&self, part: usize, of: usize) {
        while self.recorder.events().len() < self.size.total() * part / of {
            // Some end before others; one that has found something wrong is heard of at the end.
            assert!(!self.callers.iter().all(|caller| caller.is_finished()), "it ended before its time");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// A redemption more, of the first member, that waits so long.
    pub async fn redeems(&self, deadline: Duration) -> Seen {
        self.session.ask(0, Ask::Redeem, CallOptions { deadline, id: None }).await
    }

    /// Plays to the end and judges the history.
    pub async fn ends(self) -> Tally {
        for caller in self.callers {
            caller.await.unwrap();
        }
        let get = GetCampaign { campaign: 1, slug: Text::default() };
        let options = CallOptions { deadline: Duration::from_secs(30), id: None };
        let told = self.session.client.get_campaign(self.session.programme, get, options).await.unwrap();
        let Body::CampaignView(view) = told.body else { panic!("a campaign's view") };
        let events = self.recorder.events();
        check_members(&RULES, &events).unwrap_or_else(|rejected| panic!("{rejected}"));
        check_quota(&events, Totals { quota: QUOTA, granted: view.granted_ever }).unwrap_or_else(|why| panic!("{why}"));
        let count = |seen: fn(&Seen) -> bool| events.iter().filter(|event| seen(&event.seen)).count();
        Tally {
            events: events.len(),
            unknown: count(|seen| *seen == Seen::Unknown),
            sold_out: count(|seen| *seen == Seen::SoldOut),
            granted: view.granted_ever,
        }
    }
}

/// What a history held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Calls.
    pub events: usize,
    /// Of these without an answer.
    pub unknown: usize,
    /// Told that nothing is left.
    pub sold_out: usize,
    /// Grants in the books.
    pub granted: u64,
}
