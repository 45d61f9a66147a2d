//! Members who invite others.

use tidegate_protocol::code::answer;

use super::stage::Stage;

/// Invited by a gold member or by who has a tag; both have points with the first order of 99, three times a month and never twice.
#[tokio::test]
async fn friends_bring_friends_and_both_have_points() {
    let mut stage = Stage::open("invitations", "2026-05-01 10:00").await;
    // A gold member, one with a tag, and one with neither.
    for member in 1..=3 {
        stage.enrol(member).await;
    }
    stage.order(1, "gold", 600).await;
    stage.set_tag(2, "koc", true).await;
    for member in 11..=20 {
        stage.enrol(member).await;
    }
    let balance = async |stage: &Stage, member: u64| stage.member(member).await.balance;
    assert_eq!(balance(&stage, 11).await, 20, "the gift for registering");

    // Who cannot invite, and who cannot be invited.
    for (invitee, inviter, why) in [
        (11, 11, answer::OWN_INVITATION),
        (11, 99, answer::NO_SUCH_INVITER),
        (11, 3, answer::INVITER_NOT_ADMITTED),
        (99, 1, answer::NO_SUCH_MEMBER),
    ] {
        let refused = stage.accept(invitee, inviter).await;
        assert_eq!(stage.refused(refused), why, "{invitee} by {inviter}");
    }
    assert_eq!(stage.accept(11, 1).await.body.name(), "InvitationAccepted");
    let again = stage.accept(11, 2).await;
    assert_eq!(stage.refused(again), answer::NOT_INVITABLE, "once, whoever asks next");
    // Who was invited does not invite its inviter: neither of both is new to the other.
    stage.set_tag(11, "koc", true).await;
    let back = stage.accept(1, 11).await;
    assert_eq!(stage.refused(back), answer::OWN_INVITATION);
    stage.set_tag(11, "koc", false).await;

    // An order of 98.99 does not qualify, one of 99 does, and the next brings nothing more.
    stage.at("2026-05-02 10:00").await;
    assert_eq!((balance(&stage, 11).await, balance(&stage, 1).await), (20, 620));
    stage.order(11, "1", 98).await;
    assert_eq!((balance(&stage, 11).await, balance(&stage, 1).await), (118, 620));
    stage.order(11, "2", 99).await;
    assert_eq!((balance(&stage, 11).await, balance(&stage, 1).await), (118 + 99 + 50, 620 + 200));
    stage.order(11, "3", 300).await;
    assert_eq!((balance(&stage, 11).await, balance(&stage, 1).await), (567, 820), "once");
    assert_eq!(stage.order(11, "2", 99).await.name(), "AlreadyRecorded", "and not by telling it again");
    let (invited, inviter) = (stage.profile(11).await, stage.profile(1).await);
    assert_eq!((invited.invited, invited.invited_by), (2, tidegate_protocol::MemberKey::from_number(1)));
    assert_eq!((inviter.introduced, inviter.introduced_most), (1, 3));
    let lots = stage.lots(1).await.lots.as_slice().to_vec();
    let referral: Vec<_> = lots.iter().filter(|lot| lot.source.as_str() == "referral").map(|lot| lot.points).collect();
    assert_eq!(referral, [200], "a lot of its own");

    // Gold: three a month. The fourth friend has its points, the inviter none.
    for member in 12..=14 {
        stage.accept(member, 1).await;
        stage.order(member, &format!("first-{member}"), 99).await;
    }
    assert_eq!((balance(&stage, 14).await, balance(&stage, 1).await), (20 + 99 + 50, 820 + 2 * 200));
    // With a tag and the lowest tier: two.
    for member in 15..=17 {
        stage.accept(member, 2).await;
        stage.order(member, &format!("first-{member}"), 150).await;
    }
    assert_eq!(balance(&stage, 2).await, 20 + 2 * 200);
    // Two hundred points twice, and the gift: not gold yet. An order lifts it, and lifts its limit.
    stage.order(2, "own", 100).await;
    stage.accept(18, 2).await;
    stage.order(18, "first-18", 99).await;
    assert_eq!(balance(&stage, 2).await, 420 + 100 + 200, "a gold member's third");

    // Too late to say who it was, and too late to qualify.
    stage.at("2026-05-08 10:00").await;
    let late = stage.accept(19, 1).await;
    assert_eq!(stage.refused(late), answer::NOT_INVITABLE);
    stage.enrol(21).await;
    stage.accept(21, 1).await;
    stage.at("2026-06-07 10:00").await;
    stage.order(21, "late", 500).await;
    assert_eq!(balance(&stage, 21).await, 520, "thirty days are over to the second");
    stage.at("2026-06-07 11:00").await;
    stage.enrol(22).await;
    stage.accept(22, 1).await;
    stage.order(22, "first-22", 99).await;
    assert_eq!(balance(&stage, 1).await, 1_220 + 200, "another month");
    stage.close().await;
}
