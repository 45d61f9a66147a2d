//! A server that has something to lose, and has not lost it.

use tidegate_client::CallOptions;
use tidegate_protocol::operation::{CheckIn, Enrol, GetMember};
use tidegate_protocol::{Body, MemberKey, code::answer};

use super::process::Server;

/// A member with something to lose.
pub async fn enrol(server: &Server, number: u64) {
    let client = server.client("gateway").await;
    let (programme, member) = (client.programme("check-in").unwrap(), MemberKey::from_number(number));
    let enrolled = client.enrol(programme, Enrol { member }, CallOptions::default()).await.unwrap();
    assert_eq!(enrolled.code, answer::ENROLLED);
    let checked_in = client.check_in(programme, CheckIn { member }, CallOptions::default()).await.unwrap();
    assert_eq!(checked_in.code, answer::CHECKED_IN);
}

/// The server is alive, takes changes, and still has what the member had.
pub async fn is_well(server: &Server, number: u64) {
    let client = server.client("gateway").await;
    let (programme, member) = (client.programme("check-in").unwrap(), MemberKey::from_number(number));
    let answer = client.get_member(programme, GetMember { member }, CallOptions::default()).await.unwrap();
    let Body::MemberView(view) = answer.body else { panic!("{answer:?}") };
    assert_eq!((view.balance, view.streak), (1, 1));
    let fresh = Enrol { member: MemberKey(uuid::Uuid::new_v4().into_bytes()) };
    let enrolled = client.enrol(programme, fresh, CallOptions::default()).await.unwrap();
    assert_eq!(enrolled.code, answer::ENROLLED);
}
