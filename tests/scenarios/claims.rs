//! Members who claim orders by their numbers, and who receive them.

use tidegate_protocol::Body;
use tidegate_protocol::code::answer;

use super::stage::Stage;

/// An order's points are given once, to who proves to own it, whether it is claimed before it is known or after.
#[tokio::test]
async fn typed_order_numbers_give_three_times_the_points_once() {
    let mut stage = Stage::open("claim-orders", "2026-06-01 10:00").await;
    for member in 1..=9 {
        stage.enrol(member).await;
    }
    let balance = async |stage: &Stage, member: u64| stage.member(member).await.balance;
    let name = |answer: tidegate_client::Answer| answer.body.name();

    // Reported by the platform, then claimed: with a wrong proof, the right one, once more, and by another.
    assert!(matches!(stage.report("D-1", 123, 1).await.body, Body::OrderReported(told) if told.waited == 0));
    let Body::ClaimWrong(wrong) = stage.claim(1, "D-1", 7).await.body else { panic!("a wrong proof") };
    assert_eq!(wrong.left, 2);
    let Body::OrderClaimed(claimed) = stage.claim(1, "D-1", 1).await.body else { panic!("its own") };
    assert_eq!((claimed.before, claimed.after), (0, 369));
    assert_eq!(stage.claim(1, "D-1", 1).await.code, answer::ALREADY_CLAIMED);
    assert_eq!(name(stage.claim(2, "D-1", 1).await), "ClaimWrong", "it is another's, proof or not");
    let lot = stage.lots(1).await.lots.as_slice()[0];
    assert_eq!((lot.points, lot.source.as_str()), (369, "claim"));

    // The same report again, another of the same number, and an order of that number with a member.
    let again = stage.report("D-1", 123, 1).await;
    assert_eq!(again.code, answer::ALREADY_RECORDED);
    assert_eq!(stage.report("D-1", 124, 1).await.code, answer::KEY_CONFLICT);
    assert_eq!(stage.order_through("douyin", 3, "D-1", 123).await.code, answer::KEY_CONFLICT);
    assert_eq!(stage.report_through("counter", "C-1", 50, 1).await.code, answer::NO_CLAIMS);
    assert_eq!(stage.claim_through("counter", 3, "C-1", 1).await.code, answer::NO_CLAIMS);
    assert_eq!(stage.claim_through("nowhere", 3, "C-1", 1).await.code, answer::UNKNOWN_CHANNEL);
    assert_eq!(stage.claim(3, "", 1).await.code, answer::NO_ORDER_NUMBER);

    // Claimed first: it waits, and is granted with the report; another's claim of the same number is a wrong guess.
    let Body::ClaimWaits(waits) = stage.claim(3, "D-2", 3).await.body else { panic!("it is not known") };
    assert_eq!(waits.until_ms, stage.instant_ms("2026-06-08 10:00"));
    assert_eq!(stage.claim(3, "D-2", 3).await.code, answer::ALREADY_CLAIMED, "and goes on waiting");
    assert_eq!(name(stage.claim(4, "D-2", 4).await), "ClaimWrong");
    assert_eq!((stage.claim_view(3, "D-2").await.state, stage.claim_view(4, "D-2").await.state), (1, 0));
    assert!(matches!(stage.report("D-2", 10, 3).await.body, Body::OrderReported(told) if told.waited == 1));
    assert_eq!((balance(&stage, 3).await, balance(&stage, 4).await), (30, 0));
    let view = stage.claim_view(3, "D-2").await;
    assert_eq!((view.state, view.until_ms, view.guesses_left), (2, stage.instant_ms("2026-07-01 10:00"), 2));

    // Claimed first by somebody who is not the owner: refused with the report, and the owner can have it.
    assert_eq!(name(stage.claim(4, "D-3", 4).await), "ClaimWaits");
    assert!(matches!(stage.report("D-3", 20, 5).await.body, Body::OrderReported(told) if told.waited == 2));
    assert_eq!((stage.claim_view(4, "D-3").await.state, balance(&stage, 4).await), (3, 0));
    assert_eq!(name(stage.claim(5, "D-3", 5).await), "OrderClaimed");
    assert_eq!((balance(&stage, 5).await, stage.claim_view(4, "D-3").await.state), (60, 3), "refused it stays");
    // What is without a proof is nobody's: it is neither reported nor claimed.
    assert_eq!(stage.report("D-4", 20, 0).await.code, answer::PROOF_MISSING);
    assert_eq!(stage.claim(5, "D-4", 0).await.code, answer::PROOF_MISSING);

    // What the mall recorded for its member is topped up, without a proof; and is nobody else's.
    stage.order(6, "M-1", 100).await;
    assert_eq!((balance(&stage, 6).await, stage.claim_view_through("mall", 6, "M-1").await.state), (100, 4));
    assert_eq!(name(stage.claim_through("mall", 5, "M-1", 5).await), "ClaimWrong");
    assert_eq!(name(stage.claim_through("mall", 6, "M-1", 0).await), "OrderClaimed");
    assert_eq!(balance(&stage, 6).await, 300);
    // Claimed before the mall told of it: by its member, who has it all with the order; and by another.
    assert_eq!(name(stage.claim_through("mall", 6, "M-2", 6).await), "ClaimWaits");
    stage.order(6, "M-2", 50).await;
    assert_eq!((balance(&stage, 6).await, stage.claim_view_through("mall", 6, "M-2").await.state), (450, 2));
    assert_eq!(name(stage.claim_through("mall", 7, "M-3", 7).await), "ClaimWaits");
    stage.order(6, "M-3", 50).await;
    assert_eq!((balance(&stage, 6).await, stage.claim_view_through("mall", 7, "M-3").await.state), (500, 3));

    // Three guesses a day, in vain or waiting; then nothing is even compared, until midnight.
    stage.report("D-5", 70, 8).await;
    for left in [2, 1, 0] {
        let Body::ClaimWrong(wrong) = stage.claim(8, "D-5", 9).await.body else { panic!("a wrong proof") };
        assert_eq!(wrong.left, left);
    }
    let locked = stage.claim(8, "D-5", 8).await;
    assert!(
        matches!(locked.body, Body::LimitReached(told) if told.again_ms == stage.instant_ms("2026-06-02 00:00")),
        "{locked:?}"
    );
    stage.at("2026-06-02 00:00").await;
    assert_eq!(name(stage.claim(8, "D-5", 8).await), "OrderClaimed");
    assert_eq!(balance(&stage, 8).await, 210);

    // A claim waits for a week, to the second.
    assert_eq!(name(stage.claim(9, "D-6", 9).await), "ClaimWaits");
    assert_eq!(name(stage.claim(9, "D-7", 9).await), "ClaimWaits");
    stage.at("2026-06-08 23:59").await;
    stage.report("D-6", 5, 9).await;
    assert_eq!(balance(&stage, 9).await, 15);
    stage.at("2026-06-09 00:00").await;
    assert_eq!(stage.claim_view(9, "D-7").await.state, 0);
    assert!(matches!(stage.report("D-7", 5, 9).await.body, Body::OrderReported(told) if told.waited == 0));
    assert_eq!(balance(&stage, 9).await, 15, "and must be made again");

    // Thirty days after it was paid it can be claimed no more, not even by its owner; nor is it free for a claim that waits.
    stage.at("2026-07-08 23:59").await;
    assert_eq!(name(stage.claim(9, "D-7", 9).await), "OrderClaimed");
    stage.report("D-8", 40, 2).await;
    stage.at("2026-08-07 23:59").await;
    assert_eq!(stage.claim(2, "D-8", 2).await.code, answer::NOT_CLAIMABLE);
    assert_eq!(stage.claim_through("mall", 6, "M-1", 6).await.code, answer::NOT_CLAIMABLE);
    // Outside June an order counts once.
    stage.report("D-9", 40, 2).await;
    assert_eq!(name(stage.claim(2, "D-9", 2).await), "OrderClaimed");
    assert_eq!(balance(&stage, 2).await, 40);
    stage.close().await;
}

/// Points wait for the receipt and seven days, or for a month; a tier is reached with them when they open.
#[tokio::test]
async fn points_open_a_week_after_the_receipt_or_a_month_after_the_order() {
    let mut stage = Stage::open("after-receipt", "2026-03-02 10:00").await;
    for member in 1..=2 {
        stage.enrol(member).await;
    }
    stage.order(1, "A", 300).await;
    stage.order(1, "B", 200).await;
    let view = stage.member(1).await;
    assert_eq!((view.balance, view.tier), (0, 1));
    let pending = |view: tidegate_protocol::answer::LotsView| -> Vec<(i64, i64)> {
        let pending = view.lots.as_slice().iter().filter(|lot| lot.opens_ms > 0);
        pending.map(|lot| (lot.points, lot.opens_ms)).collect()
    };
    let month = stage.instant_ms("2026-04-02 00:00");
    assert_eq!(pending(stage.lots(1).await), [(500, month)], "alike, they are one");

    // Received on the 10th: it opens with the end of the 17th; the other goes on waiting.
    stage.at("2026-03-10 09:00").await;
    for (member, number) in [(2, "A"), (1, "C")] {
        assert_eq!(stage.received(member, number, "2026-03-10 08:00").await.code, answer::NOTHING_PENDING);
    }
    assert_eq!(stage.received(1, "A", "2026-03-11 08:00").await.code, answer::IN_THE_FUTURE);
    let Body::ReceiptConfirmed(told) = stage.received(1, "A", "2026-03-10 08:00").await.body else { panic!("its own") };
    let week = stage.instant_ms("2026-03-18 00:00");
    assert_eq!((told.opens_ms, told.before, told.after), (week, 0, 0));
    assert_eq!(pending(stage.lots(1).await), [(300, week), (200, month)]);
    assert_eq!(stage.received(1, "A", "2026-03-10 08:00").await.code, answer::NOTHING_PENDING, "once");
    stage.at("2026-03-17 23:59").await;
    assert_eq!(stage.member(1).await.balance, 0);
    stage.at("2026-03-18 00:00").await;
    assert_eq!(stage.member(1).await.balance, 300);
    // They expire counting from when they opened.
    assert_eq!(stage.expiries(1).await[0], (300, stage.instant_ms("2027-04-01 00:00")));

    // Told late, of a receipt that was long ago: they open at once, and with them comes the tier.
    stage.at("2026-03-25 10:00").await;
    let Body::ReceiptConfirmed(told) = stage.received(1, "B", "2026-03-12 08:00").await.body else { panic!("its own") };
    assert_eq!((told.opens_ms, told.before, told.after), (stage.instant_ms("2026-03-20 00:00"), 300, 500));
    let view = stage.member(1).await;
    assert_eq!((view.balance, view.tier), (500, 2));

    // Without a receipt, or with one so late that it would be later than that, they open after a month.
    stage.order(2, "D", 70).await;
    stage.order(2, "E", 30).await;
    stage.at("2026-04-22 10:00").await;
    let Body::ReceiptConfirmed(told) = stage.received(2, "E", "2026-04-22 10:00").await.body else { panic!("its own") };
    assert_eq!(told.opens_ms, stage.instant_ms("2026-04-25 00:00"));
    stage.at("2026-04-25 00:00").await;
    assert_eq!(stage.member(2).await.balance, 100);
    assert_eq!(stage.received(2, "D", "2026-04-24 10:00").await.code, answer::NOTHING_PENDING);
    stage.close().await;
}
